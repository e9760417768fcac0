"""Fixtures that the conformance tests share. The programs under test are those of QUANTD_BUILD (build/release)."""
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import checkpoints
import safetensors_files
from service_process import Service

ROOT = pathlib.Path(__file__).resolve().parents[2]


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: left out of scripts/test --quick")


@pytest.fixture(scope="session")
def build_dir():
    return pathlib.Path(os.environ.get("QUANTD_BUILD", ROOT / "build" / "release"))


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


def fuse(name, arrays, layer):
    prefix = f"model.layers.{layer}."
    parts = {"self_attn.qkv_proj": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
             "mlp.gate_up_proj": ("mlp.gate_proj", "mlp.up_proj")}[name]
    return np.concatenate([arrays.pop(f"{prefix}{part}.weight") for part in parts])


def write_fused(smollm2, folder, tied):
    """The same weights under another architecture, in BF16. The name has no "phi3" in it: llama.cpp would look for Phi-3's tokens."""
    folder.mkdir()
    for path in smollm2.iterdir():
        if path.suffix != ".safetensors":
            (folder / path.name).write_bytes(path.read_bytes())
    config = json.loads((smollm2 / "config.json").read_text())
    config |= {"architectures": ["Phi3ForCausalLM"], "model_type": "phi3", "torch_dtype": "bfloat16", "pad_token_id": config["eos_token_id"],
               "original_max_position_embeddings": config["max_position_embeddings"], "tie_word_embeddings": tied}
    (folder / "config.json").write_text(json.dumps(config))
    arrays = {name: np.frombuffer(data, np.float32 if dtype == "F32" else np.float16).reshape(shape).astype(np.float32)
              for name, (dtype, shape, data) in safetensors_files.read(smollm2).items()}
    for layer in range(config["num_hidden_layers"]):
        for name in ("self_attn.qkv_proj", "mlp.gate_up_proj"):
            arrays[f"model.layers.{layer}.{name}.weight"] = fuse(name, arrays, layer)
    if not tied:
        arrays["lm_head.weight"] = arrays["model.embed_tokens.weight"]
    checkpoints.write_safetensors(folder / "model.safetensors", "BF16",
                                  {name: checkpoints.to_bfloat16(array) for name, array in arrays.items()})
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
