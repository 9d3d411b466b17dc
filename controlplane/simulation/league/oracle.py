"""A clairvoyant oracle, and the fluid bound below it.

It knows every arrival, every replica's true step cost and cold start. For each quarter of a minute it sums the work
that arrives (DESIGN: work is tokens), divides by what a replica does at some utilisation, and asks for the replicas one
cold start ahead; a replica goes as soon as it will not be needed for a cold start. The utilisation and the smoothing
are searched for the least cost at the asked attainment. The fluid bound is the same sum at the utilisation at which the
mean TPOT is just the limit, in fractions of replicas and without cold starts: no policy can cost less.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from controlplane.domain.target import Role
from controlplane.simulation.backtest import FleetView
from controlplane.simulation.league.score import START_S, Score, play
from controlplane.simulation.lifecycle import Workload
from controlplane.simulation.scenario import Scenario
from controlplane.simulation.traffic import Trace

BIN_S = 15.0
UTILISATIONS = (
    1.02,
    0.98,
    0.94,
    0.9,
    0.86,
    0.82,
    0.78,
    0.74,
    0.7,
    0.66,
    0.62,
    0.58,
    0.54,
    0.5,
    0.44,
    0.38,
    0.32,
    0.26,
    0.2,
    0.15,
    0.1,
)
"""Tried from above until the attainment is reached: the first that does is the cheapest."""
SMOOTHINGS = (1, 4, 12)
"""Bins over which work is averaged: queues and answers of many seconds spread what arrives at once."""


def work_s(workload: Workload, trace: Trace) -> np.ndarray:
    """Seconds of a replica's time that each request brings, besides the steps' fixed parts; `S` of the capacity
    model. A prefill replica's fixed parts are a step for each chunk."""
    cost, limits = workload.cost, workload.limits
    isl, osl = trace.input_tokens.astype(float), trace.output_tokens.astype(float)
    cached = np.zeros_like(isl) if trace.cached_tokens is None else np.minimum(trace.cached_tokens, isl - 1.0)
    read = isl - cached
    prefill = cost.b_s_per_token * read + cost.e_s_per_token_pair * read * (cached + read / 2.0)
    decode = cost.c_s_per_sequence * osl + cost.d_s_per_token * osl * (isl + osl / 2.0)
    match workload.variant.role:
        case Role.PREFILL:
            return np.asarray(prefill + cost.a_s * read / limits.max_batched_tokens)
        case Role.DECODE:
            return np.asarray(decode)
    return np.asarray(prefill + decode)


def usable(workload: Workload, scenario: Scenario, trace: Trace) -> float:
    """The share of a replica's time that its requests' work may take at most, in the mean: what the fixed parts leave
    at the TPOT limit, or what fills its KV cache or its batch."""
    if workload.variant.role is Role.PREFILL:
        return 1.0
    cost, limits = workload.cost, workload.limits
    isl, osl = trace.input_tokens.astype(float), trace.output_tokens.astype(float)
    each_s, held = float(work_s(workload, trace).mean()), float((osl * (isl + osl / 2.0)).mean())
    kv = limits.kv_blocks * limits.block_tokens
    tpot = 1.0 - cost.a_s / scenario.targets[0].policy.slo.tpot_s
    by_kv = kv * each_s / (cost.a_s * held + kv * each_s)
    by_batch = limits.max_num_seqs * each_s / (cost.a_s * float(osl.mean()) + limits.max_num_seqs * each_s)
    return min(tpot, by_kv, by_batch)


def cheapest(scenario: Scenario, trace: Trace) -> list[Workload]:
    """One workload, or one for each role, that carries a request at the least cost."""
    own = [w for w in scenario.workloads if w.target is scenario.targets[0]]

    def usd(workload: Workload) -> float:
        share = usable(workload, scenario, trace)
        return workload.variant.usd_per_replica_hour * float(work_s(workload, trace).mean()) / max(share, 1e-9)

    best = {role: min((w for w in own if w.variant.role is role), key=usd, default=None) for role in Role}
    whole, split = [best[Role.BOTH]], [best[Role.PREFILL], best[Role.DECODE]]
    fleets = [[w for w in fleet if w is not None] for fleet in (whole, split) if None not in fleet]
    return min(fleets, key=lambda fleet: sum(usd(w) for w in fleet))


def replicas_of_work(workload: Workload, trace: Trace, scenario: Scenario) -> np.ndarray:
    """Replicas, in fractions, that the work of each bin keeps busy at the most that is usable."""
    bins = math.ceil(trace.duration_s / BIN_S)
    place = np.minimum((trace.at_s / BIN_S).astype(int), bins - 1)
    seconds = np.bincount(place, work_s(workload, trace), bins)
    return np.asarray(seconds / BIN_S / usable(workload, scenario, trace))


def fluid_usd(scenario: Scenario, trace: Trace, warm_up_s: float) -> float:
    """Dollars from the warm-up on that the work alone costs: a lower bound for every policy."""
    hours = BIN_S / 3600.0
    first = int(warm_up_s // BIN_S)
    return sum(
        float(replicas_of_work(w, trace, scenario)[first:].sum()) * hours * w.variant.usd_per_replica_hour
        for w in cheapest(scenario, trace)
    )


@dataclass(slots=True)
class SchedulePolicy:
    """Plays a schedule: by workload, replicas to want at each bin."""

    name: str
    scenario: Scenario
    wanted: Mapping[str, np.ndarray]
    interval_s: float = BIN_S
    _variants: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self._variants = {w.key: w.variant.name for w in self.scenario.workloads}

    def step(self, view: FleetView) -> Mapping[str, Mapping[str, int]]:
        """See `Policy`."""
        place = int((view.now_s - START_S) / BIN_S + 1e-6)
        own = self.scenario.targets[0]
        replicas = {v.name: 0 for v in own.variants}
        for key, wanted in self.wanted.items():
            replicas[self._variants[key]] = int(wanted[min(place, len(wanted) - 1)])
        return {own.key: replicas}


def schedule(
    scenario: Scenario, trace: Trace, utilisation: float, smoothing: int, prefill_share: float = 1.0
) -> dict[str, np.ndarray]:
    """What to want at each bin so that the work is carried at that utilisation, by workload. Prefill replicas get
    `prefill_share` of it: a queue needs more slack than a batch."""
    wanted = {}
    for workload in cheapest(scenario, trace):
        share = utilisation * (prefill_share if workload.variant.role is Role.PREFILL else 1.0)
        smooth = _smoothed(replicas_of_work(workload, trace, scenario), smoothing)
        needed = np.maximum(np.ceil(smooth / share - 1e-9), 1.0)
        stages = workload.cold_start
        start_s = (stages.node_s + stages.image_s + stages.load_s + stages.warm_up_s) * (1.0 + 2.0 * stages.jitter)
        wanted[workload.key] = _ahead(needed, math.ceil(start_s / BIN_S) + 1)
    return wanted


def _smoothed(values: np.ndarray, bins: int) -> np.ndarray:
    """Centred means over `bins`, shorter at the ends."""
    kernel = np.ones(bins)
    return np.asarray(np.convolve(values, kernel, "same") / np.convolve(np.ones_like(values), kernel, "same"))


def _ahead(needed: np.ndarray, bins: int) -> np.ndarray:
    """The most that is needed from now until a cold start later: what is asked for now comes then, and what is let go
    now cannot be back before."""
    padded = np.concatenate([needed, np.full(bins, needed[-1])])
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, bins + 1).max(axis=1))


def first_replicas(scenario: Scenario, trace: Trace, utilisation: float = 0.7) -> dict[str, int]:
    """A fleet to begin with, by workload, that carries the first minutes at that utilisation: every policy starts from
    the same, and has the warm-up to make it its own."""
    replicas = {w.key: 0 for w in scenario.workloads}
    replicas.update((key, int(wanted[0])) for key, wanted in schedule(scenario, trace, utilisation, 12, 0.7).items())
    return replicas


def oracle(scenario: Scenario, trace: Trace, warm_up_s: float, attainment: float) -> Score:
    """The cheapest play of a schedule that reaches the attainment; the best attainment where none does."""
    plays: list[Score] = []
    for smoothing in SMOOTHINGS:
        for prefill_share in (1.0, 0.8) if len(cheapest(scenario, trace)) > 1 else (1.0,):
            plays.extend(_down_to(scenario, trace, warm_up_s, attainment, smoothing, prefill_share))
    reached = [p for p in plays if p.attainment >= attainment]
    return min(reached, key=lambda p: p.cost_usd) if reached else max(plays, key=lambda p: p.attainment)


def _down_to(
    scenario: Scenario, trace: Trace, warm_up_s: float, attainment: float, smoothing: int, prefill_share: float
) -> list[Score]:
    """Bisects the utilisations for the highest that reaches the attainment."""

    def at(place: int) -> Score:
        wanted = schedule(scenario, trace, UTILISATIONS[place], smoothing, prefill_share)
        policy = SchedulePolicy("oracle", scenario, wanted)
        return play(scenario, trace, policy, warm_up_s, first_replicas(scenario, trace))

    low, high, plays = -1, len(UTILISATIONS) - 1, []
    while high - low > 1:
        middle = (low + high) // 2
        plays.append(at(middle))
        low, high = (low, middle) if plays[-1].attainment >= attainment else (middle, high)
    return [*plays, at(high)]


def static_best(
    scenario: Scenario, trace: Trace, warm_up_s: float, attainment: float
) -> tuple[Mapping[str, int], Score]:
    """The cheapest constant fleet of the cheapest workloads that reaches the attainment, in hindsight, and its play."""
    needed = schedule(scenario, trace, 1.0, 12)
    base = {key: float(wanted.max()) for key, wanted in needed.items()}

    def at(factor: float) -> tuple[Mapping[str, int], Score]:
        fleet = {key: max(1, math.ceil(value * factor - 1e-9)) for key, value in base.items()}
        policy = SchedulePolicy("static-best", scenario, {k: np.array([n]) for k, n in fleet.items()})
        started = {w.key: fleet.get(w.key, 0) for w in scenario.workloads}
        return fleet, play(scenario, trace, policy, warm_up_s, started)

    steps = sorted({round(n / max(base.values()), 6) for n in range(1, math.ceil(2.5 * max(base.values())) + 1)})
    low, high = -1, len(steps) - 1
    best = at(steps[high])
    while high - low > 1:
        middle = (low + high) // 2
        tried = at(steps[middle])
        if tried[1].attainment >= attainment:
            high, best = middle, tried
        else:
            low = middle
    return best
