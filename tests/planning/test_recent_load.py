"""The minutes that end now."""

from __future__ import annotations

import pytest

from controlplane.planning.recent_load import LAG_S, LONGEST_GAP_S, RecentLoad
from forecasters.regimes import MOST_BINS
from forecasters.types import Series


def seen(*pairs: tuple[float, float | None]) -> RecentLoad:
    recent = RecentLoad()
    for at_s, rps in pairs:
        recent = recent.adding(rps, at_s)
    return recent


def test_minutes_end_now_whatever_the_clock_says() -> None:
    recent = seen(*((float(t), float(t)) for t in range(7, 263, 15)))
    minutes = recent.minutes(262.0 - 15.0)
    assert (minutes.end_s, minutes.step_s) == (247.0, 60.0)
    assert minutes.values == (7.0, 67.0, 127.0, 187.0, 247.0)
    assert LAG_S == 30.0


def test_between_observations_it_is_a_line() -> None:
    assert seen((0.0, 2.0), (40.0, 4.0), (80.0, 8.0)).minutes(80.0).values == (pytest.approx(3.0), 8.0)


def test_what_is_before_a_gap_is_left_out() -> None:
    recent = seen((0.0, 1.0), (60.0, 1.0), (60.0 + LONGEST_GAP_S + 1.0, 5.0), (211.0, 6.0))
    assert recent.minutes(211.0).values == (5.0, 6.0)
    assert recent.minutes(211.0 + LONGEST_GAP_S + 1.0).values == ()
    assert RecentLoad().minutes(5.0).values == ()


def test_an_observation_without_a_load_or_seen_again_adds_nothing() -> None:
    once = seen((0.0, 1.0))
    assert once.adding(None, 15.0) == once
    assert once.adding(9.0, 0.0) == once


def test_no_more_is_kept_than_is_looked_at() -> None:
    recent = seen(*((15.0 * i, 1.0) for i in range(1000)))
    assert len(recent.at_s) <= 4 * (MOST_BINS + 1) + 1
    assert len(recent.minutes(recent.at_s[-1]).values) == MOST_BINS


def test_it_begins_with_what_a_ledger_kept() -> None:
    recent = RecentLoad.of(Series(0.0, 60.0, (None, 2.0, 3.0)))
    assert (recent.at_s, recent.rps) == ((120.0, 180.0), (2.0, 3.0))
    assert recent.adding(4.0, 240.0).minutes(240.0).values == (2.0, 3.0, 4.0)
