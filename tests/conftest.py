"""What all tests in Python share. The programs under test are those of QUANTD_BUILD (build/release)."""
import os
import pathlib
import sys

import pytest

sys.path.append(str(pathlib.Path(__file__).resolve().parent / "conformance"))  # repository, checkpoints, service_process

from repository import ROOT  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: left out of scripts/test --quick")


@pytest.fixture(scope="session")
def build_dir():
    return pathlib.Path(os.environ.get("QUANTD_BUILD", ROOT / "build" / "release"))
