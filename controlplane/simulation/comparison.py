"""What a play cost beside what was really recorded, and how far the simulation is from the truth."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from controlplane.domain.decision import ActuationResult, Tick

CENT = Decimal("0.01")
SECONDS_PER_HOUR = 3600.0
LONGEST_HOLD_S = 300.0
"""A tick speaks for the time until the next one, but no longer: beyond it the controller was not there to see."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Columns for charts, one entry a point; None is a gap. `replicas` are those that were wanted, by variant;
    `attainment` is of the requests that ended since the point before."""

    at_s: tuple[float, ...]
    requests_per_s: tuple[float | None, ...]
    attainment: tuple[float | None, ...]
    usd_per_hour: tuple[float, ...]
    replicas: dict[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Run:
    """One way through the window: what was recorded, or a policy's play. `requests` of a record is its rates' sum."""

    policy: str
    simulated: bool
    requests: int
    attainment: float | None
    goodput_rps: float | None
    gpu_hours: float
    cost_usd: Decimal
    scale_ups: int
    scale_downs: int
    timeline: Timeline


@dataclass(frozen=True, slots=True)
class SimulationError:
    """The live policy's play less what was recorded: how much to believe of the others. Shares of the recorded."""

    attainment: float | None
    gpu_hours: float | None
    cost: float | None
    requests: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The answer of a replay. `runs` are the asked policy and the live one, both simulated on the same requests;
    `savings_usd` is what the live policy costs less than the asked one there."""

    target: str
    since_s: float
    until_s: float
    recorded: Run
    runs: tuple[Run, ...]
    error: SimulationError
    savings_usd: Decimal
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Watched:
    """The times that ticks speak for: where nobody looked, a play is not beside anything, and nothing is counted."""

    at_s: tuple[float, ...]
    """Of the ticks, oldest first; unix seconds."""

    def at(self, at_s: float) -> bool:
        """Whether a tick speaks for this time."""
        place = bisect_right(self.at_s, at_s) - 1
        return place >= 0 and at_s - self.at_s[place] <= LONGEST_HOLD_S

    def within(self, since_s: float, until_s: float) -> tuple[float, float]:
        """The part of a window from the first tick to the end of what the last one speaks for."""
        return max(since_s, self.at_s[0]), min(until_s, self.at_s[-1] + LONGEST_HOLD_S)


def usd(amount: float) -> Decimal:
    """Dollars to the cent."""
    return Decimal(repr(amount)).quantize(CENT)


def recorded_run(ticks: Sequence[Tick], until_s: float, points: int) -> Run:
    """What ticks say (oldest first, of one target), each speaking for the time until the next."""
    held = [
        min(following - tick.at_s, LONGEST_HOLD_S)
        for tick, following in zip(ticks, [*(t.at_s for t in ticks[1:]), until_s], strict=True)
    ]
    rates = [_rate(tick) for tick in ticks]
    requests = sum(rate * s for rate, s in zip(rates, held, strict=True) if rate is not None)
    known = [
        (share, rate * s)
        for tick, rate, s in zip(ticks, rates, held, strict=True)
        if rate and (share := tick.inputs.observation.attainment) is not None
    ]
    weight = sum(w for _, w in known)
    attainment = sum(share * w for share, w in known) / weight if weight else None
    length_s = sum(held)
    ups, downs = _events(ticks)
    return Run(
        policy="recorded",
        simulated=False,
        requests=round(requests),
        attainment=attainment,
        goodput_rps=None if attainment is None or not length_s else attainment * requests / length_s,
        gpu_hours=sum(_gpus(tick) * s for tick, s in zip(ticks, held, strict=True)) / SECONDS_PER_HOUR,
        cost_usd=usd(sum(_usd_per_hour(tick) * s for tick, s in zip(ticks, held, strict=True)) / SECONDS_PER_HOUR),
        scale_ups=ups,
        scale_downs=downs,
        timeline=_timeline(ticks, points),
    )


def simulation_error(live: Run, recorded: Run) -> SimulationError:
    """The live policy's play against the record."""
    known = live.attainment is not None and recorded.attainment is not None
    return SimulationError(
        attainment=(live.attainment or 0.0) - (recorded.attainment or 0.0) if known else None,
        gpu_hours=_relative(live.gpu_hours, recorded.gpu_hours),
        cost=_relative(float(live.cost_usd), float(recorded.cost_usd)),
        requests=_relative(live.requests, recorded.requests),
    )


def _relative(simulated: float, recorded: float) -> float | None:
    return simulated / recorded - 1.0 if recorded else None


def _rate(tick: Tick) -> float | None:
    load = tick.inputs.observation.load
    return None if load is None else load.requests_per_s


def _existing(tick: Tick) -> dict[str, int]:
    return {v.variant: v.ready + v.pending + v.terminating + v.failed for v in tick.inputs.observation.variants}


def _gpus(tick: Tick) -> float:
    there = _existing(tick)
    return sum(v.gpus_per_replica * there.get(v.name, 0) for v in tick.inputs.target.variants)


def _usd_per_hour(tick: Tick) -> float:
    there = _existing(tick)
    return sum(v.usd_per_replica_hour * there.get(v.name, 0) for v in tick.inputs.target.variants)


def _events(ticks: Sequence[Tick]) -> tuple[int, int]:
    applied = [a for tick in ticks for a in tick.actuations if a.result is ActuationResult.APPLIED]
    ups = sum(a.replicas_to > a.replicas_from for a in applied)
    return ups, len(applied) - ups


def _timeline(ticks: Sequence[Tick], points: int) -> Timeline:
    step = max(1, -(-len(ticks) // points))
    chosen = list(ticks[::step])
    names = [v.name for v in ticks[-1].inputs.target.variants] if ticks else []
    return Timeline(
        at_s=tuple(t.at_s for t in chosen),
        requests_per_s=tuple(_rate(t) for t in chosen),
        attainment=tuple(t.inputs.observation.attainment for t in chosen),
        usd_per_hour=tuple(_usd_per_hour(t) for t in chosen),
        replicas={n: tuple(t.decision.current.get(n, 0) for t in chosen) for n in names},
    )
