"""The form of the custom resources that deploy/ uses, after their operators' references: cert-manager v1, Prometheus operator v1, KEDA
v1alpha1. No schema package carries them, so only the fields in use are here, and any other is refused."""
import jsonschema

NAME = {"type": "string", "minLength": 1}
DURATION = {"type": "string", "pattern": r"^\d+[smh]$"}
LABELS = {"type": "object", "additionalProperties": {"type": "string"}}


def fields(required, **optional):
    return {"type": "object", "properties": required | optional, "required": sorted(required), "additionalProperties": False}


def items(schema):
    return {"type": "array", "items": schema, "minItems": 1}


ISSUER = {"oneOf": [fields({"selfSigned": fields({})}), fields({"ca": fields({"secretName": NAME})})]}

CERTIFICATE = fields(
    {"secretName": NAME, "issuerRef": fields({"name": NAME, "kind": {"enum": ["Issuer", "ClusterIssuer"]}})},
    commonName=NAME, dnsNames=items(NAME), isCA={"type": "boolean"}, duration=DURATION, renewBefore=DURATION,
    usages=items({"enum": ["server auth", "client auth"]}),
    privateKey=fields({"algorithm": {"enum": ["RSA", "ECDSA", "Ed25519"]}}, size={"enum": [256, 384, 2048, 4096]},
                      rotationPolicy={"enum": ["Never", "Always"]}))

SERVICE_MONITOR = fields(
    {"selector": fields({"matchLabels": LABELS}), "endpoints": items(fields({"port": NAME}, interval=DURATION))}, jobLabel=NAME)

RULE = fields({"alert": NAME, "expr": NAME, "labels": LABELS, "annotations": LABELS}, **{"for": DURATION})
PROMETHEUS_RULE = fields({"groups": items(fields({"name": NAME, "rules": items(RULE)}))})

COUNT = {"type": "integer", "minimum": 0}
SCALED_JOB = fields(
    {"jobTargetRef": {"type": "object", "required": ["template"]},
     "triggers": items(fields({"type": {"const": "prometheus"},
                               "metadata": fields({"serverAddress": NAME, "query": NAME, "threshold": {"type": "string"}})}))},
    minReplicaCount=COUNT, maxReplicaCount=COUNT, pollingInterval=COUNT, successfulJobsHistoryLimit=COUNT, failedJobsHistoryLimit=COUNT,
    rollout=fields({"strategy": {"enum": ["default", "gradual"]}}),
    scalingStrategy=fields({"strategy": {"enum": ["default", "custom", "accurate", "eager"]}}))

SPECS = {("cert-manager.io/v1", "Issuer"): ISSUER, ("cert-manager.io/v1", "Certificate"): CERTIFICATE,
         ("monitoring.coreos.com/v1", "ServiceMonitor"): SERVICE_MONITOR, ("monitoring.coreos.com/v1", "PrometheusRule"): PROMETHEUS_RULE,
         ("keda.sh/v1alpha1", "ScaledJob"): SCALED_JOB}


def validate(thing):
    jsonschema.validate(thing["spec"], SPECS[thing["apiVersion"], thing["kind"]])
