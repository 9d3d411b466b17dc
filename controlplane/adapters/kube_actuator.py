"""Writes replica counts to a Kubernetes API server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from controlplane.adapters.kube_http import Json, KubeError, KubeHttp
from controlplane.adapters.kube_objects import scale_path
from controlplane.domain.decision import Actuation, ActuationResult
from controlplane.domain.ports import ClusterUnavailable
from controlplane.domain.target import Target, Variant

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
"""A ReplicaSet deletes the pods with the lowest cost first (Kubernetes 1.22 and later); no annotation counts as 0."""


class KubernetesActuator:
    """`Actuator` over an API server. Nothing is retried here: the next tick decides afresh."""

    def __init__(self, http: KubeHttp) -> None:
        self._http = http

    async def apply(
        self,
        target: Target,
        variant: Variant,
        replicas_from: int,
        replicas_to: int,
        resource_version: str | None,
        idlest_first: Sequence[str] = (),
    ) -> Actuation:
        """PATCH the scale of `variant`; see `Actuator`."""
        body: Json = {"spec": {"replicas": replicas_to}}
        if resource_version is not None:
            body["metadata"] = {"resourceVersion": resource_version}
        try:
            unmarked = await self._mark(target.namespace, idlest_first)
            await self._http.merge_patch(scale_path(target.namespace, variant.ref), body)
        except KubeError as error:
            result = ActuationResult.CONFLICT if error.status == 409 else ActuationResult.FAILED
            return Actuation(variant.name, replicas_from, replicas_to, result, str(error))
        except ClusterUnavailable as error:
            return Actuation(variant.name, replicas_from, replicas_to, ActuationResult.FAILED, str(error))
        return Actuation(variant.name, replicas_from, replicas_to, ActuationResult.APPLIED, unmarked)

    async def _mark(self, namespace: str, pods: Sequence[str]) -> str:
        """Mark pods to be deleted first, in order; returns what could not be marked, in words."""
        marks = [self._mark_one(namespace, pod, rank - len(pods)) for rank, pod in enumerate(pods)]
        refused = [word for word in await asyncio.gather(*marks) if word]
        return f"not marked to go first: {', '.join(refused)}" if refused else ""

    async def _mark_one(self, namespace: str, pod: str, cost: int) -> str:
        body: Json = {"metadata": {"annotations": {DELETION_COST: str(cost)}}}
        try:
            await self._http.merge_patch(f"/api/v1/namespaces/{namespace}/pods/{pod}", body)
        except KubeError as error:
            return f"{pod} ({error.reason})"
        return ""


@dataclass(frozen=True, slots=True)
class Applied:
    """One call of `FakeActuator.apply`."""

    target: str
    variant: str
    replicas_from: int
    replicas_to: int
    resource_version: str | None
    idlest_first: tuple[str, ...]


class FakeActuator:
    """`Actuator` that keeps what it was asked, and answers with `result`."""

    def __init__(self, result: ActuationResult = ActuationResult.APPLIED) -> None:
        self.result = result
        self.applied: list[Applied] = []

    async def apply(
        self,
        target: Target,
        variant: Variant,
        replicas_from: int,
        replicas_to: int,
        resource_version: str | None,
        idlest_first: Sequence[str] = (),
    ) -> Actuation:
        """As `KubernetesActuator.apply`."""
        call = Applied(target.key, variant.name, replicas_from, replicas_to, resource_version, tuple(idlest_first))
        self.applied.append(call)
        return Actuation(variant.name, replicas_from, replicas_to, self.result)
