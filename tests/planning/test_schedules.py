"""Windows by cron, on ordinary days and on those on which clocks change; and what they do to bounds."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.domain.decision import ColdStart, TargetInputs
from controlplane.domain.target import Mode, Policy, Schedule, Slo
from controlplane.planning import decide
from controlplane.planning.bounds import scheduled_bounds
from controlplane.planning.schedules import ScheduleError, last_fire, next_fire, window
from tests.builders import make_group, make_inputs, make_observation, make_target, make_variant

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = Schedule("night", "30 2 * * *", "30 3 * * *", "Europe/Berlin")
OFFICE = Schedule("office", "0 8 * * 1-5", "0 18 * * 1-5", "Europe/Berlin", None, 3, 6)


def at(*when: int, fold: int = 0) -> float:
    return datetime(*when, tzinfo=BERLIN, fold=fold).timestamp()  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("now_s", "opened"),
    [
        (at(2026, 6, 1, 2, 29), None),
        (at(2026, 6, 1, 2, 30), at(2026, 6, 1, 2, 30)),
        (at(2026, 6, 1, 3, 29), at(2026, 6, 1, 2, 30)),
        (at(2026, 6, 1, 3, 30), None),
        # Clocks go back: 02:30 comes twice, and the first one counts.
        (at(2026, 10, 25, 2, 10, fold=1), at(2026, 10, 25, 2, 30)),
        (at(2026, 10, 25, 2, 40, fold=1), at(2026, 10, 25, 2, 30)),
        # Clocks go forward: 02:30 is left out, and 03:00 is the first moment after it.
        (at(2026, 3, 29, 1, 59), None),
        (at(2026, 3, 29, 3, 0), at(2026, 3, 29, 3, 0)),
        (at(2026, 3, 29, 3, 30), None),
    ],
)
def test_a_window_is_open_from_its_start_to_its_end(now_s: float, opened: float | None) -> None:
    assert window(NIGHT, now_s).opened_at_s == opened


@given(st.floats(at(2026, 1, 1), at(2026, 12, 31)), st.sampled_from(["0 8 * * *", "30 2 * * 0", "*/20 * * * *"]))
def test_now_is_between_the_last_fire_and_the_next(now_s: float, expression: str) -> None:
    last_s, next_s = last_fire(expression, "Europe/Berlin", now_s), next_fire(expression, "Europe/Berlin", now_s)
    assert last_s is not None
    assert next_s is not None
    assert last_s <= now_s < next_s
    assert last_fire(expression, "Europe/Berlin", next_s) == next_s


@pytest.mark.parametrize(
    ("schedule", "named"),
    [(Schedule("a", "x", "0 9 * * *"), "start is 'x'"), (Schedule("a", "0 8 * * *", "0 9 * * *", "Mars"), "'Mars'")],
)
def test_what_cannot_be_read_is_named(schedule: Schedule, named: str) -> None:
    with pytest.raises(ScheduleError, match=named):
        window(schedule, 0.0)


def inputs(*schedules: Schedule, rps: float = 1.0, now_s: float) -> TargetInputs:
    target = make_target((make_variant(low=1, high=4),), Policy(Mode.LIVE, Slo(2.0, 0.1), schedules=schedules))
    made = make_inputs(target, make_observation(target, rps, {"h100": 2}, at_s=now_s))
    return replace(made, cold_starts={"h100": ColdStart(170.0, 285.0, 3)})


MONDAY_NOON, MONDAY_NIGHT = at(2026, 6, 1, 12, 0), at(2026, 6, 1, 23, 0)


@pytest.mark.parametrize(
    ("now_s", "low", "high"),
    [
        (MONDAY_NIGHT, 1, 4),
        (MONDAY_NOON, 3, 6),
        (at(2026, 6, 1, 7, 55) - 1.0, 1, 4),
        (at(2026, 6, 1, 7, 55), 3, 4),  # a cold start of 285 s and an interval of 15 s ahead
    ],
)
def test_a_schedule_replaces_the_bounds_and_its_start_is_anticipated(now_s: float, low: int, high: int) -> None:
    bound = scheduled_bounds(inputs(OFFICE, now_s=now_s), now_s).by_variant["h100"]
    assert (bound.low, bound.high) == (low, high)


def test_the_trail_says_that_a_start_is_anticipated() -> None:
    now_s = at(2026, 6, 1, 7, 57)
    (decision,) = decide(replace(make_group(inputs(OFFICE, now_s=now_s)), now_s=now_s)).decisions
    assert decision.desired == {"h100": 3}
    (ruling,) = [r for r in decision.trail if r.rule == "bounds"]
    assert "schedule office, which opens at 08:00 Europe/Berlin, in 180 s" in ruling.reason


def test_within_the_window_the_plan_may_use_its_larger_bound() -> None:
    group = replace(make_group(inputs(OFFICE, rps=900.0, now_s=MONDAY_NOON)), now_s=MONDAY_NOON)
    plan = decide(group).plans[0]
    assert (plan.replicas, plan.binding) == ({"h100": 6}, "maxReplicas 6 of schedule office")


def test_a_schedule_that_cannot_be_read_disturbs_nobody() -> None:
    bounds = scheduled_bounds(inputs(replace(OFFICE, start="61 * * * *"), now_s=MONDAY_NOON), MONDAY_NOON)
    assert (bounds.by_variant["h100"].low, bounds.by_variant["h100"].high) == (1, 4)
    assert "schedule office is left out: start is '61 * * * *'" in bounds.notes[0]


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 23), st.integers(0, 23)), max_size=3),
    st.integers(0, 60 * 24 * 7),
)
def test_bounds_never_contradict(drawn: list[tuple[int, int, int, int]], minute: int) -> None:
    made = [
        Schedule(str(i), f"0 {a} * * *", f"0 {b} * * *", "UTC", None, lo, hi) for i, (lo, hi, a, b) in enumerate(drawn)
    ]
    now_s = MONDAY_NOON + timedelta(minutes=minute).total_seconds()
    bound = scheduled_bounds(inputs(*made, now_s=now_s), now_s).by_variant["h100"]
    assert 0 <= bound.low <= bound.high
