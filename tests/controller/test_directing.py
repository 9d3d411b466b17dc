"""What people said reaches the next decision, survives outages and restarts, and ends by the clock."""

from __future__ import annotations

from dataclasses import replace

from controlplane.domain.decision import Tick, Verdict
from controlplane.domain.directives import DirectiveSet, ScopedFreeze
from controlplane.domain.target import Freeze, FreezeDirection, Mode, Origin, Override, OverrideKind
from controlplane.planning import replay_group
from tests.controller.test_loop import INTERVAL_S, T0, World


def pin(replicas: int, until_s: float) -> Override:
    return Override(OverrideKind.PIN, replicas, "h100", until_s, "ada", "load test", Origin.API, "o1", T0)


def freeze(direction: FreezeDirection, start_s: float, end_s: float) -> DirectiveSet:
    return DirectiveSet(freezes=(ScopedFreeze(None, None, Freeze(direction, start_s, end_s, "bob", "launch day")),))


def words(tick: Tick, rule: str) -> str:
    return next(r.reason for r in tick.decision.trail if r.rule == rule)


def away(world: World) -> None:
    world.ledger.away = world.directives.away = True


async def test_a_pin_acts_at_the_next_tick_and_ends_by_itself() -> None:
    world = World(replicas=2)
    await world.tick(3)
    until_s = world.clock.now_s() + 4.5 * INTERVAL_S
    world.directives.data = DirectiveSet({world.target.key: (pin(5, until_s),)})
    ticks = await world.tick(8)
    assert words(ticks[2], "override") == "no override"
    assert [t.decision.desired["h100"] for t in ticks[3:7]] == [5] * 4
    assert all("h100 pinned to 5 by ada until 2026-01-05T08:01Z: load test" in t.decision.reason for t in ticks[3:7])
    assert words(ticks[7], "override") == "no override"
    assert all(result.reproduced for tick in ticks for result in replay_group([tick]))
    assert world.ledger.mirrored[world.target.key].policy.overrides == ()
    reasons = [notice.reason for _, notice in world.reporter.notices]
    assert (reasons.count("OverrideActive"), reasons.count("OverrideEnded")) == (1, 1)
    assert world.snapshot.saves == 2


async def test_a_restart_while_the_ledger_is_away_forgets_no_freeze() -> None:
    world = World(replicas=4)
    begins_s, ends_s = T0 + 4.5 * INTERVAL_S, T0 + 9.5 * INTERVAL_S
    world.directives.data = freeze(FreezeDirection.BOTH, begins_s, ends_s)
    await world.tick(2)
    away(world)
    world.controller = world.start()
    # Whatever asks the ledger first at a start: what people said must not depend on whose turn it is.
    world.controller.ports.books._away_until_s = world.real_s + 20.0
    world.target = replace(world.target, variants=tuple(replace(v, min_replicas=6) for v in world.target.variants))
    await world.tick(10)
    world.ledger.away = world.directives.away = False
    world.real_s += 10.0
    ticks = await world.tick(1)
    frozen = [t for t in ticks if words(t, "freeze") != "not frozen"]
    assert [t.at_s for t in frozen] == [T0 + n * INTERVAL_S for n in (5, 6, 7, 8, 9)]
    assert all(t.decision.desired == t.decision.current for t in frozen)
    assert "frozen by bob until" in frozen[0].decision.reason


async def test_without_a_snapshot_nothing_goes_down_until_the_ledger_is_back() -> None:
    world = World(replicas=6)
    world.snapshot.broken = True
    away(world)
    await world.tick(66)
    world.ledger.away = world.directives.away = False
    world.real_s += 10.0
    ticks = await world.tick(20)
    blind = [t for t in ticks if "there is no snapshot" in words(t, "freeze")]
    assert len(blind) >= 30
    assert not [t for t in blind if t.decision.verdict is Verdict.DOWN]
    assert [t for t in ticks if t.decision.verdict is Verdict.DOWN]


async def test_the_ledger_is_asked_once_a_tick_and_the_snapshot_written_on_a_change() -> None:
    world = World(Mode.SHADOW)
    world.directives.data = freeze(FreezeDirection.DOWN, T0, T0 + 1e6)
    await world.tick(10)
    assert (world.directives.asked, world.snapshot.saves) == (10, 1)
    world.snapshot.broken = True
    world.directives.data = DirectiveSet()
    await world.tick(2)
    world.snapshot.broken = False
    await world.tick(2)
    assert (world.snapshot.saves, world.snapshot.kept) == (2, DirectiveSet())
