"""Values for tests: sensible wholes of which a test changes what it is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from controlplane.domain.decision import (
    ColdStart,
    Forecast,
    GroupInputs,
    Memory,
    TargetInputs,
    Tick,
)
from controlplane.domain.observation import Inventory, Load, Observation, VariantObservation
from controlplane.domain.target import CapacityType, Mode, Policy, Role, ScaleTargetRef, Slo, Target, Variant
from controlplane.planning import decide
from forecasters.types import DEFAULT_LEVELS, QuantileForecast

NOW_S = 1_767_600_000.0
PRICES = {"H100": 4.0, "L40S": 1.9, "H200": 5.2, "A100-80": 3.5}


def make_variant(
    name: str = "h100",
    accelerator: str = "H100",
    role: Role = Role.BOTH,
    gpus: int = 1,
    low: int = 0,
    high: int = 10,
    usd: float | None = None,
) -> Variant:
    """One variant; its Deployment is called after it."""
    price = PRICES[accelerator] * gpus if usd is None else usd
    ref = ScaleTargetRef("apps/v1", "Deployment", f"chat-{name}")
    return Variant(name, ref, role, accelerator, gpus, CapacityType.ON_DEMAND, price, low, high)


def make_target(
    variants: tuple[Variant, ...] | None = None,
    policy: Policy | None = None,
    name: str = "chat",
    model: str = "llama-3.1-8b",
) -> Target:
    """A Live 8B chat model on H100 and L40S."""
    policy = policy or Policy(Mode.LIVE, Slo(2.0, 0.1))
    return Target("default", name, model, variants or (make_variant(), make_variant("l40s", "L40S")), policy)


def make_observation(
    target: Target,
    rps: float | None = 5.0,
    counts: Mapping[str, int] | None = None,
    pending: Mapping[str, int] | None = None,
    coverage: float | None = 1.0,
    waiting: float = 0.0,
    at_s: float = NOW_S,
    pending_age_s: float = 30.0,
) -> Observation:
    """What is seen of a healthy fleet; `counts` are Ready replicas by variant, by default one of the first."""
    counts = counts if counts is not None else {target.variants[0].name: 1}
    pending = pending or {}
    variants = tuple(
        VariantObservation(
            variant=v.name,
            desired=counts.get(v.name, 0) + pending.get(v.name, 0),
            ready=counts.get(v.name, 0),
            pending=pending.get(v.name, 0),
            terminating=0,
            failed=0,
            reporting=counts.get(v.name, 0),
            oldest_pending_s=pending_age_s if pending.get(v.name) else None,
            running=1.0 if counts.get(v.name) else None,
            waiting=waiting if v is target.variants[0] and counts.get(v.name) else None,
        )
        for v in target.variants
    )
    load = None if rps is None else Load(rps, 1000.0, 200.0, 250_000.0)
    return Observation(target.key, at_s, 60.0, variants, coverage, 1.0, load, 0.99 if rps else None)


def make_forecast(target: Target, peak: float, at_s: float = NOW_S, spread: float = 0.0) -> Forecast:
    """A forecast whose peak is `peak` at the median, and `spread` more at the highest level."""
    levels = DEFAULT_LEVELS
    quantiles = tuple(peak + spread * (level - 0.5) for level in levels)
    rates = QuantileForecast(at_s, 60.0, levels, (quantiles,) * 4, quantiles, "last-value")
    return Forecast(target.key, at_s, 240.0, rates, rates, rates)


def make_inputs(
    target: Target | None = None,
    observation: Observation | None = None,
    forecast: Forecast | None = None,
    memory: Memory | None = None,
) -> TargetInputs:
    """Everything that the decider is told of one target."""
    target = target or make_target()
    starts = {v.name: ColdStart(170.0, 190.0, 3) for v in target.variants}
    return TargetInputs(target, observation or make_observation(target), forecast, starts, memory or Memory())


def make_group(
    *inputs: TargetInputs, gpus: Mapping[str, int] | None = None, spool_writable: bool = True
) -> GroupInputs:
    """A group of targets; without `gpus` accelerators are not limited."""
    return GroupInputs("default", NOW_S, inputs or (make_inputs(),), Inventory(dict(gpus or {})), spool_writable)


def make_tick(
    tick_id: str = "t1", inputs: GroupInputs | None = None, at_s: float = NOW_S, group_tick_id: str = "g1"
) -> Tick:
    """A tick that the decider really made of its inputs."""
    inputs = replace(inputs or make_group(), now_s=at_s)
    outcome = decide(inputs)
    return Tick(
        id=tick_id,
        group_tick_id=group_tick_id,
        group=inputs.group,
        at_s=at_s,
        planner_version=outcome.planner_version,
        inputs=inputs.targets[0],
        inventory=inputs.inventory,
        spool_writable=inputs.spool_writable,
        plan=outcome.plans[0],
        decision=outcome.decisions[0],
        validation=None,
        actuations=(),
        duration_s=0.1,
    )
