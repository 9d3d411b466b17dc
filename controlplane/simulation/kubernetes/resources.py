"""Which resources there are, and how they are called."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
"""A decoded JSON object: this server's currency, as it is a real one's."""

VERBS = ("create", "delete", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Column:
    """One column that `kubectl get` shows; `path` is a simple JSONPath, `wide` shows it with -o wide alone."""

    name: str
    path: str
    kind: str = "string"
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource in one version. `scale` are the paths of replicas, status.replicas and the selector, where it has
    one."""

    group: str
    version: str
    plural: str
    singular: str
    kind: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    has_status: bool = False
    scale: tuple[str, str, str] | None = None
    columns: tuple[Column, ...] = ()
    schema: Json | None = None
    """A custom resource's openAPIV3Schema."""

    @property
    def group_version(self) -> str:
        """`group/version`, or `v1` of the core."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """`plural.group`, as errors have it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def counts_generations(self) -> bool:
        """Whether a change of its spec raises metadata.generation."""
        return self.schema is not None or self.kind in _GENERATIONS

    def api_resources(self) -> list[Json]:
        """Its entries in discovery."""
        names = {"shortNames": list(self.short_names)} if self.short_names else {}
        whole: Json = {
            "name": self.plural,
            "singularName": self.singular,
            "namespaced": self.namespaced,
            "kind": self.kind,
            "verbs": list(VERBS),
            **names,
        }
        found = [whole]
        if self.scale:
            found.append(self._sub("scale", kind="Scale", group="autoscaling", version="v1"))
        if self.has_status:
            found.append(self._sub("status", kind=self.kind))
        return found

    def _sub(self, name: str, **more: str) -> Json:
        return {
            "name": f"{self.plural}/{name}",
            "singularName": "",
            "namespaced": self.namespaced,
            **more,
            "verbs": ["get", "patch", "update"],
        }


_GENERATIONS = ("Deployment", "StatefulSet", "ReplicaSet", "CustomResourceDefinition", "Pod")
_SCALE = (".spec.replicas", ".status.replicas", ".spec.selector")

BUILT_IN: tuple[Resource, ...] = (
    Resource("", "v1", "namespaces", "namespace", "Namespace", namespaced=False, short_names=("ns",)),
    Resource("", "v1", "nodes", "node", "Node", namespaced=False, short_names=("no",), has_status=True),
    Resource("", "v1", "pods", "pod", "Pod", short_names=("po",), has_status=True),
    Resource("", "v1", "events", "event", "Event", short_names=("ev",)),
    Resource("", "v1", "resourcequotas", "resourcequota", "ResourceQuota", short_names=("quota",), has_status=True),
    Resource(
        "apps",
        "v1",
        "deployments",
        "deployment",
        "Deployment",
        short_names=("deploy",),
        has_status=True,
        scale=_SCALE,
    ),
    Resource("apps", "v1", "statefulsets", "statefulset", "StatefulSet", True, ("sts",), True, _SCALE),
    Resource("apps", "v1", "replicasets", "replicaset", "ReplicaSet", True, ("rs",), True, _SCALE),
    Resource(
        "autoscaling",
        "v2",
        "horizontalpodautoscalers",
        "horizontalpodautoscaler",
        "HorizontalPodAutoscaler",
        short_names=("hpa",),
        has_status=True,
    ),
    Resource("coordination.k8s.io", "v1", "leases", "lease", "Lease"),
    Resource(
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "customresourcedefinition",
        "CustomResourceDefinition",
        namespaced=False,
        short_names=("crd", "crds"),
        has_status=True,
    ),
)


def resource_of_crd(crd: Json) -> Resource:
    """What a CustomResourceDefinition defines, in its storage version."""
    spec = crd["spec"]
    version = next(v for v in spec["versions"] if v.get("storage"))
    names, subresources = spec["names"], version.get("subresources", {})
    scale = subresources.get("scale")
    return Resource(
        group=spec["group"],
        version=version["name"],
        plural=names["plural"],
        singular=names.get("singular", names["kind"].lower()),
        kind=names["kind"],
        namespaced=spec["scope"] == "Namespaced",
        short_names=tuple(names.get("shortNames", ())),
        has_status="status" in subresources,
        scale=(scale["specReplicasPath"], scale["statusReplicasPath"], scale.get("labelSelectorPath", ""))
        if scale
        else None,
        columns=tuple(
            Column(c["name"], c["jsonPath"], c["type"], c.get("priority", 0) > 0)
            for c in version.get("additionalPrinterColumns", ())
        ),
        schema=version["schema"]["openAPIV3Schema"],
    )


class Registry:
    """Every resource by group, version and plural; custom ones come and go with their definitions."""

    def __init__(self, resources: Iterable[Resource] = BUILT_IN) -> None:
        self._by_path = {(r.group, r.version, r.plural): r for r in resources}

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """The resource of a path."""
        return self._by_path.get((group, version, plural))

    def add(self, resource: Resource) -> None:
        """Serve one more."""
        self._by_path[resource.group, resource.version, resource.plural] = resource

    def remove(self, resource: Resource) -> None:
        """Serve it no longer."""
        self._by_path.pop((resource.group, resource.version, resource.plural), None)

    def group_versions(self) -> dict[str, set[str]]:
        """Versions by group, without the core."""
        found: dict[str, set[str]] = {}
        for group, version, _ in self._by_path:
            if group:
                found.setdefault(group, set()).add(version)
        return found

    def of(self, group: str, version: str) -> list[Resource]:
        """Resources of one group and version."""
        return [r for r in self._by_path.values() if (r.group, r.version) == (group, version)]


def at_path(body: Json, path: str) -> Any:
    """The value at a simple JSONPath such as `.status.ready` or `.status.conditions[0].reason`; None where it is
    not."""
    value: Any = body
    for part in path.replace("[", ".").replace("]", "").strip(".").split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value
