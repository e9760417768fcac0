"""What lies in deploy/, as Python sees it."""
from repository import ROOT

DEPLOY = ROOT / "deploy"
OVERLAYS = ("single-node", "team", "gpu", "keda")


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
