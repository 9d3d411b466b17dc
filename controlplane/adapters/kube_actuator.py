"""Writes replica counts, statuses and Events to a Kubernetes API server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from controlplane.adapters.kube_http import FIELD_MANAGER, Json, KubeError, KubeHttp
from controlplane.adapters.kube_scale import Scales
from controlplane.adapters.kube_writer import ReplicaWriter
from controlplane.domain.decision import Actuation, ActuationResult, Decision, Verdict
from controlplane.domain.manifest import API_VERSION, KIND
from controlplane.domain.ports import Clock, ClusterUnavailable, TargetProblem
from controlplane.domain.target import Target, Variant

EVENT_REASONS = {Verdict.UP: "ScaledUp", Verdict.DOWN: "ScaledDown"}


class KubernetesActuator:
    """`Actuator` over an API server. Nothing is retried here: the next tick decides afresh."""

    def __init__(self, http: KubeHttp, clock: Clock) -> None:
        self._http = http
        self._clock = clock
        self._replicas = ReplicaWriter(http, Scales(http))
        self._events = 0

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

    async def report(
        self, target: Target, decision: Decision, message: str, attainment: float | None, ready: int
    ) -> None:
        """Write status and, where something moved, an Event; a cluster that is away is told at the next tick."""
        status = _status(target, decision, message, attainment, ready, _rfc3339(self._clock.now_s()))
        try:
            await self._apply_status(target.namespace, target.name, status)
            if decision.verdict in EVENT_REASONS:
                await self._event(target, EVENT_REASONS[decision.verdict], message, "Normal")
        except (KubeError, ClusterUnavailable):
            return

    async def report_problem(self, problem: TargetProblem) -> None:
        """Write to a resource's conditions that it cannot be used, naming the field."""
        message = f"{problem.field}: {problem.message}"
        now = _rfc3339(self._clock.now_s())
        condition = _condition("Ready", False, "InvalidSpec", message, now)
        try:
            await self._apply_status(problem.namespace, problem.name, {"reason": message, "conditions": [condition]})
        except (KubeError, ClusterUnavailable):
            return

    async def _apply_status(self, namespace: str, name: str, status: Json) -> None:
        """Server-side apply: the status is ours, and what is said no longer goes."""
        path = f"/apis/{API_VERSION}/namespaces/{namespace}/inferenceautoscalers/{name}/status"
        said = {key: value for key, value in status.items() if value is not None}
        head = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name, "namespace": namespace}}
        await self._http.apply(path, {**head, "status": said})

    async def _event(self, target: Target, reason: str, message: str, kind: str) -> None:
        now_s = self._clock.now_s()
        self._events += 1
        name = f"{target.name}.{int(now_s * 1e3):x}{self._events:x}"
        reference = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "namespace": target.namespace,
            "name": target.name,
            "uid": target.uid,
        }
        event: Json = {
            "metadata": {"name": name, "namespace": target.namespace},
            "involvedObject": reference,
            "reason": reason,
            "message": message[:1024],  # the API server's limit
            "type": kind,
            "source": {"component": FIELD_MANAGER},
            "firstTimestamp": _rfc3339(now_s),
            "lastTimestamp": _rfc3339(now_s),
            "count": 1,
        }
        await self._http.post(f"/api/v1/namespaces/{target.namespace}/events", event)


def _status(target: Target, decision: Decision, message: str, attainment: float | None, ready: int, now: str) -> Json:
    seeing = decision.verdict is not Verdict.ABSTAIN
    return {
        "observedGeneration": target.generation,
        "mode": target.policy.mode.value,
        "verdict": decision.verdict.value,
        "reason": message,
        "ready": ready,
        "desired": sum(decision.desired.values()),
        "attainment": None if attainment is None else f"{attainment:.1%}",
        "lastTickTime": now,
        "conditions": [
            _condition("Ready", True, "Planned", "the resource is valid and planned", now),
            _condition("MetricsHealthy", seeing, "Observed" if seeing else "Abstained", message, now),
        ],
    }


def _condition(kind: str, holds: bool, reason: str, message: str, now: str) -> Json:
    status = "True" if holds else "False"
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": now}


def _rfc3339(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Applied:
    """One call of `FakeActuator.apply`."""

    target: str
    variant: str
    replicas_from: int
    replicas_to: int
    resource_version: str | None
    idlest_first: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reported:
    """One call of `FakeActuator.report`."""

    target: str
    decision: Decision
    message: str
    attainment: float | None
    ready: int


class FakeActuator:
    """`Actuator` that keeps what it was asked, and answers with `result`."""

    def __init__(self, result: ActuationResult = ActuationResult.APPLIED) -> None:
        self.result = result
        self.applied: list[Applied] = []
        self.reports: list[Reported] = []
        self.problems: list[TargetProblem] = []

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

    async def report(
        self, target: Target, decision: Decision, message: str, attainment: float | None, ready: int
    ) -> None:
        """As `KubernetesActuator.report`."""
        self.reports.append(Reported(target.key, decision, message, attainment, ready))

    async def report_problem(self, problem: TargetProblem) -> None:
        """As `KubernetesActuator.report_problem`."""
        self.problems.append(problem)
