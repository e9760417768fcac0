"""Every flag and variable that deploy/ and the image set is one that the program knows."""
import re
import subprocess

import pytest
import yaml

from deployment import DEPLOY

# Read by libraries and by the runtime of containers, not by our flags.
OF_OTHERS = re.compile(r"PG[A-Z]+|AWS_[A-Z_]+|NVIDIA_[A-Z_]+")


@pytest.fixture(scope="session")
def known(build_dir):
    """known[program]: its flags and variables."""
    result = {}
    for program in ("quantd", "quantd-worker"):
        text = subprocess.run([build_dir / "bin" / program, "--help"], capture_output=True, text=True, check=True).stdout
        result[program] = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)) | set(re.findall(r"\(Env:(\w+)\)", text))
    return result


def unknown(known, program, arguments, variables):
    flags = {argument for argument in arguments if argument.startswith("--")}
    return {name for name in flags | set(variables) if name not in known[program] and not OF_OTHERS.fullmatch(name)}


def test_the_manifests_settings_are_known(overlay, known):
    for container in overlay.containers():
        [program] = container["command"]
        assert not unknown(known, program, container.get("args", []), overlay.settings(container))


def test_the_composed_services_settings_are_known(known):
    services = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())["services"]
    for name in ("quantd", "worker"):
        program, *arguments = services[name].get("command", ["quantd"])
        assert not unknown(known, program, arguments, services[name]["environment"])


def test_the_images_settings_are_known(known):
    variables = re.findall(r"^(?:ENV| {4}) ?([A-Z_]+)=", (DEPLOY / "Dockerfile").read_text().rsplit("FROM ${DEBIAN}", 1)[1], re.M)
    assert "QUANTD_DATA_DIR" in variables
    assert not unknown(known, "quantd", [], variables)
