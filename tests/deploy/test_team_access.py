"""The team overlay's settings on the real programs, with certificates such as cert-manager would make from the overlay's own."""
import os
import re
import subprocess
import urllib.request

import pytest
import yaml

from deployment import DEPLOY, Overlay
from eventually import eventually


def openssl(*arguments, **options):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, **options)


def make_certificate(folder, authority, spec):
    """tls.crt, tls.key and ca.crt of a cert-manager Certificate, in a folder."""
    folder.mkdir()
    names = ",".join([f"DNS:{name}" for name in spec["dnsNames"]] + ["IP:127.0.0.1"])
    usage = {"server auth": "serverAuth", "client auth": "clientAuth"}[spec["usages"][0]]
    (folder / "extensions").write_text(f"subjectAltName={names}\nextendedKeyUsage={usage}\n")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={spec['commonName']}",
            "-keyout", folder / "tls.key", "-out", folder / "request")
    openssl("x509", "-req", "-in", folder / "request", "-CA", authority / "ca.crt", "-CAkey", authority / "ca.key", "-days", "2",
            "-extfile", folder / "extensions", "-out", folder / "tls.crt")
    (folder / "ca.crt").write_bytes((authority / "ca.crt").read_bytes())
    (folder / "tls.key").chmod(0o400)


@pytest.fixture(scope="module")
def team(render):
    return Overlay("team", list(yaml.safe_load_all(render("overlays/team"))))


@pytest.fixture(scope="module")
def certificates(team, tmp_path_factory):
    """A folder with one folder for each secret that cert-manager would fill."""
    folder = tmp_path_factory.mktemp("certificates")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=quantd-ca", "-days", "2",
            "-keyout", folder / "ca.key", "-out", folder / "ca.crt")
    for certificate in team.of_kind("Certificate"):
        if not certificate["spec"].get("isCA"):
            make_certificate(folder / certificate["spec"]["secretName"], folder, certificate["spec"])
    return folder


@pytest.fixture(scope="module")
def settings_of(team, certificates):
    """settings_of(container): its environment and arguments with this machine's paths."""
    def local(text, secret):
        return text.replace("/etc/quantd/tls", str(certificates / secret)).replace("/etc/quantd/access", str(DEPLOY / "overlays" / "team"))

    def run(name, secret):
        [container] = [container for container in team.containers() if container["name"] == name]
        variables = {key: local(value, secret) for key, value in team.settings(container).items() if value}
        return variables, [local(argument, secret) for argument in container.get("args", [])]

    return run


@pytest.fixture(scope="module")
def server(build_dir, settings_of, tmp_path_factory):
    """quantd with the overlay's TLS and access file, and SQLite in place of the database: its addresses."""
    data = tmp_path_factory.mktemp("data")
    variables, arguments = settings_of("quantd", "quantd-tls")
    variables |= {"QUANTD_DATA_DIR": str(data), "QUANTD_LISTEN": "127.0.0.1:0", "QUANTD_METRICS_LISTEN": "127.0.0.1:0"}
    for name in ("QUANTD_CATALOGUE", "QUANTD_OBJECTS", "QUANTD_HEALTH_LISTEN"):
        del variables[name]
    process = subprocess.Popen([build_dir / "bin" / "quantd", *arguments], env={**os.environ, **variables}, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    line = process.stdout.readline()
    ready = re.match(r"ready grpc=(\S+) metrics=(\S+)", line)
    assert ready, process.stderr.read()
    yield {"grpc": ready[1], "metrics": ready[2], "objects": f"file:{data}"}
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 0


def quantctl(build_dir, server, certificates, *arguments, secret=None):
    flags = ["--server", server["grpc"], "--ca", certificates / "quantd-tls" / "ca.crt"]
    if secret is not None:
        flags += ["--cert", certificates / secret / "tls.crt", "--key", certificates / secret / "tls.key"]
    return subprocess.run([build_dir / "bin" / "quantctl", *flags, *arguments], capture_output=True, text=True, timeout=60)


def test_the_certificate_is_for_the_names_of_the_services(team, certificates):
    shown = subprocess.run(["openssl", "x509", "-in", certificates / "quantd-tls" / "tls.crt", "-noout", "-ext", "subjectAltName"],
                           capture_output=True, text=True, check=True).stdout
    [worker] = [container for container in team.containers() if container["name"] == "worker"]
    asked = re.fullmatch(r"dns:///([\w-]+):7600", team.settings(worker)["QUANTD_SERVER"])[1]
    for service in team.of_kind("Service"):
        assert f"DNS:{service['metadata']['name']}," in shown
    assert asked in {service["metadata"]["name"] for service in team.of_kind("Service")}


def test_quantd_starts_with_the_access_file_and_the_worker_is_let_in(build_dir, server, settings_of, certificates, team):
    variables, arguments = settings_of("worker", "quantd-worker-tls")
    variables |= {"QUANTD_SERVER": server["grpc"], "QUANTD_OBJECTS": server["objects"], "QUANTD_WORKER_THREADS": "1"}
    worker = subprocess.Popen([build_dir / "bin" / "quantd-worker", *arguments], env={**os.environ, **variables},
                              stderr=subprocess.DEVNULL)

    def waits():
        with urllib.request.urlopen(f"http://{server['metrics']}/metrics", timeout=10) as answer:
            return re.search(r'^quant_workers\{[^}]*state="idle"[^}]*\} [1-9]', answer.read().decode(), re.M)

    try:
        eventually(waits)
    finally:
        worker.terminate()
        assert worker.wait(30) == 0


def test_who_brings_nothing_is_refused(build_dir, server, certificates):
    result = quantctl(build_dir, server, certificates, "models", "list")
    assert result.returncode == 5, result.stderr


def test_a_worker_is_no_user(build_dir, server, certificates):
    result = quantctl(build_dir, server, certificates, "models", "list", secret="quantd-worker-tls")
    assert result.returncode == 5, result.stderr
