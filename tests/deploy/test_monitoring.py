"""Alert rules and the dashboard against what a real quantd serves, through a real Prometheus."""
import json
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest
import yaml

import checkpoints
from deployment import DEPLOY, ROOT
from eventually import eventually
from service_process import Service

MONITORING = DEPLOY / "monitoring"
# A series that begins at the first refusal.
AT_A_REFUSAL = {"quant_quota_rejections_total"}


def dashboard_queries():
    """(panel, query) with the variable that Grafana fills in."""
    for panel in json.loads((MONITORING / "dashboard.json").read_text())["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"].replace("$__rate_interval", "5m")


def alerts():
    [group] = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"]
    return group["rules"]


def metrics_of(query):
    return set(re.findall(r"\bquant_\w+", query))


def metrics_text(service):
    with urllib.request.urlopen(f"http://{service.metrics}/metrics", timeout=10) as answer:
        return answer.read().decode()


@pytest.fixture(scope="module")
def service(build_dir, tmp_path_factory):
    """A quantd that has seen an upload, a job, and the death of a worker at work."""
    folder = tmp_path_factory.mktemp("monitoring")
    checkpoints.make(folder / "model")
    running = Service(build_dir, folder / "data")
    model = running.check("upload", folder / "model")
    running.make_disk_slow()
    job = running.check("quantize", model, "--to", "gguf:Q4_K_M", "mlx:int4", "--detach")
    eventually(lambda: json.loads(running.check("-o", "json", "jobs", "show", job))["state"] == "RUNNING")
    running.kill_worker()
    running.make_disk_fast()
    running.check("jobs", "watch", job)
    # The last figures of a worker are counted when what it says has been stored.
    eventually(lambda: 'quant_job_stage_duration_seconds_count{stage="verify"}' in metrics_text(running))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def served(service):
    return metrics_text(service)


@pytest.fixture(scope="module")
def prometheus(service, tmp_path_factory):
    """query(path, **parameters): the data of an answer of Prometheus's API, once it has scraped quantd twice."""
    folder = tmp_path_factory.mktemp("prometheus")
    configuration = {"global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "rule_files": [str(MONITORING / "alerts.yaml")],
                     "scrape_configs": [{"job_name": "quantd", "static_configs": [{"targets": [service.metrics]}]}]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    process = subprocess.Popen(["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
                                "--web.listen-address=127.0.0.1:0"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    address = next(match[1] for line in process.stderr if (match := re.search(r'msg="Listening on" address=(\S+)', line)))

    def ready():
        try:
            return urllib.request.urlopen(f"http://{address}/-/ready", timeout=10).close() is None
        except urllib.error.HTTPError:
            return False

    def ask(path, **parameters):
        with urllib.request.urlopen(f"http://{address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}", timeout=10) as answer:
            return json.load(answer)["data"]

    def scraped_twice():
        if not ready():
            return False
        result = ask("query", query="count_over_time(quant_build_info[5m])")["result"]
        return result and int(result[0]["value"][1]) >= 2

    eventually(scraped_twice)
    yield ask
    process.terminate()
    process.stderr.close()
    process.wait(30)


def test_promtool_takes_what_is_served(served):
    result = subprocess.run(["promtool", "check", "metrics"], input=served, text=True, capture_output=True)
    assert result.returncode == 0 and not result.stderr, result.stderr + result.stdout


def test_promtool_takes_the_rules():
    subprocess.run(["promtool", "check", "rules", "--lint=all", "--lint-fatal", MONITORING / "alerts.yaml"], check=True)


def test_each_alert_is_raised_when_it_should_be():
    subprocess.run(["promtool", "test", "rules", MONITORING / "alerts_test.yaml"], check=True)
    tested = (MONITORING / "alerts_test.yaml").read_text()
    for rule in alerts():
        assert re.search(rf"alertname: {rule['alert']}\n +exp_alerts:\n", tested), "a case that raises it"
        assert re.search(rf"alertname: {rule['alert']}, exp_alerts: \[\]", tested), "a case that does not"


def test_the_operators_rules_are_the_same():
    for_operator = yaml.safe_load((MONITORING / "prometheus-rule.yaml").read_text())
    assert for_operator["spec"] == yaml.safe_load((MONITORING / "alerts.yaml").read_text())


def test_every_alert_has_a_runbook():
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs" / "operations.md").read_text(), re.M)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for rule in alerts():
        path, anchor = rule["annotations"]["runbook_url"].split("#")
        assert path == "docs/operations.md" and anchor == rule["alert"].lower() and anchor in anchors, rule["alert"]


def test_every_metric_that_is_named_is_served(served):
    names = set(re.findall(r"^(quant_\w+)", served, re.M))
    queries = [query for _, query in dashboard_queries()] + [rule["expr"] for rule in alerts()]
    asked = set().union(*map(metrics_of, queries))
    assert asked - names <= AT_A_REFUSAL


def test_every_metric_that_is_served_is_documented(served):
    documented = (ROOT / "docs" / "operations.md").read_text()
    for name in set(re.findall(r"^# TYPE (quant_\w+)", served, re.M)):
        assert f"`{name}`" in documented, name


def test_prometheus_scrapes_quantd_and_every_panel_shows_something(prometheus):
    [target] = prometheus("targets")["activeTargets"]
    assert target["health"] == "up" and target["lastError"] == ""
    for panel, query in dashboard_queries():
        shown = prometheus("query", query=query)["result"]
        only_failures = re.search(r'code=~|outcome="failed"', query) or metrics_of(query) <= AT_A_REFUSAL
        assert shown or only_failures, (panel, query)


def test_prometheus_loads_the_alerts(prometheus):
    [group] = eventually(lambda: [group for group in prometheus("rules")["groups"] if all(rule["health"] == "ok" for rule in group["rules"])])
    assert [rule["name"] for rule in group["rules"]] == [rule["alert"] for rule in alerts()]
    assert not [rule["name"] for rule in group["rules"] if rule["state"] == "firing"]
