"""Fixtures that the conformance tests share."""
import os
import subprocess
import sys

import numpy as np
import pytest

from fused_checkpoint import write_fused
from repository import ROOT
from service_process import Service


@pytest.fixture(scope="session")
def encode(build_dir, tmp_path_factory):
    """encode(codec, weights): the bytes of all planes, as our codec writes them for rows of weights.shape[-1] columns.

    importance: one number a column. target: the CPU kernels to use (default: the best of this processor)."""
    importance_file = tmp_path_factory.mktemp("importance") / "columns.f32"

    def run(codec, weights, importance=None, target=""):
        command = [build_dir / "tests" / "codec_probe", codec, str(weights.shape[-1])]
        if importance is not None:
            importance_file.write_bytes(np.ascontiguousarray(importance, np.float32).tobytes())
            command += ["--importance", importance_file]
        return subprocess.run(command, input=np.ascontiguousarray(weights, np.float32).tobytes(), capture_output=True,
                              env={**os.environ, "QUANTD_CPU": target}, check=True).stdout

    return run


@pytest.fixture(scope="session")
def decode(build_dir):
    """decode(codec, planes, columns): the inverse of encode; the weights' bytes as float32."""

    def run(codec, planes, columns, target=""):
        command = [build_dir / "tests" / "codec_probe", "--decode", codec, str(columns)]
        return subprocess.run(command, input=planes, capture_output=True, env={**os.environ, "QUANTD_CPU": target},
                              check=True).stdout

    return run


@pytest.fixture(scope="session")
def cpu_targets(build_dir):
    """The CPU targets that this machine can run."""
    return subprocess.run([build_dir / "tests" / "codec_probe", "--targets"], capture_output=True, text=True,
                          check=True).stdout.split()


class Engine:
    """Runs jobs without a server."""

    def __init__(self, build_dir, scratch):
        self.program, self.scratch, self.count = build_dir / "tests" / "engine_probe", scratch, 0

    def start(self, checkpoint, targets, name):
        self.count += 1
        store = self.scratch / str(self.count)
        command = [self.program, checkpoint, name or checkpoint.name, store, *targets]
        return store / "objects" / "job", subprocess.run(command, capture_output=True, text=True)

    def folders(self, checkpoint, targets, name=None):
        """The folders of the artifacts, in the targets' order."""
        artifacts, result = self.start(checkpoint, targets, name)
        assert result.returncode == 0, result.stderr
        return [artifacts / line.split()[0] for line in result.stdout.splitlines()]

    def __call__(self, checkpoint, targets):
        """The GGUF file or, for other formats, the folder of each artifact, by the folder's name."""
        return {folder.name: next(folder.glob("*.gguf"), folder) for folder in self.folders(checkpoint, targets)}

    def types(self, checkpoint, targets):
        """The planned type of each tensor by name, for each target; nothing is written."""
        result = subprocess.run([self.program, checkpoint, checkpoint.name, "plan", *targets], capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        planned = [{} for _ in targets]
        for line in result.stdout.splitlines():
            target, tensor, kind = line.split()
            planned[int(target)][tensor] = kind
        return planned

    def error(self, checkpoint, targets):
        _, result = self.start(checkpoint, targets, None)
        assert result.returncode != 0
        return result.stderr


@pytest.fixture(scope="session")
def run_engine(build_dir, tmp_path_factory):
    return Engine(build_dir, tmp_path_factory.mktemp("engine"))


@pytest.fixture(scope="session")
def smollm2(tmp_path_factory):
    """SmolLM2-135M-Instruct, LlamaForCausalLM in F16."""
    folder = tmp_path_factory.mktemp("models") / "smollm2-llama"
    subprocess.run([sys.executable, ROOT / "tests" / "support" / "make_smollm2.py", folder], check=True)
    return folder


@pytest.fixture(scope="session")
def smollm2_phi3(smollm2):
    return write_fused(smollm2, smollm2.parent / "smollm2-fused", tied=True)


@pytest.fixture(scope="session")
def smollm2_phi3_untied(smollm2):
    return write_fused(smollm2, smollm2.parent / "smollm2-fused-untied", tied=False)


@pytest.fixture
def service(build_dir, tmp_path):
    running = Service(build_dir, tmp_path / "data")
    yield running
    running.stop()
