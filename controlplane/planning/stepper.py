"""The brain without its senses: samples in, decisions out. The controller, backtests and third parties drive the same
object.

It does no I/O and reads no clock; what it remembers from step to step is in the object and nowhere else. What it
decided on is in each step's `inputs`, so that any step can be replayed without the object.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from controlplane.domain.decision import (
    Actuation,
    ColdStart,
    Forecast,
    GroupInputs,
    GroupOutcome,
    Memory,
    SideForecast,
    TargetInputs,
)
from controlplane.domain.observation import Inventory, Observation, Replica, Sample, Surroundings
from controlplane.domain.ports import Fit
from controlplane.domain.target import Role, Target
from controlplane.observing import SampleWindow, observe
from controlplane.planning.cold_starts import known_cold_starts
from controlplane.planning.decision import decide
from controlplane.planning.gateway_queue import GatewayQueue
from controlplane.planning.load_history import QUANTITIES, LoadHistory
from controlplane.planning.load_level import load_level
from controlplane.planning.memory import settled
from controlplane.planning.recent_load import LAG_S, RecentLoad
from controlplane.planning.roofline import StepCost
from controlplane.planning.rounding import CLOCK_DECIMALS, SEEN_DIGITS, rounded, rounded_forecast, rounded_observation
from controlplane.planning.rules.lull import LULL_S
from controlplane.planning.volatility import volatility
from controlplane.planning.work import MOST_CACHED, followed_share, side_costs, work_series
from forecasters.base import Forecaster
from forecasters.history import NoHistory
from forecasters.regimes import find_regimes
from forecasters.registry import create, restore
from forecasters.selection import PREFERRED, fit, fit_best
from forecasters.types import Series


@dataclass(frozen=True, slots=True)
class TargetView:
    """One target as it is seen at a step. `samples` are of this step's scrape; `cold_starts` those measured so far."""

    target: Target
    desired: Mapping[str, int]
    replicas: Sequence[Replica]
    samples: Sequence[Sample]
    cold_starts: Mapping[str, ColdStart] = field(default_factory=dict)
    surroundings: Surroundings = field(default_factory=Surroundings)


@dataclass(frozen=True, slots=True)
class Step:
    """What went into the decider at one step and what came out; targets are in the order of their keys."""

    inputs: GroupInputs
    outcome: GroupOutcome


@dataclass(slots=True)
class _Known:
    """What is remembered of one target."""

    window: SampleWindow = field(default_factory=SampleWindow)
    queue: GatewayQueue = field(default_factory=GatewayQueue)
    history: LoadHistory = field(default_factory=LoadHistory)
    recent: RecentLoad = field(default_factory=RecentLoad)
    memory: Memory = field(default_factory=Memory)
    forecasters: dict[str, Forecaster] = field(default_factory=lambda: {q: create(PREFERRED) for q in QUANTITIES})
    work_forecasters: list[Forecaster] = field(default_factory=lambda: [create(PREFERRED) for _ in range(2)])
    """By role where these are split; of whole requests the first alone."""
    cached_share: float | None = None
    """Of the prefix cache, in the work that is forecast."""
    fitted_at_s: float | None = None
    stepped_at_s: float | None = None


class GroupStepper:
    """Steps one group of targets."""

    def __init__(self, group: str) -> None:
        self.group = group
        self._known: dict[str, _Known] = {}

    def step(
        self, now_s: float, views: Sequence[TargetView], inventory: Inventory, spool_writable: bool = True
    ) -> Step:
        """Observe, forecast and decide at `now_s` (unix seconds, not before the last step's)."""
        now_s = round(now_s, CLOCK_DECIMALS)
        ordered = sorted(views, key=lambda view: view.target.key)
        targets = tuple(self._target_inputs(view, now_s) for view in ordered)
        inputs = GroupInputs(self.group, now_s, targets, inventory, spool_writable)
        outcome = decide(inputs)
        for one, memory in zip(targets, outcome.memories, strict=True):
            known = self._of(one.target.key)
            known.memory, known.stepped_at_s = memory, now_s
        return Step(inputs, outcome)

    def settle(self, target: str, actuations: Sequence[Actuation]) -> None:
        """Take back what the last step decided and could not be done: it must not count against the rates."""
        known = self._of(target)
        if known.stepped_at_s is not None:
            known.memory = settled(known.memory, known.stepped_at_s, actuations)

    def fork(self) -> GroupStepper:
        """One that goes on from here by itself: for a version that runs beside."""
        return copy.deepcopy(self)

    def follow(self, other: GroupStepper) -> None:
        """Take up the fits that another stepper got since."""
        for key, theirs in other._known.items():
            mine = self._of(key)
            if theirs.fitted_at_s is not None and theirs.fitted_at_s != mine.fitted_at_s:
                mine.forecasters = copy.deepcopy(theirs.forecasters)
                mine.fitted_at_s = theirs.fitted_at_s

    def recall(self, other: GroupStepper, targets: Iterable[str]) -> None:
        """Take over what another stepper decided of those targets: it was theirs that was carried out."""
        for key in targets:
            mine, theirs = self._of(key), other._of(key)
            mine.memory, mine.stepped_at_s = theirs.memory, theirs.stepped_at_s

    def look_again(self, now_s: float, view: TargetView) -> Observation:
        """An observation from newer samples that leaves what is remembered as it is: for the last check of a down."""
        known = self._of(view.target.key)
        seen = observe(view.target, view.desired, view.replicas, view.samples, known.window, now_s)[0]
        return _with_queue(seen, _looked(known.queue, view, seen, now_s), now_s)

    def remember(self, target: str, memory: Memory, history: Mapping[str, Series]) -> None:
        """Take up a target where a ledger says that it was left, unless it is known already."""
        if target not in self._known:
            self._known[target] = _Known(memory=memory, history=LoadHistory.of(history))

    def knows(self, target: str) -> bool:
        """Whether a target was stepped or taken up."""
        return target in self._known

    def adopt(self, new: Fit) -> None:
        """Use the forecasters that a worker fitted, unless newer ones are in use."""
        known = self._of(new.target)
        if known.fitted_at_s is None or new.fitted_at_s > known.fitted_at_s:
            known.forecasters = {q: restore(new.forecaster, new.states[q]) for q in QUANTITIES}
            known.fitted_at_s = new.fitted_at_s

    def refit(self, target: str, now_s: float, horizon_s: float) -> None:
        """Fit here and now: what workers do for the controller, for those who have no workers."""
        made = fit_target(target, self._of(target).history.series(), now_s, horizon_s)
        if made is not None:
            self.adopt(made)

    def _target_inputs(self, view: TargetView, now_s: float) -> TargetInputs:
        known = self._of(view.target.key)
        observation, known.window = observe(view.target, view.desired, view.replicas, view.samples, known.window, now_s)
        known.queue = _looked(known.queue, view, observation, now_s)
        observation = rounded_observation(_with_queue(observation, known.queue, now_s))
        known.history = known.history.adding(observation.load, now_s)
        known.recent = known.recent.adding(observation.load, now_s)
        starts = known_cold_starts(view.target, view.cold_starts)
        if observation.load is not None:
            known.cached_share = followed_share(known.cached_share, observation.load.cached_share)
        forecast = self._forecast(view, known, starts, now_s)
        around = replace(view.surroundings, arriving_rps=_arriving(known.queue, observation, now_s))
        return TargetInputs(view.target, observation, forecast, starts, known.memory, around)

    def _forecast(
        self, view: TargetView, known: _Known, cold_starts: Mapping[str, ColdStart], now_s: float
    ) -> Forecast | None:
        """The load over one cold start and one interval: what is asked for now is Ready no sooner."""
        target, horizon_s = view.target, horizon(view.target, cold_starts, view.desired)
        made, history = {}, known.history.series()
        for quantity, series in history.items():
            forecaster = known.forecasters[quantity]
            try:
                forecaster.update(series)
            except NoHistory:
                return None
            made[quantity] = forecaster.predict(now_s, horizon_s)
        if not made:
            return None
        rates, prompts, answers = (made[quantity] for quantity in QUANTITIES)
        cached = known.cached_share or 0.0
        costs = () if cached > MOST_CACHED else side_costs(target)
        regimes = find_regimes(known.recent.minutes(now_s, costs, cached), horizon_s, LAG_S)
        level = load_level(known.recent, now_s, costs, cached)
        present = None if level is None else level.load
        recent = None if target.split else known.recent.mean_rps(now_s, LULL_S, costs, cached, present)
        forecast = Forecast(
            *(target.key, now_s, horizon_s, rates, prompts, answers, known.fitted_at_s),
            regimes=regimes,
            recent_rps=recent,
            level=level,
        )
        return rounded_forecast(self._with_work(target, known, forecast, history))

    def _with_work(self, target: Target, known: _Known, forecast: Forecast, history: Mapping[str, Series]) -> Forecast:
        """The forecast with that of the work that comes, where that is what fills a replica, and with how restless what
        fills it is."""
        cached, rates = known.cached_share or 0.0, history[QUANTITIES[0]]
        noise = forecast.level.noise if forecast.level else 0.0
        if cached > MOST_CACHED:
            return replace(forecast, volatility=volatility(rates, rates, noise))
        found = []
        for cost, forecaster in zip(side_costs(target), known.work_forecasters, strict=False):
            series = work_series(history, cost, cached)
            forecaster.update(series)
            work = forecaster.predict(forecast.made_at_s, forecast.horizon_s)
            found.append(SideForecast(work, volatility=volatility(series, rates, noise)))
        restless = max(side.volatility for side in found)
        told = replace(forecast, work_cached_share=cached, volatility=restless)
        if not target.split:
            return replace(told, work_s_per_s=found[0].work_s_per_s)
        sides = zip(found, side_costs(target), strict=True)
        return replace(told, sides=tuple(_with_regimes(one, known.recent, cost, told) for one, cost in sides))

    def _of(self, target: str) -> _Known:
        return self._known.setdefault(target, _Known())


def _with_regimes(side: SideForecast, recent: RecentLoad, cost: StepCost, told: Forecast) -> SideForecast:
    minutes = recent.minutes(told.made_at_s, (cost,), told.work_cached_share)
    return replace(side, regimes=find_regimes(minutes, told.horizon_s, LAG_S))


def _looked(queue: GatewayQueue, view: TargetView, seen: Observation, now_s: float) -> GatewayQueue:
    return queue.adding(view.surroundings.waiting_requests, now_s, _served(seen))


def _served(seen: Observation) -> bool:
    return any(v.ready for v in seen.variants)


def _with_queue(seen: Observation, queue: GatewayQueue, now_s: float) -> Observation:
    """With what came to the gateway in its load, so that what is forecast, planned and told is what came, and not what
    was served."""
    return replace(seen, load=queue.completed(seen.load, now_s))


def _arriving(queue: GatewayQueue, seen: Observation, now_s: float) -> float | None:
    rate = queue.arriving_rps(now_s) if seen.load is None else None
    return None if rate is None else rounded(rate, SEEN_DIGITS)


def horizon(target: Target, cold_starts: Mapping[str, ColdStart], wanted: Mapping[str, int] | None = None) -> float:
    """Seconds to look ahead: a cold start (its 90th percentile) and one interval.

    It is that of the replicas that are `wanted` by variant, in the mean over the dollars of a role, and of the slower
    role: one L40S beside a dozen H100s does not make these come later. Where none is wanted, it is the slowest
    variant's.
    """
    roles = [_mean_start(target, role, cold_starts, wanted or {}) for role in Role]
    known = [start_s for start_s in roles if start_s is not None]
    return max(known or (start.p90_s for start in cold_starts.values())) + target.policy.interval_s


def _mean_start(
    target: Target, role: Role, cold_starts: Mapping[str, ColdStart], wanted: Mapping[str, int]
) -> float | None:
    usd = {v.name: v.usd_per_replica_hour * wanted.get(v.name, 0) for v in target.variants if v.role is role}
    total = sum(usd.values())
    return sum(cold_starts[name].p90_s * share for name, share in usd.items()) / total if total > 0 else None


def fit_target(target: str, history: Mapping[str, Series], now_s: float, horizon_s: float) -> Fit | None:
    """The ensemble, fitted to each quantity, with the losses for the first; None where there is no history yet."""
    try:
        best = fit_best(history[QUANTITIES[0]], horizon_s)
        states = {QUANTITIES[0]: best.state_json, **{q: fit(best.name, history[q]) for q in QUANTITIES[1:]}}
    except (KeyError, NoHistory):
        return None
    return Fit(target, now_s, best.name, states, best.losses)
