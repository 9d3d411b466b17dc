"""Who wrote an object's replica count, from `metadata.managedFields`, and which GitOps tool it belongs to.

Two gaps of the API server: a write through `/scale` leaves its entry without a time (or with the manager's earlier
one), and one on a custom resource is not noted at all (kubernetes/kubernetes#131892).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum

from controlplane.adapters.kube_json import Json, at, labels, mapping, notes, objects, text, unix_s

OURS = "tidegate"
REPLICAS_PATH = ("f:spec", "f:replicas")
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
TRACKED_KINDS = frozenset({"Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"})
"""Kinds on which the API server notes who wrote through `/scale`."""


class ManagerKind(StrEnum):
    """What sort of writer a field manager is."""

    OURS = "Ours"
    PERSON = "Person"
    HPA = "Hpa"
    KEDA = "Keda"
    GITOPS = "GitOps"
    OTHER = "Other"


PEOPLE = ("kubectl", "oc", "k9s", "lens", "openlens", "freelens", "headlamp", "dashboard", "mozilla", "rancher-ui")
"""Beginnings of managers that a person's tool writes as: `kubectl` with subresource scale is `kubectl scale`; Mozilla
is a web console, which the API server calls by its user agent."""
HPA_MANAGERS = ("kube-controller-manager", "horizontal-pod-autoscaler")
KEDA_MANAGERS = ("keda",)
TOOLS = (
    ("argocd", "Argo CD"),
    ("argo-cd", "Argo CD"),
    ("kustomize-controller", "Flux"),
    ("helm-controller", "Flux"),
    ("flux", "Flux"),
    ("helm", "Helm"),
    ("fleetagent", "Fleet"),
    ("fleet-agent", "Fleet"),
    ("configsync", "Config Sync"),
    ("kapp", "kapp"),
    ("terraform", "Terraform"),
    ("pulumi", "Pulumi"),
)
"""Beginnings of managers that tools write as which keep an object as its manifest says, and the tools' names."""


@dataclass(frozen=True, slots=True)
class Owner:
    """One entry of managedFields that holds the replica count."""

    manager: str
    operation: str = "Update"
    subresource: str = ""
    at_s: float | None = None

    @property
    def kind(self) -> ManagerKind:
        """What sort of writer this is. The controller manager holds many controllers; the HPA's writes through
        `/scale`."""
        if self.manager == "kube-controller-manager" and self.subresource != "scale":
            return ManagerKind.OTHER
        return kind_of_manager(self.manager)

    @property
    def is_applied(self) -> bool:
        """Whether the field is in a manifest that is applied server-side: it will be again."""
        return self.operation == "Apply"


def owners_of(workload: Json, path: tuple[str, ...] = REPLICAS_PATH) -> tuple[Owner, ...]:
    """The managers of the replica count, the newest first; entries without a time, which `/scale` writes, come before
    those with one."""
    entries = [e for e in objects(at(workload, "metadata", "managedFields")) if at(e, "fieldsV1", *path) is not None]
    owners = [
        Owner(
            text(entry.get("manager")),
            text(entry.get("operation")),
            text(entry.get("subresource")),
            unix_s(entry.get("time")),
        )
        for entry in entries
    ]
    return tuple(sorted(owners, key=lambda owner: -(owner.at_s if owner.at_s is not None else float("inf"))))


def kind_of_manager(manager: str) -> ManagerKind:
    """What sort of writer a field manager's name says."""
    name = manager.lower()
    if name == OURS or name.startswith(f"{OURS}-"):
        return ManagerKind.OURS
    if name in HPA_MANAGERS:
        return ManagerKind.HPA
    if name.startswith(KEDA_MANAGERS):
        return ManagerKind.KEDA
    if tool_of_manager(manager):
        return ManagerKind.GITOPS
    if name.startswith(tuple(f"{person}-" for person in PEOPLE)) or name in PEOPLE:
        return ManagerKind.PERSON
    return ManagerKind.OTHER


def tool_of_manager(manager: str) -> str:
    """The GitOps tool that a manager's name says, empty for another sort of writer."""
    return next((tool for start, tool in TOOLS if manager.lower().startswith(start)), "")


def gitops_name(workload: Json, manager: str) -> str:
    """What to look for in the tool: `Argo CD application chat`, `Flux HelmRelease apps/chat`; the manager's own name
    where neither label nor annotation says more."""
    said = {**labels(workload), **notes(workload)}
    tool = tool_of_manager(manager)
    tracked = said.get("argocd.argoproj.io/tracking-id", "").partition(":")[0]
    application = tracked or said.get("argocd.argoproj.io/instance")
    if tool == "Argo CD":
        application = application or said.get("app.kubernetes.io/instance")
        return f"Argo CD application {application}" if application else f"Argo CD ({manager})"
    for flux, kind in (("kustomize", "Kustomization"), ("helm", "HelmRelease")):
        name = said.get(f"{flux}.toolkit.fluxcd.io/name")
        if name and tool in ("Flux", ""):
            return f"Flux {kind} {said.get(f'{flux}.toolkit.fluxcd.io/namespace', 'flux-system')}/{name}"
    if (release := said.get("meta.helm.sh/release-name")) and tool in ("Helm", ""):
        return f"Helm release {release}"
    return f"{tool} ({manager})" if tool else manager


def remedy(manager: str) -> str:
    """What stops a GitOps tool from putting the replica count back, in words."""
    if tool_of_manager(manager) == "Argo CD":
        return (
            "add /spec/replicas to the application's ignoreDifferences with RespectIgnoreDifferences=true, "
            "or remove spec.replicas from the manifest"
        )
    return "remove spec.replicas from the manifest"


def manifest_has_replicas(workload: Json) -> bool:
    """Whether the manifest that was applied last (client-side) sets the replica count."""
    try:
        manifest = json.loads(notes(workload).get(LAST_APPLIED, "{}"))
    except (ValueError, RecursionError):
        return False
    return "replicas" in mapping(at(manifest, "spec"))
