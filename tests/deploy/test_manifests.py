"""The Kubernetes manifests: Kubernetes' own schemas, and the rules that every overlay keeps."""
import copy
import re

import kubernetes_validate
import pytest
import yaml

import custom_resources

# The oldest version whose features the manifests use is 1.29; the newest that there are schemas of.
KUBERNETES_VERSIONS = ("1.29.0", kubernetes_validate.latest_version())
# Made by whoever installs: docs/operations.md says how.
SECRETS_OF_THE_INSTALLATION = {"quantd-database", "quantd-objects"}
DRAIN_SECONDS = 5  # docs/operations.md: what calls that run get at SIGTERM


def is_custom(thing):
    return thing["apiVersion"].split("/")[0].count(".") >= 1 and not re.search(r"(^|\.)k8s\.io/", thing["apiVersion"])


def with_references(value, key):
    """Every value of `key` anywhere in a tree."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == key:
                yield inner
            yield from with_references(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from with_references(inner, key)


def strings(value):
    if isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
    elif isinstance(value, str):
        yield value


def selects(selector, labels):
    selector = selector if "matchLabels" in selector or "matchExpressions" in selector else {"matchLabels": selector}
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        labels.get(rule["key"]) in rule["values"] for rule in selector.get("matchExpressions", []))


def test_the_base_renders(render):
    assert "kind: Deployment" in render("base")


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
def test_kubernetes_takes_it(overlay, version):
    for thing in overlay.objects:
        if not is_custom(thing):
            kubernetes_validate.validate(thing, version, strict=True)


def test_custom_resources_have_the_form_that_their_operators_document(overlay):
    for thing in overlay.objects:
        if is_custom(thing):
            custom_resources.validate(thing)
    for thing in overlay.of_kind("ScaledJob"):
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "worker"}, "spec": thing["spec"]["jobTargetRef"]}
        kubernetes_validate.validate(job, kubernetes_validate.latest_version(), strict=True)


def test_every_object_is_in_the_namespace_that_refuses_privileges(overlay):
    [namespace] = overlay.of_kind("Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for thing in overlay.objects:
        assert thing["kind"] == "Namespace" or thing["metadata"]["namespace"] == namespace["metadata"]["name"]


def test_pods_have_no_privileges(overlay):
    for name, pod in overlay.pods():
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["enableServiceLinks"] is False, name
        assert not any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")), name
        assert not any("hostPath" in volume for volume in spec["volumes"]), name
        context = spec["securityContext"]
        assert context["runAsNonRoot"] is True and context["runAsUser"] > 0 and context["runAsGroup"] > 0, name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in spec["containers"]:
            assert container["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                                    "capabilities": {"drop": ["ALL"]}}, name
            assert not any("hostPort" in port for port in container.get("ports", [])), name


def test_containers_have_bounds(overlay):
    for container in overlay.containers():
        assert {"cpu", "memory", "ephemeral-storage"} <= container["resources"]["limits"].keys(), container["name"]
        assert {"cpu", "memory", "ephemeral-storage"} <= container["resources"]["requests"].keys(), container["name"]
    for name, pod in overlay.pods():
        for volume in pod["spec"]["volumes"]:
            assert "emptyDir" not in volume or "sizeLimit" in volume["emptyDir"], name


def test_images_are_pinned(overlay):
    for container in overlay.containers():
        assert re.fullmatch(r"\S+/quantd(-cuda)?:\d+\.\d+\.\d+", container["image"]), container["image"]


def test_what_listens_is_probed_by_grpc_on_the_port_for_health(overlay):
    for container in overlay.containers():
        ports = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
        if not ports:
            continue
        settings = overlay.settings(container)
        for name, setting in (("grpc", "QUANTD_LISTEN"), ("metrics", "QUANTD_METRICS_LISTEN"), ("health", "QUANTD_HEALTH_LISTEN")):
            assert settings[setting] == f"0.0.0.0:{ports[name]}"
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[probe]["grpc"] == {"port": ports["health"]}


def test_pods_have_the_time_to_drain(overlay):
    for name, pod in overlay.pods():
        for container in pod["spec"]["containers"]:
            hook = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
            assert hook[0] == "sleep"
            assert pod["spec"]["terminationGracePeriodSeconds"] > int(hook[1]) + DRAIN_SECONDS + 10, name


def test_what_is_written_has_a_volume(overlay):
    for container in overlay.containers():
        mounts = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
        assert "/tmp" in mounts
        if data := overlay.settings(container).get("QUANTD_DATA_DIR"):
            assert data in mounts


def test_no_secret_is_in_plain_text(overlay):
    assert not overlay.of_kind("Secret")
    for container in overlay.containers():
        for entry in container.get("env", []):
            if re.search(r"PASSWORD|SECRET|TOKEN|ACCESS_KEY", entry["name"]):
                assert "secretKeyRef" in entry["valueFrom"], entry["name"]
    for thing in overlay.objects:
        for text in strings(thing):
            assert not re.search(r"-----BEGIN|://[^/\s:@]+:[^/\s@]+@|AKIA[0-9A-Z]{16}|password=", text), text


def test_what_is_named_exists(overlay):
    certificates = {thing["spec"]["secretName"] for thing in overlay.of_kind("Certificate")}
    for name, pod in overlay.pods():
        assert pod["spec"]["serviceAccountName"] in overlay.names("ServiceAccount"), name
        for reference in list(with_references(pod, "configMapRef")) + list(with_references(pod, "configMap")):
            assert reference["name"] in overlay.names("ConfigMap"), (name, reference)
        for claim in with_references(pod, "persistentVolumeClaim"):
            assert claim["claimName"] in overlay.names("PersistentVolumeClaim"), name
        for reference in list(with_references(pod, "secretRef")) + list(with_references(pod, "secretKeyRef")):
            assert reference["name"] in SECRETS_OF_THE_INSTALLATION, (name, reference)
        for reference in with_references(pod, "secret"):
            assert reference["secretName"] in SECRETS_OF_THE_INSTALLATION | certificates, (name, reference)
    for scaler in overlay.of_kind("HorizontalPodAutoscaler"):
        assert scaler["spec"]["scaleTargetRef"]["name"] in overlay.names("Deployment")
    for certificate in overlay.of_kind("Certificate"):
        assert certificate["spec"]["issuerRef"]["name"] in overlay.names("Issuer")


def test_every_selector_selects_a_pod(overlay):
    labels = [pod["metadata"]["labels"] for _, pod in overlay.pods()]
    for thing in overlay.of_kind("Service", "PodDisruptionBudget"):
        selector = copy.copy(thing["spec"]["selector"])
        assert any(selects(selector, pod) for pod in labels), thing["metadata"]["name"]
    services = [thing["metadata"]["labels"] for thing in overlay.of_kind("Service")]
    for monitor in overlay.of_kind("ServiceMonitor"):
        assert sum(selects(monitor["spec"]["selector"], service) for service in services) == 1


def test_a_headless_service_lets_clients_balance(overlay):
    headless = [service for service in overlay.of_kind("Service") if service["spec"].get("clusterIP") == "None"]
    assert [service["metadata"]["name"] for service in headless] == ["quantd-headless"]


def test_replicas_are_spread_and_kept(overlay):
    if overlay.name == "single-node":
        return
    assert "quantd" in overlay.names("PodDisruptionBudget") and "quantd" in overlay.names("HorizontalPodAutoscaler")
    [server] = [pod for name, pod in overlay.pods() if name == "quantd"]
    keys = {spread["topologyKey"] for spread in server["spec"]["topologySpreadConstraints"]}
    assert keys == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}


def reachable(overlay, labels):
    """(where to, ports) of what the policies let pods with these labels reach."""
    for policy in overlay.of_kind("NetworkPolicy"):
        if not selects(policy["spec"]["podSelector"], labels) or policy["metadata"]["name"] == "deny-all":
            continue
        for rule in policy["spec"].get("egress", []):
            for peer in rule["to"]:
                yield policy["metadata"]["name"], peer, {port["port"] for port in rule["ports"]}


def test_nothing_is_reached_but_what_a_policy_names(overlay):
    [everything] = [policy for policy in overlay.of_kind("NetworkPolicy") if policy["metadata"]["name"] == "deny-all"]
    assert everything["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_workers_reach_quantd_the_store_and_dns_only(overlay):
    for name, pod in overlay.pods():
        if name != "quantd-worker":
            continue
        places = {policy: ports for policy, _, ports in reachable(overlay, pod["metadata"]["labels"])}
        assert places == {"dns": {53}, "quantd-worker": {7600}, "objects": {443}}
    for policy in overlay.of_kind("NetworkPolicy"):
        for rule in policy["spec"].get("egress", []):
            for peer in rule["to"]:
                if "ipBlock" in peer:
                    assert "169.254.0.0/16" in peer["ipBlock"]["except"], "a node's own credentials"


def test_scaling_down_never_stops_a_job_with_keda(render):
    objects = list(yaml.safe_load_all(render("overlays/keda")))
    assert not [thing for thing in objects if thing["kind"] == "Deployment" and thing["metadata"]["name"] == "quantd-worker"]
    [jobs] = [thing for thing in objects if thing["kind"] == "ScaledJob"]
    [container] = jobs["spec"]["jobTargetRef"]["template"]["spec"]["containers"]
    assert "--once" in container["args"]
    assert jobs["spec"]["rollout"]["strategy"] == "gradual", "the default stops running jobs when the manifest changes"
    assert jobs["spec"]["minReplicaCount"] == 1, "models are inspected by workers"


def test_gpu_workers_get_a_gpu_and_go_where_there_is_one(render):
    objects = list(yaml.safe_load_all(render("overlays/gpu")))
    [worker] = [thing for thing in objects if thing["kind"] == "Deployment" and thing["metadata"]["name"] == "quantd-worker"]
    spec = worker["spec"]["template"]["spec"]
    [container] = spec["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert container["image"].startswith("localhost/quantd-cuda:")
    assert spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert any(toleration["key"] == "nvidia.com/gpu" for toleration in spec["tolerations"])
