"""The loop with the fakes that are shipped beside its ports: what it does when all is well, and when something is
away."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from controlplane.adapters.clock import ManualClock, monotonic_s
from controlplane.adapters.http_scraper import FakeScraper
from controlplane.adapters.kube_actuator import FakeActuator
from controlplane.adapters.kube_cluster import FakeCluster
from controlplane.adapters.kube_reporter import FakeReporter
from controlplane.adapters.snapshot import MemorySnapshot
from controlplane.adapters.spool import MemorySpool
from controlplane.controller.board import Board
from controlplane.controller.bookkeeping import Bookkeeping, _was_cold
from controlplane.controller.directing import Directing
from controlplane.controller.loop import Controller, Ports
from controlplane.controller.pulse import Pulse
from controlplane.controller.teller import Teller
from controlplane.domain.decision import Actuation, ActuationResult, Tick, Verdict
from controlplane.domain.observation import Replica, ReplicaPhase
from controlplane.domain.ports import ClusterState, ClusterUnavailable, TargetProblem
from controlplane.domain.target import Mode
from controlplane.planning import replay_group
from controlplane.planning.replay import memories_after
from controlplane.simulation.fleet import Fleet
from controlplane.simulation.scenario import load_scenario
from controlplane.store.directives import MemoryDirectives
from controlplane.store.ledger import MemoryLedger

T0 = 1_767_600_000.0
INTERVAL_S = 15.0


class World:
    """A simulated fleet behind fakes, so that pages are real and everything else can be broken at will."""

    def __init__(self, mode: Mode = Mode.LIVE, replicas: int = 2, load: bool = True) -> None:
        scenario = load_scenario("chat-8b")
        target = scenario.targets[0]
        self.target = replace(target, policy=replace(target.policy, mode=mode))
        wanted = {w.key: replicas for w in scenario.workloads}
        traffic = scenario.generated() if load else {}
        self.fleet = Fleet(scenario.workloads, traffic, scenario.inventory, T0, 1, wanted)
        self.clock = ManualClock(T0)
        self.cluster = FakeCluster(None)
        self.scraper = FakeScraper(self.clock, {})
        self.actuator = FakeActuator()
        self.reporter = FakeReporter()
        self.board = Board(self.clock)
        self.pulse = Pulse()
        self.spool = MemorySpool()
        self.ledger = MemoryLedger()
        self.directives = MemoryDirectives()
        self.snapshot = MemorySnapshot()
        self.real_s = 0.0
        self.controller = self.start()

    def start(self) -> Controller:
        """A controller process that begins anew, with what the ledger kept."""
        books = Bookkeeping(self.ledger, self.clock, lambda: self.real_s, Directing(self.directives, self.snapshot))
        self.teller = Teller(self.reporter, self.board, self.clock, lambda: self.real_s)
        ports = Ports(
            self.clock,
            self.cluster,
            self.scraper,
            self.actuator,
            self.spool,
            books,
            lambda: self.real_s,
            self.teller,
            self.pulse,
        )
        return Controller(ports)

    async def tick(self, count: int = 1, silent: bool = False) -> list[Tick]:
        """Let the fleet play and the controller tick; returns the ledger's ticks."""
        for _ in range(count):
            self.clock.advance(INTERVAL_S)
            self.real_s += 6.0
            self.fleet.advance(self.clock.now_s())
            names = [p.name for p in self.fleet.pods() if p.ready_at_s is not None]
            self.scraper.pages = {} if silent else {name: self.fleet.metrics_page(name) for name in names}
            self.cluster.current = self.state()
            await self.controller.tick_all()
            await self.teller.settle()
        return sorted(self.ledger.ticks.values(), key=lambda t: t.at_s)

    def state(self, problems: tuple[TargetProblem, ...] = ()) -> ClusterState:
        key = self.target.key
        desired = self.fleet.desired(key)
        versions = dict.fromkeys(desired, "7")
        return ClusterState(
            (self.target,),
            problems,
            {key: desired},
            {key: self.fleet.replicas(key)},
            {key: versions},
            self.fleet.inventory(),
        )


async def test_a_tick_is_decided_patched_recorded_and_reported() -> None:
    world = World(replicas=1)
    world.target = replace(world.target, variants=tuple(replace(v, min_replicas=3) for v in world.target.variants))
    (*_, tick) = await world.tick(3)
    moved = [call for call in world.actuator.applied if call.replicas_to == 3]
    assert {call.variant for call in moved} == {"h100", "l40s"}
    assert all(call.resource_version == "7" for call in moved)
    assert {a.result for a in tick.actuations} == {ActuationResult.APPLIED}
    status = world.reporter.statuses[world.target.key]
    assert (status.verdict, status.reason, status.desired) == (tick.decision.verdict, tick.decision.reason, 6)
    assert {notice.reason for _, notice in world.reporter.notices} == {"ScaledUp"}
    assert world.spool.pending() == []
    assert world.ledger.mirrored[world.target.key] == world.target
    assert any(tick.inputs.forecast for tick in world.ledger.ticks.values())


async def test_the_intent_is_kept_before_the_patch_and_the_record_after() -> None:
    world = World(replicas=1)
    world.target = replace(world.target, variants=tuple(replace(v, min_replicas=3) for v in world.target.variants))
    await world.tick(3)
    kinds = [(kind, bool(tick.actuations)) for kind, tick in world.spool.log if tick.decision.verdict is Verdict.UP]
    assert kinds[:2] == [("intent", False), ("record", True)]


async def test_recorded_ticks_replay_exactly() -> None:
    world = World()
    ticks = await world.tick(60)
    assert len(ticks) == 60
    assert all(result.reproduced for tick in ticks for result in replay_group([tick]))


async def test_shadow_decides_and_touches_nothing() -> None:
    world = World(Mode.SHADOW, replicas=8)
    ticks = await world.tick(70)
    assert any(t.decision.desired != t.decision.current for t in ticks)
    assert world.actuator.applied == []


async def test_a_down_is_checked_again_and_takes_the_idlest_first() -> None:
    world = World(replicas=6)
    ticks = await world.tick(70)  # nothing goes down for a quarter of an hour where no start was seen
    downs = [call for call in world.actuator.applied if call.replicas_to < call.replicas_from]
    assert downs
    assert all(len(call.idlest_first) == call.replicas_from - call.replicas_to for call in downs)
    assert all(t.validation is not None and t.validation.allowed for t in ticks if t.decision.verdict is Verdict.DOWN)


async def test_a_ledger_that_is_away_stops_nothing_and_loses_nothing() -> None:
    world = World()
    await world.tick(2)
    world.ledger.away = True
    await world.tick(4)
    assert len(world.spool.pending()) == 4
    world.ledger.away = False
    world.real_s += 60.0
    ticks = await world.tick(1)
    assert [t.at_s for t in ticks] == [T0 + INTERVAL_S * n for n in range(1, 8)]
    assert world.spool.pending() == []


async def test_a_spool_that_cannot_be_written_holds_downs_and_lets_ups_go() -> None:
    world = World(replicas=8)
    world.spool.broken = True
    ticks = await world.tick(70)
    assert all(call.replicas_to > call.replicas_from for call in world.actuator.applied)
    assert any("the spool cannot be written" in t.decision.reason for t in ticks)
    assert len(ticks) == 70


class _LateFailure(MemorySpool):
    """A spool whose disk fills up between the probe and the intent."""

    def writable(self) -> bool:
        return True


async def test_an_intent_that_fails_after_the_probe_still_holds_the_down() -> None:
    world = World(replicas=8)
    world.spool = _LateFailure()
    world.spool.broken = True
    world.controller = world.start()
    ticks = await world.tick(70)
    refused = [a for t in ticks for a in t.actuations if a.result is ActuationResult.REFUSED]
    assert all(call.replicas_to > call.replicas_from for call in world.actuator.applied)
    assert {a.detail for a in refused} == {"the intent could not be kept"}


async def test_replicas_that_do_not_answer_are_an_abstention_not_a_zero() -> None:
    world = World()
    ticks = await world.tick(2, silent=True)
    assert {t.decision.verdict for t in ticks} == {Verdict.ABSTAIN}
    assert ticks[-1].inputs.observation.load is None
    assert {f.kind for f in ticks[-1].inputs.observation.faults} == {"Unreachable"}


async def test_a_conflict_is_recorded_and_left_to_the_next_tick() -> None:
    world = World(replicas=1)
    world.actuator.result = ActuationResult.CONFLICT
    world.target = replace(world.target, variants=tuple(replace(v, min_replicas=2) for v in world.target.variants))
    ticks = await world.tick(3)
    conflicts = [a for t in ticks for a in t.actuations]
    assert conflicts
    assert {a.result for a in conflicts} == {ActuationResult.CONFLICT}
    assert len(conflicts) == len(world.actuator.applied)
    # What was not done does not count against the rates, and the record says so.
    assert all(t.inputs.memory.scale_events == () for t in ticks)
    assert all(result.reproduced for tick in ticks for result in replay_group([tick]))
    assert memories_after(ticks[-1:])[world.target.key].scale_events == ()


async def test_a_wrong_resource_is_told_once_and_disturbs_no_other() -> None:
    world = World()
    await world.tick(1)
    problem = TargetProblem("default", "bad", "spec.model", "is 'x'")
    for _ in range(2):
        world.clock.advance(INTERVAL_S)
        world.cluster.current = world.state((problem,))
        await world.controller.tick_all()
        await world.teller.settle()
    told = [status for key, status in world.reporter.written if key == "default/bad"]
    assert [s.conditions[0].message for s in told] == ["spec.model: is 'x'"]
    assert [n.reason for key, n in world.reporter.notices if key == "default/bad"] == ["InvalidSpec"]
    assert len(world.ledger.ticks) == 3


async def test_a_cluster_that_is_away_is_no_tick() -> None:
    world = World()
    with pytest.raises(ClusterUnavailable):
        await world.controller.tick_all()
    assert await world.controller._guarded_tick() == 1.0


async def test_a_restart_goes_on_with_what_the_ledger_kept() -> None:
    world = World()
    before = (await world.tick(6))[-1]
    world.controller = world.start()
    (*_, after) = await world.tick(1)
    assert after.inputs.memory == memories_after([before])[world.target.key]
    assert after.inputs.forecast is not None
    kept = world.controller.steppers["default"]._known[world.target.key].history
    assert sum(kept.counts) >= 2


async def test_cold_starts_are_measured_and_used() -> None:
    world = World(replicas=1)
    world.fleet.set_replicas("default/chat-h100", 3)
    ticks = await world.tick(20)
    measured = world.ledger.cold_starts()["default/chat"]["h100"]
    assert measured.samples == 2
    assert 100 < measured.p50_s < 300
    assert ticks[-1].inputs.cold_starts["h100"] == measured


async def test_a_target_that_is_off_is_not_looked_at() -> None:
    world = World(Mode.OFF)
    assert await world.tick(2) == []


def test_a_replica_that_was_ready_at_once_tells_no_cold_start() -> None:
    warm = Replica("a", "h100", ReplicaPhase.READY, T0, T0)
    assert not _was_cold(warm)
    assert _was_cold(replace(warm, ready_at_s=T0 + 1))


class Slow(FakeActuator):
    """A patch that takes until `gate` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.begun = asyncio.Event()

    async def apply(self, *args: Any, **more: Any) -> Actuation:
        self.begun.set()
        await self.gate.wait()
        return await super().apply(*args, **more)


async def slow_world() -> tuple[World, Slow]:
    """Both variants have to go up, and the first patch does not come back."""
    world, slow = World(replicas=1), Slow()
    await world.tick(2)
    world.ledger.ticks.clear()
    world.spool.log.clear()
    world.target = replace(world.target, variants=tuple(replace(v, min_replicas=3) for v in world.target.variants))
    world.controller.ports.actuator = slow
    world.cluster.current = world.state()
    return world, slow


async def stopped_in_the_middle(world: World, slow: Slow, answer: bool) -> float:
    """Stop the controller while a patch is under way; returns how long it took, seconds."""
    leading = asyncio.Event()
    leading.set()
    run = asyncio.create_task(world.controller.run(leading))
    await asyncio.wait_for(slow.begun.wait(), 20.0)
    began_s = monotonic_s()
    run.cancel()
    if answer:
        asyncio.get_running_loop().call_later(0.05, slow.gate.set)
    await asyncio.gather(run, return_exceptions=True)
    return monotonic_s() - began_s


async def test_a_stop_waits_for_the_patch_under_way_and_begins_no_other() -> None:
    world, slow = await slow_world()
    took_s = await stopped_in_the_middle(world, slow, answer=True)
    assert took_s < 1.0
    assert len(slow.applied) == 1
    (tick,) = world.ledger.ticks.values()
    assert [a.result for a in tick.actuations] == [ActuationResult.APPLIED, ActuationResult.REFUSED]
    assert tick.actuations[1].detail == "the controller is being stopped"


async def test_a_patch_that_does_not_come_back_is_recorded_as_unknown() -> None:
    world, slow = await slow_world()
    took_s = await stopped_in_the_middle(world, slow, answer=False)
    assert took_s < 1.5
    (tick,) = world.spool.pending()
    assert {a.result for a in tick.actuations} == {ActuationResult.UNKNOWN}
    assert [kind for kind, _ in world.spool.log] == ["intent", "record"]


async def test_who_leads_again_takes_up_what_another_left() -> None:
    world = World(replicas=2)
    await world.tick(2)
    leading = asyncio.Event()
    run = asyncio.create_task(world.controller.run(leading))
    await asyncio.sleep(0)
    before = dict(world.controller.steppers)
    leading.set()
    while world.controller.steppers == before:
        await asyncio.sleep(0.01)
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
