"""Fixtures that the conformance tests share. The programs under test are those of QUANTD_BUILD (build/release)."""
import os
import pathlib
import subprocess

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def build_dir():
    return pathlib.Path(os.environ.get("QUANTD_BUILD", ROOT / "build" / "release"))


@pytest.fixture(scope="session")
def encode(build_dir):
    """encode(codec, weights): the bytes of all planes, as our codec writes them for rows of weights.shape[-1] columns."""

    def run(codec, weights):
        command = [build_dir / "tests" / "codec_probe", codec, str(weights.shape[-1])]
        return subprocess.run(command, input=np.ascontiguousarray(weights, np.float32).tobytes(), capture_output=True,
                              check=True).stdout

    return run


@pytest.fixture(scope="session")
def decode(build_dir):
    """decode(codec, planes, columns): the inverse of encode; the weights' bytes as float32."""

    def run(codec, planes, columns):
        command = [build_dir / "tests" / "codec_probe", "--decode", codec, str(columns)]
        return subprocess.run(command, input=planes, capture_output=True, check=True).stdout

    return run


@pytest.fixture
def write(build_dir, tmp_path):
    """write(checkpoint, name, target, …): runs one job and returns the folders of its artifacts, in the targets' order."""

    def run(checkpoint, name, *targets):
        store = tmp_path / "store"
        command = [build_dir / "tests" / "engine_probe", checkpoint, name, store, *targets]
        result = subprocess.run(command, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        return [store / "objects" / "job" / line.split()[0] for line in result.stdout.splitlines()]

    return run
