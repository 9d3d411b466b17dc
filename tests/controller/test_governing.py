"""Policies of the API in a real loop with fakes: shadows, canaries, and a ledger that is away."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from controlplane.adapters.policy_snapshot import MemoryPolicies, PolicySnapshotFile
from controlplane.controller.governing import Governing
from controlplane.domain.decision import Tick
from controlplane.domain.governed import Governed
from controlplane.domain.observation import Inventory, Surroundings
from controlplane.domain.policy_life import Canary, Stage
from controlplane.domain.ports import Candidate, ClusterState, TargetProblem
from controlplane.domain.target import Target
from controlplane.planning import replay_group
from controlplane.planning.stepper import GroupStepper, Step, TargetView
from tests.controller.test_loop import T0, World

LIVE = Governed("v-live", "p", "chat", 1, Stage.LIVE, ("default",), {})
SHADOW = Governed("v-new", "p", "chat", 2, Stage.SHADOW, ("default",), {})
CANARY = replace(SHADOW, stage=Stage.CANARY, canary=Canary(T0 + 600.0, variants=("l40s",)))


def at_least(target: Target, replicas: int) -> Target:
    """The same target with another version's bounds."""
    variants = tuple(replace(v, min_replicas=replicas) for v in target.variants)
    return replace(target, variants=variants, policy_version="v-new")


class Office(World):
    """A world whose target is a policy's Live version, with a candidate beside it that wants six of each variant."""

    def __init__(self, *known: Governed, replicas: int = 2) -> None:
        self.policies = MemoryPolicies(*known)
        self.candidate: Target | None = None
        super().__init__(replicas=replicas)
        self.target = replace(self.target, policy_version="v-live")
        self.candidate = at_least(self.target, 6)
        self.governing = Governing(self.policies, self.policies, self.clock, lambda: self.real_s)
        self.controller.ports.governing = self.governing

    def state(self, problems: tuple[TargetProblem, ...] = ()) -> ClusterState:
        state = super().state(problems)
        if self.candidate is None:
            return state
        key = self.target.key
        beside = Candidate(self.candidate, state.desired[key], state.replicas[key], Surroundings())
        return replace(state, candidates=(beside,))

    async def tick(self, count: int = 1, silent: bool = False) -> list[Tick]:
        ticks: list[Tick] = []
        for _ in range(count):
            ticks = await super().tick(1, silent)
            await self.governing.shadows.settle()
        return ticks


async def test_a_shadow_decides_on_the_same_observations_and_touches_nothing() -> None:
    world = Office(LIVE, SHADOW)
    ticks = await world.tick(5)
    rows = world.policies.rows
    assert [row.tick_id for row in rows] == [tick.id for tick in ticks[: len(rows)]]
    assert len(rows) >= 4
    assert {(row.version_id, row.target) for row in rows} == {("v-new", world.target.key)}
    assert rows[-1].desired == {"h100": 6, "l40s": 6}
    prices = {v.name: v.usd_per_replica_hour for v in world.target.variants}
    assert rows[-1].usd_per_hour == pytest.approx(6 * sum(prices.values()))
    assert rows[-1].live_desired == dict(ticks[len(rows) - 1].decision.desired)
    assert {tick.policy_version for tick in ticks} == {"v-live"}
    assert all(call.replicas_to != 6 for call in world.actuator.applied)


async def test_a_canary_decides_for_its_variant_alone_and_for_its_time() -> None:
    world = Office(LIVE, CANARY)
    ticks = await world.tick(4)
    assert {tick.policy_version for tick in ticks} == {"v-new"}
    moved = {call.variant for call in world.actuator.applied if call.replicas_to == 6}
    assert moved == {"l40s"}
    assert all(tick.decision.desired["h100"] <= 2 for tick in ticks)
    assert all(result.reproduced for tick in ticks for result in replay_group([tick]))
    world.clock.advance(600.0)
    (*_, after) = await world.tick(1)
    assert after.policy_version == "v-live"


class _Broken(GroupStepper):
    def fork(self) -> GroupStepper:
        return self

    def step(self, now_s: float, views: list[TargetView], inventory: Inventory, spool_writable: bool = True) -> Step:  # type: ignore[override]
        if any(view.target.policy_version == "v-new" for view in views):
            raise ZeroDivisionError("on purpose")
        return super().step(now_s, views, inventory, spool_writable)


@pytest.mark.parametrize("known", [SHADOW, CANARY])
async def test_a_candidate_that_breaks_is_counted_and_the_live_version_decides(known: Governed) -> None:
    world = Office(LIVE, known)
    world.controller.steppers["default"] = _Broken("default")
    ticks = await world.tick(3)
    assert [tick.policy_version for tick in ticks] == ["v-live"] * 3
    counted = world.governing.shadows.broke if known is SHADOW else world.governing.trials.failed
    assert counted == 3
    assert world.policies.rows == []


class _Slow(GroupStepper):
    gate = threading.Event()

    def fork(self) -> GroupStepper:
        return _Slow(self.group)

    def step(self, now_s: float, views: list[TargetView], inventory: Inventory, spool_writable: bool = True) -> Step:  # type: ignore[override]
        if any(view.target.policy_version == "v-new" for view in views):
            self.gate.wait(5.0)
        return super().step(now_s, views, inventory, spool_writable)


async def test_a_slow_shadow_lets_rounds_go_by_and_a_slow_canary_is_left_out() -> None:
    _Slow.gate.clear()
    world = Office(LIVE, SHADOW)
    world.controller.steppers["default"] = _Slow("default")
    for _ in range(4):
        await World.tick(world)
    assert (world.governing.shadows.went_by, len(world.ledger.ticks)) == (3, 4)
    _Slow.gate.set()
    await world.governing.shadows.settle()

    _Slow.gate.clear()
    world = Office(LIVE, CANARY)
    world.governing.trials.limit_real_s = 0.05
    world.controller.steppers["default"] = _Slow("default")
    (tick,) = await World.tick(world)
    _Slow.gate.set()
    assert (tick.policy_version, world.governing.trials.failed) == ("v-live", 1)


async def test_an_outage_forgets_no_policy(tmp_path: Path) -> None:
    file = PolicySnapshotFile(tmp_path / "policies.json")
    source = MemoryPolicies(replace(CANARY, spec={"model": "x"}), LIVE)
    now = 0.0
    first = Governing(source, file, World().clock, lambda: now)
    await first.refresh()
    assert file.load() == source.known
    source.away = True
    again = Governing(source, file, World().clock, lambda: now)
    await again.refresh()
    assert again.known == source.known
    assert len(again.manifests().deciding) == 1
    now = 100.0
    source.away, source.known = False, ()
    await again.refresh()
    assert (again.known, file.load()) == ((), ())


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"version": 2, "sha256": "", "body": ""}'])
async def test_a_damaged_copy_is_said_and_not_guessed_at(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(ValueError):  # noqa: PT011 (whichever way it is damaged)
        PolicySnapshotFile(tmp_path / "p.json").load()
    source = MemoryPolicies(LIVE)
    source.away = True
    governing = Governing(source, PolicySnapshotFile(tmp_path / "p.json"), World().clock, lambda: 0.0)
    await governing.refresh()
    assert governing.known is None
    assert governing.manifests().deciding == ()


async def test_rows_wait_for_a_ledger_that_is_away_and_who_is_named_is_noted() -> None:
    world = Office(LIVE, SHADOW)
    await world.tick(2)
    assert world.policies.present == (world.target.key,)
    world.policies.away = True
    await world.tick(3)
    kept = len(world.policies.rows)
    world.policies.away = False
    world.real_s += 10.0
    ticks = await world.tick(2)
    assert len(world.policies.rows) >= kept + 4
    assert {row.tick_id for row in world.policies.rows} <= {tick.id for tick in ticks}
