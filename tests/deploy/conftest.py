"""What the tests of deploy/ share. The programs under test are those of QUANTD_BUILD (build/release)."""
import os
import pathlib
import shutil
import subprocess
import sys

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
sys.path.append(str(ROOT / "tests" / "conformance"))  # service_process, checkpoints

OVERLAYS = ("single-node", "team", "gpu", "keda")


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: left out of scripts/test --quick")


@pytest.fixture(scope="session")
def build_dir():
    return pathlib.Path(os.environ.get("QUANTD_BUILD", ROOT / "build" / "release"))


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


class Overlay:
    def __init__(self, name, objects):
        self.name, self.objects = name, objects

    def of_kind(self, *kinds):
        return [thing for thing in self.objects if thing["kind"] in kinds]

    def names(self, kind):
        return {thing["metadata"]["name"] for thing in self.of_kind(kind)}

    def pods(self):
        """(name of the owner, pod template) of everything that starts pods."""
        for thing in self.of_kind("Deployment"):
            yield thing["metadata"]["name"], thing["spec"]["template"]
        for thing in self.of_kind("ScaledJob"):
            yield thing["metadata"]["name"], thing["spec"]["jobTargetRef"]["template"]

    def containers(self):
        for _, pod in self.pods():
            yield from pod["spec"]["containers"]

    def settings(self, container):
        """The environment of a container as far as the overlay gives it: name to value."""
        maps = {thing["metadata"]["name"]: thing["data"] for thing in self.of_kind("ConfigMap")}
        given = {}
        for source in container.get("envFrom", []):
            if "configMapRef" in source:
                given |= maps[source["configMapRef"]["name"]]
        return given | {entry["name"]: entry.get("value", "") for entry in container.get("env", [])}
