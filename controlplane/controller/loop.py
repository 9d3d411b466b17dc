"""One tick, and the loop around it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from uuid import uuid4

from controlplane.controller import collector
from controlplane.controller.bookkeeping import Bookkeeping
from controlplane.controller.governing import Governing
from controlplane.controller.pulse import Pulse
from controlplane.controller.seen import Seen
from controlplane.controller.teller import Teller
from controlplane.domain.decision import Actuation, ActuationResult, Decision, Tick, Validation, Verdict
from controlplane.domain.observation import ManualScale
from controlplane.domain.ports import (
    Actuator,
    Clock,
    Cluster,
    ClusterState,
    ClusterUnavailable,
    IntentLog,
    Scraper,
    SpoolUnavailable,
    TargetProblem,
)
from controlplane.domain.status import Told
from controlplane.domain.target import Mode, Target, Variant
from controlplane.planning import sentences, validate
from controlplane.planning.records import ticks_of
from controlplane.planning.stepper import GroupStepper, TargetView

SHORTEST_TICK_REAL_S = 1.0
"""Real seconds from tick to tick at least: a fast clock must not turn the loop into a storm of requests."""

LAST_TICK_REAL_S = 1.0
"""Real seconds that a tick under way may still take when the controller is stopped: its patches are tens of ms each,
and the lease is to be free within two seconds."""
STANDBY_REAL_S = 5.0
"""Real seconds between looks of one that waits to lead at what an earlier term of its own left in the spool."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Ports:
    """Everything outside that the loop touches. `real_s` gives real seconds, for durations and the shortest tick."""

    clock: Clock
    cluster: Cluster
    scraper: Scraper
    actuator: Actuator
    spool: IntentLog
    books: Bookkeeping
    real_s: Callable[[], float]
    teller: Teller
    pulse: Pulse
    governing: Governing = field(default_factory=Governing)
    recall: Callable[[str, Sequence[ManualScale]], None] = lambda _key, _manual: None
    """Is told, before the first tick of a leadership, which counts people had set by hand."""


@dataclass(slots=True)
class Controller:
    """Ticks every group of targets that the cluster holds."""

    ports: Ports
    steppers: dict[str, GroupStepper] = field(default_factory=dict)
    _stopping: bool = False

    async def run(self, leading: asyncio.Event) -> None:
        """Tick while we lead, until cancelled; a tick under way is finished, or what it did is recorded."""
        while True:
            if not leading.is_set():
                await self._stand_by(leading)
            began_s = self.ports.real_s()
            self.ports.pulse.turns(began_s)
            tick = asyncio.create_task(self._guarded_tick())
            try:
                interval_s = await asyncio.shield(tick)
            except asyncio.CancelledError:
                await self._let_finish(tick)
                raise
            spent_s = self.ports.real_s() - began_s
            wait_s = max(interval_s / self.ports.clock.speed, SHORTEST_TICK_REAL_S) - spent_s
            await asyncio.sleep(max(0.0, wait_s))

    async def _stand_by(self, leading: asyncio.Event) -> None:
        """Wait to lead; what another has done since is taken up from the ledger, not from our own memory."""
        self.ports.pulse.waits()
        while not leading.is_set():
            if self.ports.spool.pending():
                await self.ports.books.after(self.ports.spool)
            with suppress(TimeoutError):
                async with asyncio.timeout(STANDBY_REAL_S):
                    await leading.wait()
        self.steppers.clear()
        self.ports.books.forget()
        self.ports.governing.forget()
        for key, manual in (await self.ports.books.people()).items():
            self.ports.recall(key, manual)

    async def _let_finish(self, tick: asyncio.Task[float]) -> None:
        """Begin no more patches; wait for those under way, and not for long."""
        self._stopping = True
        await asyncio.wait({tick}, timeout=LAST_TICK_REAL_S)
        tick.cancel()
        await asyncio.gather(tick, return_exceptions=True)

    async def _guarded_tick(self) -> float:
        """One tick whose failure is logged and never ends the loop; returns seconds of the clock to the next one."""
        try:
            interval_s = await self.tick_all()
            self.ports.pulse.ticked(self.ports.real_s(), interval_s / self.ports.clock.speed)
            return interval_s
        except ClusterUnavailable as error:
            _log.warning("no tick: %s", error)
        except Exception:  # noqa: BLE001 (the loop's edge: whatever it is, the next tick tries again)
            _log.exception("a tick failed (%d before it)", self.ports.pulse.failed)
        self.ports.pulse.fails()
        return SHORTEST_TICK_REAL_S * self.ports.clock.speed

    async def tick_all(self) -> float:
        """One tick of every group; returns the shortest interval that a target asks for.

        Raises:
            ClusterUnavailable: if the cluster cannot be read.
        """
        await self.ports.governing.refresh()
        state = await self.ports.cluster.state()
        await self.ports.books.before(state, self._stepper)
        state = self.ports.books.directing.applied(state, self.ports.clock.now_s())
        by_group = collector.groups(state)
        for group, targets in by_group.items():
            await self.tick(group, targets, state)
        self._tell_others(state)
        await self.ports.books.after(self.ports.spool)
        await self.ports.governing.note_present(state)
        return min((t.policy.interval_s for targets in by_group.values() for t in targets), default=15.0)

    async def tick(self, group: str, targets: Sequence[Target], state: ClusterState) -> list[Tick]:
        """The way of one decision: observe, decide, keep the intent, validate, actuate, record, report."""
        ports, began_s = self.ports, self.ports.real_s()
        views = [await collector.view(ports.scraper, state, t, ports.books.cold_starts(t)) for t in targets]
        now_s, writable = ports.clock.now_s(), ports.spool.writable()
        stepper = self._stepper(group)
        step = stepper.step(now_s, views, state.inventory, writable)
        seen = Seen(group, now_s, views, state, writable)
        step, trial = await ports.governing.trials.decide(stepper, step, seen)
        intended = ticks_of(group, step, group_tick_id(step.inputs.now_s))
        kept = self._intend([tick for tick in intended if _moves(tick)])
        by_key = {view.target.key: view for view in views}
        done = await self._carry_out_all(intended, by_key, state, kept)
        for tick in done:
            (trial or stepper).settle(tick.inputs.target.key, tick.actuations)
        if trial is not None:
            stepper.recall(trial, ports.governing.trials.untouched(seen))
        took_s = ports.real_s() - began_s
        ports.teller.board.took(took_s)
        done = [replace(tick, duration_s=took_s) for tick in done]
        self._record(done)
        for tick in done:
            self._tell(tick, by_key[tick.inputs.target.key], state)
        ports.governing.shadows.offer(stepper, seen, done)
        return done

    def _stepper(self, group: str) -> GroupStepper:
        return self.steppers.setdefault(group, GroupStepper(group))

    def _intend(self, ticks: Sequence[Tick]) -> bool:
        """Keep what is about to be done; whether it is kept. Ups go on without: users must not wait for a full disk."""
        try:
            if ticks:
                self.ports.spool.intend(ticks)
        except SpoolUnavailable as error:
            _log.error("an intent cannot be kept, ups go on and downs are held: %s", error)
            return False
        return True

    def _record(self, ticks: Sequence[Tick]) -> None:
        try:
            self.ports.spool.record(ticks)
        except SpoolUnavailable as error:
            _log.error("ticks are kept in memory alone until the ledger has them: %s", error)

    async def _carry_out_all(
        self, intended: Sequence[Tick], seen: Mapping[str, TargetView], state: ClusterState, kept: bool
    ) -> list[Tick]:
        done: list[Tick] = []
        try:
            for tick in intended:
                done.append(await self._carry_out(tick, seen[tick.inputs.target.key], state, kept))
        except asyncio.CancelledError:
            under_way, *untouched = intended[len(done) :]
            left = [
                _unsent(tick, ActuationResult.REFUSED, "the controller was stopped before it") for tick in untouched
            ]
            unsure = _unsent(under_way, ActuationResult.UNKNOWN, "the controller was stopped while it was under way")
            self._record([*done, unsure, *left])
            raise
        return done

    async def _carry_out(self, tick: Tick, seen: TargetView, state: ClusterState, kept: bool) -> Tick:
        """Validate a down, then patch what changed; in Shadow nothing is touched."""
        target, decision = tick.inputs.target, tick.decision
        if not _moves(tick):
            return tick
        if target.policy.mode is not Mode.LIVE:
            return tick
        validation = await self._validate(tick, seen) if _goes_down(decision) else None
        refusal = _refusal(validation, kept)
        actuations = []
        for variant in target.variants:
            before, after = decision.current[variant.name], decision.desired[variant.name]
            if before == after:
                continue
            if self._stopping:
                words = "the controller is being stopped"
                actuations.append(Actuation(variant.name, before, after, ActuationResult.REFUSED, words))
            elif refusal and after < before:
                actuations.append(Actuation(variant.name, before, after, ActuationResult.REFUSED, refusal))
            else:
                actuations.append(await self._patch(target, variant, before, after, seen, state))
        return replace(tick, validation=validation, actuations=tuple(actuations))

    async def _validate(self, tick: Tick, seen: TargetView) -> Validation:
        """Look once more, at this moment, before anything goes down."""
        target = tick.inputs.target
        pages = await self.ports.scraper.scrape(target, seen.replicas)
        again = replace(seen, samples=collector.samples(pages))
        newest = self._stepper(tick.group).look_again(self.ports.clock.now_s(), again)
        return validate(tick.decision, tick.inputs, tick.plan, newest)

    async def _patch(
        self, target: Target, variant: Variant, before: int, after: int, seen: TargetView, state: ClusterState
    ) -> Actuation:
        version = state.resource_versions.get(target.key, {}).get(variant.name)
        first = collector.idlest_first(seen.samples, variant.name)[: before - after] if after < before else []
        return await self.ports.actuator.apply(target, variant, before, after, version, first)

    def _tell(self, tick: Tick, seen: TargetView, state: ClusterState) -> None:
        target = tick.inputs.target
        problems = tuple(f"{p.field}: {p.message}" for p in state.problems if _is_of(p, target))
        self.ports.teller.hear(Told(tick, tuple(seen.replicas), problems))
        if tick.decision.verdict in (Verdict.UP, Verdict.DOWN):
            _log.info("%s\n  %s", target.key, "\n  ".join(sentences(tick)))

    def _tell_others(self, state: ClusterState) -> None:
        """Of those that are not ticked: what is wrong with them, or that they are Off; and forget who is gone."""
        usable, ticked = {t.key for t in state.targets}, _ticked(state)
        unusable = [p for p in state.problems if f"{p.namespace}/{p.name}" not in ticked]
        keys = {f"{p.namespace}/{p.name}" for p in unusable}
        self.ports.teller.keep(usable, keys)
        self.ports.teller.board.keep(ticked)
        missing = [p for p in unusable if f"{p.namespace}/{p.name}" in usable]
        self.ports.teller.hear_problems([p for p in unusable if p not in missing], "InvalidSpec")
        self.ports.teller.hear_problems(missing, "ScaleTargetUnusable")
        for target in state.targets:
            if target.policy.mode is Mode.OFF and target.key not in keys:
                self.ports.teller.hear_off(target)


def group_tick_id(now_s: float) -> str:
    """32 digits that begin with the time in milliseconds, as a UUID of version 7: the ledger finds its part by them."""
    return f"{round(now_s * 1000.0):012x}{uuid4().hex[12:]}"


def _refusal(validation: Validation | None, kept: bool) -> str:
    """Why nothing may go down now; empty where it may."""
    if not kept:
        return "the intent could not be kept"
    return "" if validation is None or validation.allowed else validation.reason


def _unsent(tick: Tick, result: ActuationResult, why: str) -> Tick:
    """The tick with that result for each count that it would have changed; in Shadow it would have changed none."""
    decision = tick.decision
    if tick.inputs.target.policy.mode is not Mode.LIVE:
        return tick
    moved = [(name, decision.current.get(name, to), to) for name, to in decision.desired.items()]
    return replace(tick, actuations=tuple(Actuation(n, a, b, result, why) for n, a, b in moved if a != b))


def _moves(tick: Tick) -> bool:
    return tick.decision.desired != tick.decision.current


def _goes_down(decision: Decision) -> bool:
    return any(after < decision.current.get(name, after) for name, after in decision.desired.items())


def _ticked(state: ClusterState) -> set[str]:
    """Keys of the targets that are ticked."""
    return {target.key for targets in collector.groups(state).values() for target in targets}


def _is_of(problem: TargetProblem, target: Target) -> bool:
    return (problem.namespace, problem.name) == (target.namespace, target.name)
