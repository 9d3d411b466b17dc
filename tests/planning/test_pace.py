"""Tolerance, the flap budget and the drain allowance, each by a table; and what came to nothing is no event."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlplane.domain.decision import (
    Actuation,
    ActuationResult,
    Memory,
    Recommendation,
    ScaleEvent,
)
from controlplane.domain.observation import Inventory, Replica, ReplicaPhase
from controlplane.domain.target import Mode, Policy, ScalingRules, Slo
from controlplane.planning.memory import settled
from controlplane.planning.replay import memories_after
from controlplane.planning.rules import BoundsRule, Case, DrainRule, FlapRule, ToleranceRule
from controlplane.planning.stepper import GroupStepper, TargetView
from tests.builders import NOW_S, make_group, make_inputs, make_observation, make_target, make_tick, make_variant

SLO = Slo(2.0, 0.1)


def case(memory: Memory | None = None, current: int = 20, terminating: int = 0, tolerance: float = 0.1) -> Case:
    rules = ScalingRules(60.0, (), tolerance=tolerance)
    policy = Policy(Mode.LIVE, SLO, scale_up=rules, scale_down=rules)
    target = make_target((replace(make_variant(low=19, high=21), drain_s=120.0), make_variant("l40s", "L40S")), policy)
    seen = make_observation(target, 5.0, {"h100": current, "l40s": 4})
    seen = replace(seen, variants=(replace(seen.variants[0], terminating=terminating), seen.variants[1]))
    return Case(make_inputs(target, seen, None, memory), NOW_S, {"h100": current, "l40s": 4}, None, True)


@pytest.mark.parametrize(
    ("proposed", "after"),
    [
        ({"h100": 22, "l40s": 4}, {"h100": 20, "l40s": 4}),
        ({"h100": 23, "l40s": 4}, {"h100": 23, "l40s": 4}),
        ({"h100": 18, "l40s": 4}, {"h100": 20, "l40s": 4}),
        ({"h100": 17, "l40s": 4}, {"h100": 17, "l40s": 4}),
        ({"h100": 21, "l40s": 1}, {"h100": 20, "l40s": 4}),  # one exchange: not half of it
        ({"h100": 19, "l40s": 6}, {"h100": 20, "l40s": 6}),
    ],
)
def test_a_change_within_the_tolerance_is_left_undone(proposed: dict[str, int], after: dict[str, int]) -> None:
    assert ToleranceRule().judge(case(), proposed).after == after


def test_tolerance_never_blocks_a_bound() -> None:
    now = case(current=18)
    tolerated = ToleranceRule().judge(now, {"h100": 19, "l40s": 4}).after
    assert BoundsRule().judge(now, tolerated).after["h100"] == 19


def swinging(turns: int) -> Memory:
    events = tuple(ScaleEvent(NOW_S - 3000.0 + 300.0 * i, "h100", (-1) ** i) for i in range(turns + 1))
    return Memory((Recommendation(NOW_S - 100.0, {"h100": 19, "l40s": 4}),), events)


@pytest.mark.parametrize(("turns", "after"), [(0, 17), (6, 17), (7, 19)])
def test_what_swings_too_often_must_agree_twice_as_long(turns: int, after: int) -> None:
    ruling = FlapRule().judge(case(swinging(turns)), {"h100": 17, "l40s": 4})
    assert ruling.after["h100"] == after
    if turns > 6:
        assert "h100 turned 7 times within the hour, more than 6" in ruling.reason
        assert FlapRule().judge(case(swinging(turns)), {"h100": 25, "l40s": 4}).after["h100"] == 25


@pytest.mark.parametrize(
    ("removed", "ago_s", "terminating", "after"),
    [(2, 60.0, 2, 20), (2, 60.0, 3, 20), (2, 60.0, 1, 17), (2, 121.0, 2, 17), (0, 0.0, 2, 17)],
)
def test_no_more_go_while_as_many_still_drain(removed: int, ago_s: float, terminating: int, after: int) -> None:
    memory = Memory(scale_events=(ScaleEvent(NOW_S - ago_s, "h100", -removed),) if removed else ())
    assert DrainRule().judge(case(memory, terminating=terminating), {"h100": 17, "l40s": 4}).after["h100"] == after


@pytest.mark.parametrize(
    ("result", "kept"),
    [
        (ActuationResult.APPLIED, True),
        (ActuationResult.UNKNOWN, True),
        (ActuationResult.CONFLICT, False),
        (ActuationResult.FAILED, False),
        (ActuationResult.REFUSED, False),
    ],
)
def test_what_came_to_nothing_is_no_scale_event(result: ActuationResult, kept: bool) -> None:
    earlier = ScaleEvent(NOW_S - 30.0, "h100", 2)
    memory = Memory(scale_events=(earlier, ScaleEvent(NOW_S, "h100", 2), ScaleEvent(NOW_S, "l40s", 1)))
    after = settled(memory, NOW_S, [Actuation("h100", 1, 3, result)])
    assert (len(after.scale_events) == 3) is kept
    assert earlier in after.scale_events
    assert ScaleEvent(NOW_S, "l40s", 1) in after.scale_events


def test_a_restart_remembers_no_change_that_came_to_nothing() -> None:
    target = make_target((make_variant(),))
    tick = make_tick(inputs=make_group(make_inputs(target, make_observation(target, 60.0))))
    assert memories_after([tick])["default/chat"].scale_events
    failed = replace(tick, actuations=(Actuation("h100", 1, 5, ActuationResult.FAILED),))
    assert memories_after([failed])["default/chat"].scale_events == ()


def test_the_stepper_takes_back_what_was_not_done() -> None:
    stepper, target = GroupStepper("default"), make_target((make_variant(low=3),))
    view = TargetView(target, {"h100": 1}, [Replica("r", "h100", ReplicaPhase.READY, 0.0)], [])
    assert stepper.step(NOW_S, [view], Inventory()).outcome.decisions[0].desired == {"h100": 3}
    stepper.settle(target.key, [Actuation("h100", 1, 3, ActuationResult.CONFLICT)])
    assert stepper.step(NOW_S + 15.0, [view], Inventory()).inputs.targets[0].memory.scale_events == ()
