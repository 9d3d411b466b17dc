"""The replica count of any object: through `/scale` where it has one, through an adapter of its own elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from controlplane.adapters.clock import monotonic_s
from controlplane.adapters.kube_discovery import ApiResource, Discovery, KindUnknown
from controlplane.adapters.kube_http import Json, KubeError, KubeHttp
from controlplane.adapters.kube_limits import Priority
from controlplane.domain.target import ScaleTargetRef

CHOOSES_PODS = frozenset({"Deployment", "ReplicaSet"})
"""Kinds whose pods a ReplicaSet deletes, and so by pod-deletion-cost. A StatefulSet or a LeaderWorkerSet deletes its
highest ordinals whatever the cost is."""
RAY_GROUPS = {"RayCluster": ("spec",), "RayService": ("spec", "rayClusterConfig")}
"""Where `workerGroupSpecs` is in KubeRay's kinds; a worker group has no `/scale`."""
RAY_API = "ray.io/"


class NotScalable(Exception):
    """An object whose replica count cannot be set: `field` says what is wrong with it, below the object."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Scale:
    """What an object wants now, of which version, and the label selector of its pods (empty: it does not say)."""

    replicas: int
    resource_version: str
    selector: str


class Scaler(Protocol):
    """Reads and sets one object's replica count."""

    @property
    def resource(self) -> ApiResource:
        """The object's resource."""
        ...

    @property
    def name(self) -> str:
        """The object's own name."""
        ...

    def of(self, body: Json) -> Scale | None:
        """The scale that the whole object tells; None where only a request can tell.

        Raises:
            NotScalable: if the object has no such count.
        """
        ...

    async def read(self, priority: Priority = Priority.READ) -> Scale:
        """Ask for it; raises what `KubeHttp` does, and NotScalable."""
        ...

    async def write(self, replicas: int, seen: Scale) -> None:
        """Set the count of the object as it was seen.

        Raises:
            KubeError: 409 if it has changed since; other statuses if it is refused.
            ClusterUnavailable: if it is not known whether it was set.
        """
        ...


@dataclass(frozen=True, slots=True)
class SubresourceScaler:
    """Through `/scale`: Deployment, StatefulSet, LeaderWorkerSet, and any custom resource that has it."""

    http: KubeHttp
    resource: ApiResource
    namespace: str
    name: str

    def of(self, body: Json) -> Scale | None:
        """Built-in kinds say all; of a custom kind the paths are in its definition, which need not be readable."""
        if self.resource.base != "/apis/apps/v1":
            return None
        spec = body.get("spec") or {}
        selector = ",".join(_terms(spec.get("selector") or {}))
        return Scale(int(spec.get("replicas", 1)), str(body["metadata"]["resourceVersion"]), selector)

    async def read(self, priority: Priority = Priority.READ) -> Scale:
        """GET of `/scale`."""
        scale = await self.http.get(self._path, priority=priority)
        replicas = int((scale.get("spec") or {}).get("replicas") or 0)
        selector = str((scale.get("status") or {}).get("selector") or "")
        return Scale(replicas, str(scale["metadata"]["resourceVersion"]), selector)

    async def write(self, replicas: int, seen: Scale) -> None:
        """A merge patch, which every `/scale` takes; the parent's managedFields say `tidegate`, subresource scale."""
        body = {"metadata": {"resourceVersion": seen.resource_version}, "spec": {"replicas": replicas}}
        await self.http.merge_patch(self._path, body, Priority.SCALE)

    @property
    def _path(self) -> str:
        return f"{self.resource.path(self.namespace, self.name)}/scale"


@dataclass(frozen=True, slots=True)
class RayGroupScaler:
    """One worker group of a RayCluster, or of a RayService through its cluster's configuration."""

    http: KubeHttp
    resource: ApiResource
    namespace: str
    name: str
    group: str

    def of(self, body: Json) -> Scale | None:
        """KubeRay's labels find the pods; a RayService's cluster has a name of its own, which its status tells."""
        group = self._group(body)[1]
        cluster = self.name
        if self.resource.kind == "RayService":
            active = (body.get("status") or {}).get("activeServiceStatus") or {}
            cluster = str(active.get("rayClusterName") or "")
        selector = f"ray.io/cluster={cluster},ray.io/group={self.group}" if cluster else ""
        # KubeRay's default where the count is left out is the group's minimum.
        replicas = group.get("replicas", group.get("minReplicas", 0))
        return Scale(int(replicas or 0), str(body["metadata"]["resourceVersion"]), selector)

    async def read(self, priority: Priority = Priority.READ) -> Scale:
        """GET of the whole object."""
        scale = self.of(await self.http.get(self._path, priority=priority))
        assert scale is not None
        return scale

    async def write(self, replicas: int, seen: Scale) -> None:
        """A JSON patch that holds only for this version and this group's place; a failed `test` is told as 409."""
        body = await self.http.get(self._path, priority=Priority.SCALE)
        place, group = self._group(body)
        self._check_bounds(place, group, replicas)
        parents = "/".join(RAY_GROUPS[self.resource.kind])
        at = f"/{parents}/workerGroupSpecs/{place}"
        operations: list[Json] = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": seen.resource_version},
            {"op": "test", "path": f"{at}/groupName", "value": self.group},
            {"op": "add", "path": f"{at}/replicas", "value": replicas},
        ]
        try:
            await self.http.json_patch(self._path, operations, Priority.SCALE)
        except KubeError as error:
            if error.status == 422 and str(body["metadata"]["resourceVersion"]) != seen.resource_version:
                raise KubeError(409, "Conflict", error.message) from error
            raise

    def _group(self, body: Json) -> tuple[int, Json]:
        spec = body
        for part in RAY_GROUPS[self.resource.kind]:
            spec = spec.get(part) or {}
        field = ".".join(RAY_GROUPS[self.resource.kind])
        if spec.get("enableInTreeAutoscaling"):
            words = "is true; Ray's own autoscaler sets the replicas: turn it off to scale the group from here"
            raise NotScalable(words, f"{field}.enableInTreeAutoscaling")
        groups: list[Json] = spec.get("workerGroupSpecs") or []
        for place, group in enumerate(groups):
            if group.get("groupName") == self.group:
                return place, group
        names = ", ".join(str(group.get("groupName")) for group in groups) or "none"
        raise NotScalable(f"there is no group {self.group!r}; there is {names}", f"{field}.workerGroupSpecs")

    def _check_bounds(self, place: int, group: Json, replicas: int) -> None:
        """KubeRay keeps a group within its own bounds whatever `replicas` says; say so instead of waiting for it."""
        least, most = int(group.get("minReplicas") or 0), group.get("maxReplicas")
        if replicas < least or (most is not None and replicas > int(most)):
            field = f"{'.'.join(RAY_GROUPS[self.resource.kind])}.workerGroupSpecs[{place}]"
            words = f"{replicas} replicas; {field} allows minReplicas {least} to maxReplicas {most}"
            raise KubeError(422, "Invalid", words)

    @property
    def _path(self) -> str:
        return self.resource.path(self.namespace, self.name)


class Scales:
    """Finds the scaler of whatever a `scaleTargetRef` names."""

    def __init__(self, http: KubeHttp, real_s: Callable[[], float] = monotonic_s) -> None:
        self._http = http
        self._discovery = Discovery(http, real_s)

    async def find(self, namespace: str, ref: ScaleTargetRef, priority: Priority = Priority.READ) -> Scaler:
        """The scaler of an object.

        Raises:
            NotScalable: if the cluster serves no such kind, or it has no replica count that can be set.
            KubeError, ClusterUnavailable: if the cluster cannot be asked.
        """
        try:
            resource = await self._discovery.find(ref.api_version, ref.kind, priority)
        except KindUnknown as error:
            raise NotScalable(str(error)) from error
        if ref.api_version.startswith(RAY_API) and ref.kind in RAY_GROUPS:
            return self._ray(namespace, ref, resource)
        if not resource.scalable:
            raise NotScalable(f"{ref.kind} in {ref.api_version} has no /scale subresource")
        return SubresourceScaler(self._http, resource, namespace, ref.name)

    def forget(self, ref: ScaleTargetRef) -> None:
        """Discover its group anew."""
        self._discovery.forget(ref.api_version)

    def _ray(self, namespace: str, ref: ScaleTargetRef, resource: ApiResource) -> RayGroupScaler:
        found = re.fullmatch(r"([^/]+)/([^/]+)", ref.name)
        if found is None:
            words = f"name is {ref.name!r}; allowed for a {ref.kind}: NAME/WORKERGROUP, which has no /scale of its own"
            raise NotScalable(words)
        return RayGroupScaler(self._http, resource, namespace, found[1], found[2])


def _terms(selector: Json) -> list[str]:
    """A LabelSelector object as the terms of its string form."""
    terms = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for expression in selector.get("matchExpressions") or []:
        key, values = expression.get("key"), ",".join(expression.get("values") or ())
        form = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})"}
        form |= {"Exists": f"{key}", "DoesNotExist": f"!{key}"}
        terms.append(form[str(expression.get("operator"))])
    return terms
