"""Values for tests: sensible where nothing is said, so that a test names only what it is about."""

from __future__ import annotations

from collections.abc import Mapping

from controlplane.domain.decision import (
    Actuation,
    ActuationResult,
    Alternative,
    Calibration,
    Capacity,
    CapacityBound,
    ColdStart,
    Decision,
    Demand,
    Forecast,
    Memory,
    Plan,
    Recommendation,
    Ruling,
    RulingEffect,
    ScaleEvent,
    TargetInputs,
    Tick,
    Validation,
    Verdict,
)
from controlplane.domain.observation import (
    Fault,
    FaultKind,
    Inventory,
    LatencySummary,
    Load,
    Observation,
    VariantObservation,
)
from controlplane.domain.target import CapacityType, Mode, Policy, Role, ScaleTargetRef, Slo, Target, Variant
from forecasters.types import DEFAULT_LEVELS, QuantileForecast

NOW_S = 1_700_000_040.0
"""A time on the edge of a 60 s bin."""


def make_variant(name: str = "h100", role: Role = Role.BOTH, accelerator: str = "H100", usd: float = 4.0) -> Variant:
    return Variant(
        name=name,
        ref=ScaleTargetRef("apps/v1", "Deployment", f"chat-{name}"),
        role=role,
        accelerator=accelerator,
        gpus_per_replica=1,
        capacity_type=CapacityType.ON_DEMAND,
        usd_per_replica_hour=usd,
        min_replicas=1,
        max_replicas=10,
    )


def make_target(
    name: str = "chat", namespace: str = "default", variants: tuple[Variant, ...] | None = None, mode: Mode = Mode.LIVE
) -> Target:
    return Target(
        namespace=namespace,
        name=name,
        model="llama-3.1-8b",
        variants=variants or (make_variant(), make_variant("l40s", accelerator="L40S", usd=1.9)),
        policy=Policy(mode=mode, slo=Slo(2.0, 0.1)),
    )


def make_load(requests_per_s: float = 8.0, input_tokens: float = 1000.0, output_tokens: float = 200.0) -> Load:
    return Load(requests_per_s, input_tokens, output_tokens, output_tokens * (input_tokens + output_tokens / 2), 0.1)


def make_observation(
    target: Target,
    at_s: float = NOW_S,
    load: Load | None = None,
    ready: int = 2,
    pending: int = 0,
    attainment: float | None = 0.995,
    faults: tuple[Fault, ...] = (),
) -> Observation:
    """Every variant has `ready` replicas that all report."""
    seen = tuple(
        VariantObservation(
            variant=variant.name,
            desired=ready + pending,
            ready=ready,
            pending=pending,
            terminating=0,
            failed=0,
            reporting=ready,
            running=12.0,
            waiting=3.0,
            kv_usage_mean=0.4,
            kv_usage_max=0.5,
            ttft=LatencySummary(40.0, 0.3, 0.25, 0.6, 1.4, 0.995),
            tpot=LatencySummary(40.0, 0.03, 0.028, 0.04, 0.06, 1.0),
        )
        for variant in target.variants
    )
    return Observation(target.key, at_s, 60.0, seen, 1.0, 4.5, load, attainment, faults)


def make_quantiles(at_s: float = NOW_S, level: float = 8.0) -> QuantileForecast:
    row = tuple(level * (0.5 + q) for q in DEFAULT_LEVELS)
    return QuantileForecast(at_s, 60.0, DEFAULT_LEVELS, (row, row, row), row, "smoothing")


def make_forecast(target: str = "default/chat", at_s: float = NOW_S, requests_per_s: float = 8.0) -> Forecast:
    rates = [make_quantiles(at_s, requests_per_s * tokens) for tokens in (1.0, 1000.0, 200.0)]
    return Forecast(target, at_s, 195.0, rates[0], rates[1], rates[2], fitted_at_s=at_s - 30.0)


def _memory(at_s: float, replicas: Mapping[str, int]) -> Memory:
    first = next(iter(replicas))
    return Memory(
        (Recommendation(at_s - 15.0, dict(replicas)),),
        (ScaleEvent(at_s - 120.0, first, 1),),
        {first: Calibration(1.12, 480.0)},
    )


def _plan(target: Target, desired: Mapping[str, int], load: Load | None) -> Plan:
    capacities = tuple(Capacity(v.name, 4.5, CapacityBound.TPOT, 1.12) for v in target.variants)
    usd = sum(v.usd_per_replica_hour * desired[v.name] for v in target.variants)
    demand = None
    if load is not None:
        rate = load.requests_per_s
        demand = Demand(rate * 1.4, rate, 0.3, 1000.0, 200.0, 220_000.0, 0.1, "forecast:smoothing")
    refused = Alternative({name: count + 1 for name, count in desired.items()}, usd + 4.0, "dearer")
    return Plan(target.key, demand, capacities, dict(desired), usd, True, "", (refused,))


def make_tick(
    tick_id: str = "t-1",
    at_s: float = NOW_S,
    target: Target | None = None,
    verdict: Verdict = Verdict.HOLD,
    load: Load | None = make_load(),
    attainment: float | None = 0.995,
    ready: int = 2,
    pending: int = 0,
    desired: Mapping[str, int] | None = None,
    group_tick_id: str | None = None,
    reason: str = "the plan is what runs",
    result: ActuationResult = ActuationResult.APPLIED,
    faults: tuple[Fault, ...] = (Fault(FaultKind.TIMEOUT, "chat-h100-0", detail="no answer in 2 s"),),
    validation: bool = False,
) -> Tick:
    """A tick whose parts fit together; not what the planner would have decided. `desired` other than now: actuated."""
    target = target or make_target()
    current = {variant.name: ready for variant in target.variants}
    wanted = {**current, **(desired or {})}
    observation = make_observation(target, at_s, load, ready, pending, attainment, faults)
    forecast = make_forecast(target.key, at_s, load.requests_per_s) if load else None
    changed = tuple(Actuation(n, current[n], wanted[n], result) for n in current if wanted[n] != current[n])
    return Tick(
        id=tick_id,
        group_tick_id=group_tick_id or f"g-{tick_id}",
        group=target.group,
        at_s=at_s,
        planner_version="1",
        inputs=TargetInputs(
            target=target,
            observation=observation,
            forecast=forecast,
            cold_starts={v.name: ColdStart(160.0, 180.0, 4) for v in target.variants},
            memory=_memory(at_s, current),
        ),
        inventory=Inventory({"H100": 16, "L40S": 32}),
        spool_writable=True,
        plan=_plan(target, wanted, load),
        decision=Decision(
            target.key, verdict, current, wanted, (Ruling("quorum", RulingEffect.PASS, wanted, wanted, reason),), reason
        ),
        validation=Validation(True, "still below the plan", observation) if validation else None,
        actuations=changed,
        duration_s=0.21,
    )
