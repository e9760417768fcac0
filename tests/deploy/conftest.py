"""What the tests of deploy/ share."""
import pathlib
import shutil
import subprocess
import sys

import pytest
import yaml

from deployment import DEPLOY, OVERLAYS, Overlay


@pytest.fixture(scope="session")
def render():
    """render(folder): the objects that kustomize makes of a folder under deploy/, as text."""
    beside_python = pathlib.Path(sys.executable).with_name("kubectl")
    kubectl = beside_python if beside_python.exists() else shutil.which("kubectl")

    def run(folder):
        result = subprocess.run([kubectl, "kustomize", DEPLOY / folder], capture_output=True, text=True)
        assert result.returncode == 0 and not result.stderr, result.stderr
        return result.stdout

    return run


@pytest.fixture(scope="session", params=OVERLAYS)
def overlay(request, render):
    """The objects of an overlay, one overlay after the other."""
    objects = list(yaml.safe_load_all(render(f"overlays/{request.param}")))
    return Overlay(request.param, objects)
