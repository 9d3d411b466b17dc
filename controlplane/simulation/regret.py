"""What a version of a policy would have cost and carried, beside what was recorded.

Both versions are played on the same requests in the simulator: the difference between two simulations is far nearer the
truth than either. How far off the simulation is in itself is shown by the play of the version that decided, beside what
really happened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from controlplane.domain.decision import Tick
from controlplane.domain.policy_life import Guard, Outcome, regrets
from controlplane.simulation.comparison import Run, SimulationError, recorded_run
from controlplane.simulation.replay_window import VERSION, Replayed, replay_window


@dataclass(frozen=True, slots=True)
class Side:
    """One way through the window. `requests` of a record is its rates' sum."""

    requests: int
    attainment: float | None
    goodput_rps: float | None
    gpu_hours: float
    cost_usd: Decimal
    scale_ups: int
    scale_downs: int


@dataclass(frozen=True, slots=True)
class Regret:
    """A version against another over a window of one target. `decided`: whether it is the version that decided at the
    window's end, so that `recorded` is its own; else `recorded` is the other's.

    `attainment` and `usd` are the version's simulation less the other's; `error` is the deciding one's simulation less
    the record. `before` is what was recorded in the same length of time before the window.
    """

    target: str
    since_s: float
    until_s: float
    decided: bool
    recorded: Side
    candidate: Side
    other: Side
    error: SimulationError
    attainment: float | None
    usd: Decimal
    before: Side | None
    notes: tuple[str, ...]


def regret(
    ticks: Sequence[Tick],
    version_id: str,
    specs: tuple[Mapping[str, object], Mapping[str, object] | None],
    since_s: float,
    until_s: float,
    before: Sequence[Tick] = (),
    heard: Callable[[float], None] = lambda _: None,
) -> Regret:
    """Play a version and another over `[since_s, until_s)`, of which `ticks` are, oldest first.

    `specs` are the version's and the other's, as in the custom resource; the other's may be None where the version did
    not decide: it is then the policy that did.

    Raises:
        ScenarioError: if nothing was recorded, or one of the two cannot be played.
    """
    decided = bool(ticks) and ticks[-1].inputs.target.policy_version == version_id
    own, other = specs
    spec = other if decided else own
    compared = replay_window(ticks, Replayed(VERSION, since_s, until_s, spec=spec), heard)
    asked, live = compared.runs
    mine, theirs = (live, asked) if decided else (asked, live)
    return Regret(
        target=compared.target,
        since_s=since_s,
        until_s=until_s,
        decided=decided,
        recorded=_side(compared.recorded),
        candidate=_side(mine),
        other=_side(theirs),
        error=compared.error,
        attainment=_difference(mine.attainment, theirs.attainment),
        usd=mine.cost_usd - theirs.cost_usd,
        before=_side(recorded_run(before, since_s, 1)) if before else None,
        notes=compared.notes,
    )


def verdict(found: Sequence[Regret], guard: Guard) -> str:
    """Why a version that decides is to be taken back, in numbers, over all of its targets; empty where it is not.

    Of two simulations the difference counts. A drop in what was really recorded counts where the simulation says that
    the other version would have carried the same load: a surge that nobody could have carried is nobody's fault.
    """
    simulated = regrets(_sum([r.candidate for r in found]), _sum([r.other for r in found]), guard)
    if simulated:
        return f"simulated on the recorded load: {simulated}"
    known = [(r.recorded, r.before, r.other) for r in found if r.before is not None]
    if not known:
        return ""
    recorded = _without_cost(_sum([r for r, _, _ in known]))
    fell = regrets(recorded, _without_cost(_sum([b for _, b, _ in known])), guard)
    avoidable = regrets(recorded, _without_cost(_sum([o for _, _, o in known])), guard)
    if not fell or not avoidable:
        return ""
    return f"recorded, against the time before: {fell}; and the other version, simulated, carries it"


def _side(run: Run) -> Side:
    return Side(
        run.requests, run.attainment, run.goodput_rps, run.gpu_hours, run.cost_usd, run.scale_ups, run.scale_downs
    )


def _difference(mine: float | None, theirs: float | None) -> float | None:
    return None if mine is None or theirs is None else mine - theirs


def _sum(sides: Sequence[Side]) -> Outcome:
    """Over targets: each request counts the same."""
    known = [(s.attainment, s.requests) for s in sides if s.attainment is not None]
    requests = sum(count for _, count in known)
    attainment = sum(share * count for share, count in known) / requests if requests else None
    return Outcome(attainment, float(sum((s.cost_usd for s in sides), Decimal(0))), requests)


def _without_cost(outcome: Outcome) -> Outcome:
    """Of two times: dollars follow the load, so they are not compared."""
    return Outcome(outcome.attainment, None, outcome.requests)
