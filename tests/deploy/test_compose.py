"""The compose file, without a container engine."""
import re
import subprocess

import pytest
import yaml

from deployment import DEPLOY

COMPOSE = DEPLOY / "compose"


@pytest.fixture(scope="module")
def composed():
    return yaml.safe_load((COMPOSE / "compose.yaml").read_text())


def test_the_parts_are_there(composed):
    assert {"quantd", "worker", "database", "objects", "prometheus", "grafana"} <= composed["services"].keys()


def test_files_and_volumes_that_are_mounted_exist(composed):
    for service in composed["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (COMPOSE / source).is_file() if source.startswith(".") else source in composed["volumes"], source
    assert (COMPOSE / composed["services"]["quantd"]["build"]["context"] / "deploy" / "Dockerfile").is_file()


def test_no_secret_is_in_it_and_each_is_made(composed, tmp_path):
    text = (COMPOSE / "compose.yaml").read_text()
    for service in composed["services"].values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|ACCESS_KEY|ROOT_USER|MC_HOST", name):
                assert not re.sub(r"\$\{\w+:\?run ./make-secrets\}", "", value).strip("htp:/@objects:9000"), name
    script = tmp_path / "make-secrets"
    script.write_bytes((COMPOSE / "make-secrets").read_bytes())
    subprocess.run(["bash", script], check=True)
    made = dict(line.split("=") for line in (tmp_path / ".env").read_text().splitlines())
    assert set(made) == set(re.findall(r"\$\{(\w+):\?", text))
    assert len(set(made.values())) == len(made) and all(re.fullmatch(r"[0-9a-f]{32}", value) for value in made.values())
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    assert subprocess.run(["bash", script], capture_output=True).returncode != 0, "passwords in use are never replaced"


def test_only_this_machine_reaches_it(composed):
    for service in composed["services"].values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")


def test_our_containers_have_no_privileges(composed):
    for name in ("quantd", "worker"):
        service = composed["services"][name]
        assert service["read_only"] is True and service["cap_drop"] == ["ALL"] and "no-new-privileges:true" in service["security_opt"]


def test_images_are_pinned(composed):
    for service in composed["services"].values():
        assert re.search(r":[\w.-]*\d", service["image"]) and not service["image"].endswith(":latest")


def test_prometheus_takes_its_configuration():
    subprocess.run(["promtool", "check", "config", "--syntax-only", COMPOSE / "prometheus.yaml"], check=True)


def test_grafana_finds_the_dashboard_and_prometheus(composed):
    [provider] = yaml.safe_load((COMPOSE / "grafana" / "dashboards.yaml").read_text())["providers"]
    mounts = {volume.split(":")[1] for volume in composed["services"]["grafana"]["volumes"]}
    assert provider["options"]["path"] + "/quantd.json" in mounts
    [source] = yaml.safe_load((COMPOSE / "grafana" / "datasource.yaml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090" and source["type"] == "prometheus"
