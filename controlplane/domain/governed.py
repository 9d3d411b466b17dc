"""Policies of the API as the controller goes by them: which version decides where, and which run beside it.

A version is handed to the reader of the cluster as the custom resource that it stands for, so that everything behind
that treats it like one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from controlplane.domain.decision import Decision, Plan, Tick, Verdict
from controlplane.domain.policy_life import Canary, Stage
from controlplane.domain.policy_spec import Json, manifest
from controlplane.domain.target import Mode, Target, Variant

LAST_OF_ALL = "9999-12-31T23:59:59Z"
"""Creation time of a policy's manifest: of two that name one object the oldest resource keeps it, so a custom resource
always wins over a policy."""


@dataclass(frozen=True, slots=True)
class Governed:
    """A version in Shadow, Canary or Live."""

    version_id: str
    policy_id: str
    name: str
    number: int
    stage: Stage
    namespaces: tuple[str, ...]
    spec: Json
    canary: Canary | None = None

    def manifest(self, namespace: str, seen_only: bool = False) -> dict[str, Any]:
        """The custom resource in that namespace; `seen_only`: in mode Shadow, whatever it says."""
        spec = {**self.spec, "mode": Mode.SHADOW.value} if seen_only else self.spec
        made = manifest(self.name, namespace, spec, self.version_id, self.number)
        made["metadata"]["creationTimestamp"] = LAST_OF_ALL
        return made


@dataclass(frozen=True, slots=True)
class PolicyManifests:
    """Custom resources that policies stand for: those that decide, and those that run beside them."""

    deciding: tuple[dict[str, Any], ...] = ()
    beside: tuple[dict[str, Any], ...] = ()


def manifests(known: Iterable[Governed], now_s: float) -> PolicyManifests:
    """What the cluster is to be read for at a time.

    In each namespace of a policy its Live version decides, or a Canary of that namespace. Where no version is Live, the
    newest one in Shadow is the target, in mode Shadow: so a first version is seen deciding before it does.
    """
    deciding: list[dict[str, Any]] = []
    beside: list[dict[str, Any]] = []
    policies: dict[str, list[Governed]] = {}
    for one in known:
        policies.setdefault(one.policy_id, []).append(one)
    for versions in policies.values():
        for namespace in versions[0].namespaces:
            first = _first(versions, namespace, now_s)
            if first is None:
                continue
            deciding.append(first.manifest(namespace, first.stage is Stage.SHADOW))
            beside += [one.manifest(namespace) for one in versions if one is not first]
    return PolicyManifests(tuple(deciding), tuple(beside))


def _first(versions: Sequence[Governed], namespace: str, now_s: float) -> Governed | None:
    """The version that decides in a namespace."""
    by_stage = {one.stage: one for one in sorted(versions, key=lambda one: one.number)}
    canary = by_stage.get(Stage.CANARY)
    scope = None if canary is None else canary.canary
    if scope is not None and scope.namespaces and scope.holds(namespace, now_s):
        return canary
    return by_stage.get(Stage.LIVE) or by_stage.get(Stage.SHADOW)


def trial_of(known: Iterable[Governed], target: Target, now_s: float) -> Governed | None:
    """The Canary that decides for some variants of a target now; None where there is none, or where the target is not
    the policy's own."""
    versions = list(known)
    decider = next((one for one in versions if one.version_id == target.policy_version), None)
    if decider is None:
        return None
    for one in versions:
        scope = one.canary if one.policy_id == decider.policy_id and one.stage is Stage.CANARY else None
        if scope is not None and scope.variants and scope.holds(target.namespace, now_s):
            return one
    return None


def pinned(candidate: Target, live: Target, scope: Sequence[str], desired: Mapping[str, int]) -> Target:
    """The candidate where it decides for the variants of `scope` alone: the others are as the Live version has decided,
    and what people said of the target holds for the candidate too."""
    variants = tuple(v if v.name in scope else _held(v, desired.get(v.name)) for v in candidate.variants)
    overrides = tuple(dict.fromkeys((*live.policy.overrides, *candidate.policy.overrides)))
    return replace(candidate, variants=variants, policy=replace(candidate.policy, overrides=overrides))


def _held(variant: Variant, replicas: int | None) -> Variant:
    return variant if replicas is None else replace(variant, min_replicas=replicas, max_replicas=replicas)


@dataclass(frozen=True, slots=True)
class ShadowTick:
    """What a version would have decided beside a tick. `usd_per_hour` is of the replicas that it would want."""

    version_id: str
    target: str
    at_s: float
    tick_id: str
    verdict: Verdict
    reason: str
    desired: dict[str, int]
    usd_per_hour: float
    planned_requests_per_s: float | None
    live_desired: dict[str, int] = field(default_factory=dict)
    feasible: bool = True


def shadow_tick(candidate: Target, plan: Plan, decision: Decision, live: Tick) -> ShadowTick:
    """The row of a candidate's decision beside the tick that was carried out."""
    assert candidate.policy_version is not None
    prices = {variant.name: variant.usd_per_replica_hour for variant in candidate.variants}
    return ShadowTick(
        version_id=candidate.policy_version,
        target=candidate.key,
        at_s=live.at_s,
        tick_id=live.id,
        verdict=decision.verdict,
        reason=decision.reason,
        desired=dict(decision.desired),
        usd_per_hour=sum(prices.get(name, 0.0) * count for name, count in decision.desired.items()),
        planned_requests_per_s=plan.demand.requests_per_s if plan.demand else None,
        live_desired=dict(live.decision.desired),
        feasible=plan.feasible,
    )
