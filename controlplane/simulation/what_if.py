"""What if: a day of recorded ticks, decided again under another SLO, price, cold start, load or a stock-out.

It answers in seconds, since it plays no requests: the decider is the production one, around it the fleet is a fluid.
What is asked for becomes Ready a median cold start later, replicas carry what the plan says that they carry, and what
comes beyond that waits in a queue. The same is done without the change, so that both have the same faults.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from controlplane.domain.decision import (
    ColdStart,
    Decision,
    GroupInputs,
    GroupOutcome,
    Memory,
    Plan,
    TargetInputs,
    Tick,
)
from controlplane.domain.observation import Observation, Surroundings, VariantObservation
from controlplane.domain.target import Mode, Slo, Target
from controlplane.planning.allocation import carried
from controlplane.planning.counterfactuals import with_load
from controlplane.planning.decision import decide
from controlplane.simulation.comparison import LONGEST_HOLD_S, SECONDS_PER_HOUR, Run, Timeline, recorded_run, usd
from controlplane.simulation.scenario import ScenarioError

STEPS = 480
"""Decisions at most: a day in steps of three minutes, twice, in a few seconds."""
LEAST_STEP_S = 60.0
NOTES = (
    "Recorded ticks are decided again, thinned to one a step, on a fleet that follows its own decisions.",
    "No request is played: attainment is the share of requests that found room in time, so it does not see tails.",
    "Forecasts are the recorded ones (scaled with the load), made for the recorded cold start.",
    "What is learned of the replicas' speed is taken from the record; only this target is decided, with all the GPUs "
    "of its group.",
)


@dataclass(frozen=True, slots=True)
class VariantOut:
    """No new replica of a variant can be had in `[from_s, until_s)`, unix seconds."""

    variant: str
    from_s: float
    until_s: float


@dataclass(frozen=True, slots=True)
class Changed:
    """What is different; what is not said is as it was. `prices` are $/h of one replica by variant."""

    slo: Slo | None = None
    prices: Mapping[str, float] = field(default_factory=dict)
    cold_start_factor: float = 1.0
    load_factor: float = 1.0
    stock_outs: tuple[VariantOut, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """The changed run less the unchanged one."""

    attainment: float | None
    gpu_hours: float
    cost_usd: Decimal
    scale_events: int


@dataclass(frozen=True, slots=True)
class WhatIfResult:
    """The answer. `first_at_s`: when the two first wanted different fleets; None: never."""

    target: str
    since_s: float
    until_s: float
    step_s: float
    decisions: int
    recorded: Run
    unchanged: Run
    changed: Run
    difference: Difference
    first_at_s: float | None
    sentence: str
    notes: tuple[str, ...]


def step_of(since_s: float, until_s: float) -> float:
    """Seconds between the decisions of a window."""
    return max(LEAST_STEP_S, (until_s - since_s) / STEPS)


def what_if(
    ticks: Sequence[Tick], since_s: float, until_s: float, changed: Changed, heard: Callable[[float], None]
) -> WhatIfResult:
    """Decide the ticks (oldest first, of one target, thinned) again, without the change and with it.

    Raises:
        ScenarioError: if nothing was recorded, or the change names a variant that there is not.
    """
    if not ticks:
        raise ScenarioError("the window has no recorded decisions; allowed: one with at least one")
    _check(ticks[-1].inputs.target, changed)
    plain = _run("unchanged", ticks, until_s, Changed(), lambda share: heard(share / 2))
    other = _run("changed", ticks, until_s, changed, lambda share: heard(0.5 + share / 2))
    known = plain.attainment is not None and other.attainment is not None
    difference = Difference(
        attainment=(other.attainment or 0.0) - (plain.attainment or 0.0) if known else None,
        gpu_hours=other.gpu_hours - plain.gpu_hours,
        cost_usd=other.cost_usd - plain.cost_usd,
        scale_events=other.scale_ups + other.scale_downs - plain.scale_ups - plain.scale_downs,
    )
    return WhatIfResult(
        target=ticks[-1].inputs.target.key,
        since_s=since_s,
        until_s=until_s,
        step_s=step_of(since_s, until_s),
        decisions=len(ticks),
        recorded=recorded_run(ticks, until_s, STEPS),
        unchanged=plain,
        changed=other,
        difference=difference,
        first_at_s=_first_difference(plain.timeline, other.timeline),
        sentence=_sentence(difference, plain),
        notes=NOTES,
    )


def _check(target: Target, changed: Changed) -> None:
    names = [v.name for v in target.variants]
    for name in (*changed.prices, *(out.variant for out in changed.stock_outs)):
        if name not in names:
            raise ScenarioError(f"variant is {name!r}; allowed: {', '.join(names)}")


def _first_difference(plain: Timeline, other: Timeline) -> float | None:
    for place, at_s in enumerate(plain.at_s):
        if any(plain.replicas[name][place] != other.replicas[name][place] for name in plain.replicas):
            return at_s
    return None


def _sentence(difference: Difference, plain: Run) -> str:
    share = f" ({float(difference.cost_usd / plain.cost_usd):+.1%})" if plain.cost_usd else ""
    met = "" if difference.attainment is None else f", and {100 * difference.attainment:+.2f} points of attainment"
    return f"It would have cost {difference.cost_usd:+.2f} ${share}, {difference.gpu_hours:+.1f} GPU-hours{met}."


# One run


@dataclass(slots=True)
class _Replicas:
    """One variant's replicas: those that are Ready, and when each of the others was asked for and will be."""

    ready: int
    asked_s: list[float] = field(default_factory=list)
    coming_s: list[float] = field(default_factory=list)

    @property
    def wanted(self) -> int:
        return self.ready + len(self.coming_s)

    def settle(self, now_s: float, out_until_s: float | None, cold_start_s: float) -> None:
        """What is due becomes Ready; while nothing can be had it waits, and starts when it can."""
        if out_until_s is not None:
            self.coming_s = [max(at_s, out_until_s + cold_start_s) for at_s in self.coming_s]
        due = sum(at_s <= now_s for at_s in self.coming_s)
        self.ready += due
        kept = [(a, c) for a, c in zip(self.asked_s, self.coming_s, strict=True) if c > now_s]
        self.asked_s, self.coming_s = [a for a, _ in kept], [c for _, c in kept]

    def want(self, replicas: int, now_s: float, cold_start_s: float) -> None:
        """Ask for more, or give back: those that are not Ready first."""
        for _ in range(max(0, replicas - self.wanted)):
            self.asked_s.append(now_s)
            self.coming_s.append(now_s + cold_start_s)
        while self.wanted > max(replicas, 0):
            if self.coming_s:
                self.asked_s.pop()
                self.coming_s.pop()
            else:
                self.ready -= 1


@dataclass(slots=True)
class _Model:
    """The fluid fleet and what the decider remembers of it."""

    changed: Changed
    fleet: dict[str, _Replicas]
    memory: Memory
    waiting: float = 0.0
    requests: float = 0.0
    in_time: float = 0.0
    known_s: float = 0.0
    gpu_s: float = 0.0
    usd_s: float = 0.0
    ups: int = 0
    downs: int = 0

    def cold_start_s(self, starts: Mapping[str, ColdStart], name: str) -> float:
        start = starts.get(name)
        return 0.0 if start is None else start.p50_s * self.changed.cold_start_factor

    def inputs(self, tick: Tick) -> GroupInputs:
        """What the decider would have been told."""
        told, now_s = tick.inputs, tick.at_s
        target = _target(told.target, self.changed)
        for name, replicas in self.fleet.items():
            replicas.settle(now_s, self._out_until(name, now_s), self.cold_start_s(told.cold_starts, name))
        memory = replace(
            self.memory,
            calibrations=told.memory.calibrations,
            missed_requests=told.memory.missed_requests,
            finished_requests=told.memory.finished_requests,
        )
        starts = {n: _stretched(s, self.changed.cold_start_factor) for n, s in told.cold_starts.items()}
        seen = self._observation(target, told.observation, now_s)
        around = Surroundings(most_replicas=told.surroundings.most_replicas, limits=told.surroundings.limits)
        one = TargetInputs(target, seen, told.forecast, starts, memory, around)
        inputs = GroupInputs(tick.group, now_s, (one,), tick.inventory)
        return with_load(inputs, 0, self.changed.load_factor)

    def _observation(self, target: Target, recorded: Observation, now_s: float) -> Observation:
        variants = tuple(
            VariantObservation(
                variant=v.name,
                desired=self.fleet[v.name].wanted,
                ready=self.fleet[v.name].ready,
                pending=len(self.fleet[v.name].coming_s),
                terminating=0,
                failed=0,
                reporting=self.fleet[v.name].ready,
                oldest_pending_s=max((now_s - at_s for at_s in self.fleet[v.name].asked_s), default=None),
                waiting=self.waiting if place == 0 else 0.0,
            )
            for place, v in enumerate(target.variants)
        )
        coverage = 1.0 if any(v.ready for v in variants) else None
        return replace(
            recorded, variants=variants, coverage=coverage, attainment=None, faults=(), age_s=recorded.age_s or 0.0
        )

    def _out_until(self, variant: str, now_s: float) -> float | None:
        ends = [o.until_s for o in self.changed.stock_outs if o.variant == variant and o.from_s <= now_s < o.until_s]
        return max(ends, default=None)

    def follow(self, tick: Tick, outcome: GroupOutcome) -> None:
        """Do what was decided."""
        decision = outcome.decisions[0]
        self.memory = outcome.memories[0]
        self.ups += _moves(decision, +1)
        self.downs += _moves(decision, -1)
        for name, replicas in decision.desired.items():
            self.fleet[name].want(replicas, tick.at_s, self.cold_start_s(tick.inputs.cold_starts, name))

    def pass_time(self, target: Target, plan: Plan, rate: float | None, seconds: float) -> float | None:
        """Let requests come for so long; the share of them that found room in time."""
        for variant in target.variants:
            there = self.fleet[variant.name].wanted
            self.gpu_s += there * variant.gpus_per_replica * seconds
            self.usd_s += there * variant.usd_per_replica_hour * seconds
        if rate is None or plan.demand is None or seconds <= 0:
            return None
        rates = {c.variant: c.requests_per_s for c in plan.capacities}
        ready = {name: replicas.ready for name, replicas in self.fleet.items()}
        room = carried(target.variants, ready, lambda v: rates.get(v.name, 0.0), target.policy.routing) * seconds
        asked = rate * seconds + self.waiting
        share = 1.0 if asked <= 0 else min(1.0, room / asked)
        self.waiting = max(0.0, asked - room)
        self.requests += rate * seconds
        self.in_time += share * rate * seconds
        self.known_s += seconds
        return share


def _run(name: str, ticks: Sequence[Tick], until_s: float, changed: Changed, heard: Callable[[float], None]) -> Run:
    first = ticks[0].inputs
    fleet = {v.name: _Replicas(_ready(first.observation, v.name)) for v in first.target.variants}
    model, line = _Model(changed, fleet, first.memory), _Columns()
    for place, (tick, seconds) in enumerate(_held(ticks, until_s)):
        for variant in tick.inputs.target.variants:
            model.fleet.setdefault(variant.name, _Replicas(0))
        inputs = model.inputs(tick)
        outcome = decide(inputs)
        load, target = inputs.targets[0].observation.load, inputs.targets[0].target
        rate = None if load is None else load.requests_per_s
        model.follow(tick, outcome)
        share = model.pass_time(target, outcome.plans[0], rate, seconds)
        line.note(tick.at_s, rate, share, target, model.fleet)
        heard((place + 1) / len(ticks))
    return Run(
        policy=name,
        simulated=True,
        requests=round(model.requests),
        attainment=model.in_time / model.requests if model.requests else None,
        goodput_rps=model.in_time / model.known_s if model.known_s else None,
        gpu_hours=model.gpu_s / SECONDS_PER_HOUR,
        cost_usd=usd(model.usd_s / SECONDS_PER_HOUR),
        scale_ups=model.ups,
        scale_downs=model.downs,
        timeline=line.timeline(),
    )


@dataclass(slots=True)
class _Columns:
    at_s: list[float] = field(default_factory=list)
    rates: list[float | None] = field(default_factory=list)
    shares: list[float | None] = field(default_factory=list)
    usd: list[float] = field(default_factory=list)
    counts: list[dict[str, int]] = field(default_factory=list)

    def note(
        self, at_s: float, rate: float | None, share: float | None, target: Target, fleet: Mapping[str, _Replicas]
    ) -> None:
        self.at_s.append(at_s)
        self.rates.append(rate)
        self.shares.append(share)
        self.usd.append(sum(fleet[v.name].wanted * v.usd_per_replica_hour for v in target.variants))
        self.counts.append({name: replicas.wanted for name, replicas in fleet.items()})

    def timeline(self) -> Timeline:
        names = sorted({name for counts in self.counts for name in counts})
        replicas = {name: tuple(counts.get(name, 0) for counts in self.counts) for name in names}
        return Timeline(tuple(self.at_s), tuple(self.rates), tuple(self.shares), tuple(self.usd), replicas)


def _held(ticks: Sequence[Tick], until_s: float) -> Iterator[tuple[Tick, float]]:
    """Each tick and the seconds that it speaks for."""
    for tick, following in zip(ticks, [*(t.at_s for t in ticks[1:]), until_s], strict=True):
        yield tick, max(0.0, min(following - tick.at_s, 2.0 * LONGEST_HOLD_S))


def _target(recorded: Target, changed: Changed) -> Target:
    policy = recorded.policy if changed.slo is None else replace(recorded.policy, slo=changed.slo)
    variants = tuple(
        replace(v, usd_per_replica_hour=changed.prices.get(v.name, v.usd_per_replica_hour)) for v in recorded.variants
    )
    return replace(recorded, policy=replace(policy, mode=Mode.LIVE), variants=variants)


def _stretched(start: ColdStart, factor: float) -> ColdStart:
    return replace(start, p50_s=start.p50_s * factor, p90_s=start.p90_s * factor)


def _ready(observation: Observation, name: str) -> int:
    seen = observation.variant(name)
    return 0 if seen is None else seen.ready


def _moves(decision: Decision, sign: int) -> int:
    return sum((replicas - decision.current.get(name, 0)) * sign > 0 for name, replicas in decision.desired.items())
