"""A target's recorded history as something that can be played: its load as requests, its fleet as a scenario.

What is recorded is a rate and the lengths' shape at each tick, not each request. So requests are drawn: a Poisson
process whose rate is that of the tick before, with prompts and answers from the recorded quantiles of lengths (without
those, lognormal about the recorded means). The draw is seeded and does not depend on how the time is cut up.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from controlplane.domain import catalog
from controlplane.domain.decision import Calibration, ColdStart, Tick
from controlplane.domain.observation import LENGTH_LEVELS, Load
from controlplane.domain.target import Mode, Policy, Target, Variant
from controlplane.planning.roofline import BLOCK_SIZE_TOKENS, StepCost, kv_capacity_tokens, prior
from controlplane.simulation.engine import EngineLimits
from controlplane.simulation.lifecycle import GPUS_PER_NODE, ColdStartStages, StockOut, Workload
from controlplane.simulation.scenario import Scenario, ScenarioError
from controlplane.simulation.traffic import Arrivals

BIN_S = 60.0
"""Requests are drawn minute by minute, as generated days are."""
INPUT_SIGMA, OUTPUT_SIGMA = 0.9, 0.7
"""Of lognormal lengths where the page has no histogram: those of generated days."""
LONGEST_GAP_S = 900.0
"""A load holds until the next tick, but no longer: beyond it nothing was recorded, and nothing is drawn."""
P90_NORMAL = 1.2816
"""Standard deviations from a normal distribution's mean to its 90th percentile."""


@dataclass(frozen=True, slots=True)
class LoadPoint:
    """The load that a tick saw; it holds until the next one."""

    at_s: float
    load: Load


@dataclass(frozen=True, slots=True, eq=False)
class RecordedTraffic:
    """`Traffic` from recorded loads, oldest first, each `factor` times as many requests; none from `until_s` on."""

    points: tuple[LoadPoint, ...]
    seed: int
    until_s: float
    factor: float = 1.0
    _times: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_times", np.array([p.at_s for p in self.points]))

    def arrivals(self, from_s: float, until_s: float) -> Arrivals:
        """See `Traffic`."""
        found, until_s = Arrivals.none(), min(until_s, self.until_s)
        for number in range(math.floor(from_s / BIN_S), math.ceil(until_s / BIN_S)):
            drawn = self._minute(number)
            inside = (drawn.at_s >= from_s) & (drawn.at_s < until_s)
            if inside.any():
                found = found.then(Arrivals(*(column[inside] for column in drawn.columns)))
        return found

    def load_at(self, at_s: float) -> Load | None:
        """The load that held at a time; None where none was recorded."""
        place = int(np.searchsorted(self._times, at_s, side="right")) - 1
        if place < 0 or at_s - self.points[place].at_s > LONGEST_GAP_S:
            return None
        return self.points[place].load

    def _minute(self, number: int) -> Arrivals:
        start_s = number * BIN_S
        # The middle: a tick within the minute speaks for it as well as the one before.
        load = self.load_at(start_s + BIN_S / 2.0)
        if load is None or load.requests_per_s <= 0:
            return Arrivals.none()
        random = np.random.default_rng((self.seed, number))
        count = int(random.poisson(load.requests_per_s * self.factor * BIN_S))
        times = start_s + np.sort(random.random(count)) * BIN_S
        inputs = _lengths(random, count, load.input_tokens, load.input_lengths, _sigma(load))
        outputs = _lengths(random, count, load.output_tokens, load.output_lengths, OUTPUT_SIGMA)
        return Arrivals.of(times, inputs, outputs, np.floor(inputs * load.cached_share))


def _lengths(
    random: np.random.Generator, count: int, mean: float, quantiles: Sequence[float], sigma: float
) -> np.ndarray:
    if mean <= 0:
        return np.ones(count)
    if quantiles:
        drawn = np.interp(random.random(count), LENGTH_LEVELS, quantiles)
        # The ends of the levels are cut off by the interpolation, which would lose the tail's work: the mean is kept.
        drawn *= mean / max(_mean_of(quantiles), 1e-9)
    else:
        drawn = random.lognormal(math.log(mean) - sigma**2 / 2.0, sigma, count)
    return np.maximum(np.rint(drawn), 1.0)


def _mean_of(quantiles: Sequence[float]) -> float:
    levels = np.linspace(0.0005, 0.9995, 1000)
    return float(np.interp(levels, LENGTH_LEVELS, quantiles).mean())


def _sigma(load: Load) -> float:
    """Of a lognormal with the recorded second moment: E[x^2] / E[x]^2 = exp(sigma^2)."""
    if load.input_tokens_squared is None or load.input_tokens <= 0:
        return INPUT_SIGMA
    return math.sqrt(math.log(max(load.input_tokens_squared / load.input_tokens**2, 1.0 + 1e-6)))


def load_points(ticks: Sequence[Tick]) -> tuple[LoadPoint, ...]:
    """The loads of ticks, oldest first; those that saw none are gaps."""
    seen = ((tick.at_s, tick.inputs.observation.load) for tick in ticks)
    return tuple(LoadPoint(at_s, load) for at_s, load in seen if load is not None)


@dataclass(frozen=True, slots=True)
class PlayedFleet:
    """What may differ from the recorded fleet. `policy` None: the one that the window ended with; `cold_start_factor`
    stretches every stage; `prices` are $/h of one replica by variant."""

    policy: Policy | None = None
    cold_start_factor: float = 1.0
    prices: Mapping[str, float] = field(default_factory=dict)
    stock_outs: tuple[StockOut, ...] = ()


def recorded_scenario(ticks: Sequence[Tick], seed: int, changed: PlayedFleet = PlayedFleet()) -> Scenario:
    """The fleet as it was recorded: its variants at the step cost that was learned of them, its measured cold starts,
    the replicas that it began with, and the GPUs that there were.

    Raises:
        ScenarioError: if nothing was recorded, or the model or an accelerator is not in the catalog.
    """
    if not ticks:
        raise ScenarioError("the window has no recorded decisions; allowed: one with at least one")
    first, last = ticks[0], ticks[-1]
    target = _target(last.inputs.target, changed)
    try:
        workloads = tuple(_workload(target, v, first, last, changed) for v in target.variants)
    except (KeyError, ValueError) as error:
        raise ScenarioError(f"target {target.key} cannot be simulated: {error}") from error
    return Scenario(
        name=target.key,
        description="as recorded",
        seed=seed,
        inventory=_inventory(target, last),
        manifests=(),
        targets=(target,),
        workloads=workloads,
        shapes={},
        stock_outs=changed.stock_outs,
    )


def _target(recorded: Target, changed: PlayedFleet) -> Target:
    """Live, whatever it was: a simulation is of what would have been done."""
    policy = recorded.policy if changed.policy is None else changed.policy
    variants = tuple(
        replace(v, usd_per_replica_hour=changed.prices.get(v.name, v.usd_per_replica_hour)) for v in recorded.variants
    )
    return replace(recorded, policy=replace(policy, mode=Mode.LIVE), variants=variants)


def _inventory(target: Target, tick: Tick) -> dict[str, int]:
    """The recorded GPUs; of an accelerator without a limit as many as every variant's bound may take, in whole
    machines."""
    needed: dict[str, int] = {}
    for variant in target.variants:
        needed[variant.accelerator] = (
            needed.get(variant.accelerator, 0) + variant.max_replicas * variant.gpus_per_replica
        )
    whole = {name: math.ceil(gpus / GPUS_PER_NODE) * GPUS_PER_NODE for name, gpus in needed.items()}
    return {name: tick.inventory.gpus.get(name, gpus) for name, gpus in whole.items()}


def _workload(target: Target, variant: Variant, first: Tick, last: Tick, changed: PlayedFleet) -> Workload:
    model, gpu = catalog.model(target.model), catalog.accelerator(variant.accelerator)
    known = last.inputs.memory.calibrations.get(variant.name)
    cost = learned_step_cost(prior(model, gpu, variant.gpus_per_replica), known)
    kv_tokens = known.kv_tokens if known is not None and known.kv_tokens else None
    if kv_tokens is None:
        kv_tokens = kv_capacity_tokens(model, gpu, variant.gpus_per_replica)
    seen = first.inputs.observation.variant(variant.name)
    return Workload(
        key=f"{target.namespace}/{variant.ref.name}",
        target=target,
        variant=variant,
        cost=cost,
        limits=EngineLimits(
            kv_blocks=max(1, int(kv_tokens) // BLOCK_SIZE_TOKENS), max_context_tokens=model.max_context_tokens
        ),
        cold_start=_stages(last.inputs.cold_starts.get(variant.name), changed.cold_start_factor),
        initial_replicas=0 if seen is None else seen.ready,
    )


def learned_step_cost(cost: StepCost, known: Calibration | None) -> StepCost:
    """The prior with what was learned of it; attention moves with the prompts' coefficient."""
    if known is None:
        return cost
    if not known.factors:
        return cost.scaled(known.ratio)
    a, b, c, d = known.factors
    return cost.times(a, b, c, d)


def _stages(start: ColdStart | None, factor: float) -> ColdStartStages:
    shape = ColdStartStages()
    if start is None or start.p50_s <= 0:
        length_s, jitter = shape.node_s + shape.image_s + shape.load_s + shape.warm_up_s, shape.jitter
    else:
        length_s = start.p50_s
        jitter = (
            min(0.5, max(0.0, (start.p90_s - start.p50_s) / P90_NORMAL / start.p50_s))
            if start.samples
            else shape.jitter
        )
    scale = factor * length_s / (shape.node_s + shape.image_s + shape.load_s + shape.warm_up_s)
    stages = (shape.node_s, shape.image_s, shape.load_s, shape.warm_up_s)
    node_s, image_s, load_s, warm_up_s = (scale * s for s in stages)
    return ColdStartStages(node_s, image_s, load_s, warm_up_s, jitter)
