"""The image that deploy/Dockerfile makes, and the single-node overlay run from it. No container has a network: all is on its loopback."""
import json
import re
import subprocess
import sys

import pytest
import yaml

import checkpoints
from container_engine import ContainerEngine
from deployment import DEPLOY, ROOT
from eventually import eventually

PROGRAMS = ("quantd", "quantd-worker", "quantctl")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def engine():
    return ContainerEngine(ROOT / "build" / "containers")


@pytest.fixture(scope="session")
def image(engine, build_dir, tmp_path_factory):
    """The Dockerfile's image with the programs of build/release in it, instead of compiling them again."""
    programs = tmp_path_factory.mktemp("programs")
    (programs / "programs").mkdir()
    subprocess.run(["install", "-s", "-t", programs / "programs", *(build_dir / "bin" / name for name in PROGRAMS)], check=True)
    (programs / "Dockerfile").write_text("FROM scratch\nCOPY programs /programs\n")
    engine.check("buildah", "bud", "--pull-never", "-t", "localhost/quantd-programs:test", programs)
    engine.check("buildah", "bud", "--pull-never", "--format", "docker", "--layers", "--network", "host", "-f", DEPLOY / "Dockerfile",
                 "--build-arg", f"DEBIAN={engine.debian()}",
                 "--build-context", "build=container-image://localhost/quantd-programs:test",
                 "--build-arg", "REVISION=test", "-t", "localhost/quantd:0.1.0", ROOT)
    return "localhost/quantd:0.1.0"


@pytest.fixture
def container(engine, image):
    """quantd in a container as the image starts it, with a read-only root."""
    name = engine.check("podman", "run", "--detach", "--network", "none", "--read-only", "--cap-drop", "all",
                        "--security-opt", "no-new-privileges", "--tmpfs", "/tmp:rw,mode=1777",
                        "--volume", "/var/lib/quantd", "--env", "QUANTD_ALLOW_PLAINTEXT=true", image)
    eventually(lambda: engine.run("podman", "exec", name, "quantctl", "health").returncode == 0)
    yield name
    engine.run("podman", "rm", "--force", "--volumes", "--time", "20", name)


def run_job(engine, container, model, targets):
    """Runs a job with quantctl inside the container; its results as quantctl prints them."""
    engine.put(container, model, "/tmp/model")
    engine.check("podman", "exec", container, "quantctl", "quantize", "/tmp/model", "--to", *targets, "--output", "/tmp/out")
    for manifest in engine.check("podman", "exec", container, "sh", "-c", "ls -d /tmp/out/*").split():
        assert json.loads(engine.check("podman", "exec", container, "cat", f"{manifest}/quantd-manifest.json"))
    [job] = json.loads(engine.check("podman", "exec", container, "quantctl", "-o", "json", "jobs", "list"))["jobs"]
    assert job["state"] == "SUCCEEDED"
    return engine.check("podman", "exec", container, "ls", "/tmp/out").split()


def test_it_has_what_runs_and_nothing_that_builds(engine, image):
    def inside(script):
        return engine.check("podman", "run", "--rm", "--network", "none", "--read-only", image, "sh", "-c", script)

    assert inside(f"cd /usr/local/bin && ldd {' '.join(PROGRAMS)} | grep 'not found' || true") == ""
    assert inside("ls /usr/local/bin").split() == sorted(PROGRAMS)
    assert inside("command -v gcc g++ cc c++ cpp ld as make cmake python3 curl wget || true") == ""
    assert inside("dpkg-query -W -f '${Package}\\n' | grep -e '-dev$' || true") == ""
    assert inside("find / -xdev -perm /6000 -type f -user root 2>/dev/null | grep quant || true") == ""
    assert inside("id -u") == "65532"
    assert inside("touch /probe 2>&1 || true").endswith("Read-only file system")


def test_it_says_what_it_is(engine, image):
    [description] = json.loads(engine.check("podman", "image", "inspect", image))
    labels = description["Config"]["Labels"]
    version = re.search(r"project\(quantd VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text())[1]
    assert labels["org.opencontainers.image.title"] == "quantd"
    assert labels["org.opencontainers.image.version"] == version
    assert labels["org.opencontainers.image.revision"] == "test"
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", description["Config"]["User"]), "a number, which runAsNonRoot can check"
    assert description["Healthcheck"]["Test"][0] == "CMD"


def test_the_health_check_follows_the_server(engine, container):
    assert engine.run("podman", "healthcheck", "run", container).returncode == 0


def test_plaintext_outside_the_machine_is_refused_unless_it_is_allowed(engine, image):
    result = engine.run("podman", "run", "--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp", "--volume", "/var/lib/quantd", image,
                        timeout=60)
    assert result.returncode != 0 and "plaintext" in result.stderr


def test_it_runs_the_demos_job_as_a_user_with_a_read_only_root(engine, container, tmp_path):
    subprocess.run([sys.executable, ROOT / "tests" / "support" / "make_smollm2.py", tmp_path / "smollm2"], check=True)
    demo = re.search(r"--to (.*?) \\\n", (ROOT / "scripts" / "demo").read_text())[1].split()
    assert len(run_job(engine, container, tmp_path / "smollm2", demo)) == len(demo)


def test_podman_plays_the_single_node_overlay(engine, image, render, tmp_path):
    objects = list(yaml.safe_load_all(render("overlays/single-node")))
    for thing in objects:
        if thing["kind"] == "Deployment":
            # podman would publish them at the same numbers of this machine.
            del thing["spec"]["template"]["spec"]["containers"][0]["ports"]
    manifest = tmp_path / "single-node.yaml"
    manifest.write_text(yaml.safe_dump_all(objects))
    checkpoints.make(tmp_path / "model")
    pod, data = "quantd-pod-0-quantd", "quantd-data"

    def clear():
        engine.run("podman", "kube", "down", manifest)
        engine.run("podman", "volume", "rm", "--force", data)

    clear()
    try:
        engine.check("podman", "kube", "play", "--network", "none", manifest)
        eventually(lambda: engine.run("podman", "exec", pod, "quantctl", "health").returncode == 0)
        assert run_job(engine, pod, tmp_path / "model", ["gguf:Q4_K_M", "onnx:fp32"]) == ["gguf-Q4_K_M", "onnx-fp32"]
        # What it keeps is on the volume: another pod goes on with it.
        engine.check("podman", "kube", "down", manifest)
        engine.check("podman", "kube", "play", "--network", "none", "--replace", without_volume(manifest, data))
        eventually(lambda: engine.run("podman", "exec", pod, "quantctl", "health").returncode == 0)
        [job] = json.loads(engine.check("podman", "exec", pod, "quantctl", "-o", "json", "jobs", "list"))["jobs"]
        assert job["state"] == "SUCCEEDED"
    finally:
        clear()


def without_volume(manifest, name):
    """The manifest again, for a machine that has the volume already, which this podman does not take twice."""
    objects = [thing for thing in yaml.safe_load_all(manifest.read_text()) if thing["kind"] != "PersistentVolumeClaim"]
    path = manifest.with_name(f"with-{name}.yaml")
    path.write_text(yaml.safe_dump_all(objects))
    return path
