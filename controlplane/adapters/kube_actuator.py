"""Writes replica counts to a Kubernetes API server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from controlplane.adapters.kube_http import KubeHttp
from controlplane.adapters.kube_scale import Scales
from controlplane.adapters.kube_writer import ReplicaWriter
from controlplane.domain.decision import Actuation, ActuationResult
from controlplane.domain.target import ScaleTargetRef, Target, Variant


class KubernetesActuator:
    """`Actuator` over an API server. Nothing is retried here: the next tick decides afresh."""

    def __init__(self, http: KubeHttp) -> None:
        self._replicas = ReplicaWriter(http, Scales(http))

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
        return await self._replicas.apply(
            target.namespace, variant, replicas_from, replicas_to, resource_version, idlest_first
        )

    def last_applied(self, namespace: str, ref: ScaleTargetRef) -> int | None:
        """The count that we set an object to last; None where we never did."""
        return self._replicas.last_applied(namespace, ref)


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
