"""What the pages are made of."""

from __future__ import annotations

import pytest

from controlplane.domain.decision import Verdict
from controlplane.store.ledger import PostgresLedger
from controlplane.store.queries import BadCursor, Queries, TickFilter
from tests.ledger_builders import NOW_S, make_load, make_target, make_tick

KEY = "default/chat"


@pytest.fixture
def queries(recording: PostgresLedger) -> Queries:
    return Queries(recording.engine)


def pages(queries: Queries, wanted: TickFilter, limit: int) -> list[list[str]]:
    found, cursor = [], None
    while True:
        ticks, cursor = queries.tick_page(wanted, cursor, limit)
        found.append([tick.id for tick in ticks])
        if cursor is None:
            return found


def test_pages_go_back_in_time_and_lose_nothing(recording: PostgresLedger, queries: Queries) -> None:
    recording.append([make_tick(f"t{n}", NOW_S + n) for n in range(5)])
    recording.append([make_tick("other", NOW_S, make_target("other"))])
    assert pages(queries, TickFilter(KEY), 2) == [["t4", "t3"], ["t2", "t1"], ["t0"]]
    assert pages(queries, TickFilter(KEY), 5) == [["t4", "t3", "t2", "t1", "t0"]]


def test_a_tick_that_comes_meanwhile_does_not_shift_a_page(recording: PostgresLedger, queries: Queries) -> None:
    recording.append([make_tick(f"t{n}", NOW_S + n) for n in range(4)])
    _, cursor = queries.tick_page(TickFilter(KEY), None, 2)
    recording.append([make_tick("new", NOW_S + 9)])
    ticks, _ = queries.tick_page(TickFilter(KEY), cursor, 2)
    assert [tick.id for tick in ticks] == ["t1", "t0"]


def test_filters_by_verdict_and_time(recording: PostgresLedger, queries: Queries) -> None:
    kinds = (Verdict.UP, Verdict.HOLD, Verdict.DOWN, Verdict.HOLD)
    recording.append([make_tick(f"t{n}", NOW_S + n, verdict=v) for n, v in enumerate(kinds)])
    assert pages(queries, TickFilter(KEY, (Verdict.UP, Verdict.DOWN)), 9) == [["t2", "t0"]]
    assert pages(queries, TickFilter(KEY, since_s=NOW_S + 1, until_s=NOW_S + 3), 9) == [["t2", "t1"]]


@pytest.mark.parametrize("cursor", ["", "x", "!!", "é", "LTE", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5"])
def test_a_cursor_that_is_not_ours_is_refused(queries: Queries, cursor: str) -> None:
    with pytest.raises(BadCursor, match="allowed"):
        queries.tick_page(TickFilter(KEY), cursor, 5)


def test_thinning_keeps_the_newest_and_the_order(recording: PostgresLedger, queries: Queries) -> None:
    recording.append([make_tick(f"t{n:02}", NOW_S + n) for n in range(30)])
    kept = queries.thinned(TickFilter(KEY), 7)
    assert len(kept) == 7
    assert kept[-1].id == "t29"
    assert [t.at_s for t in kept] == sorted(t.at_s for t in kept)
    assert len(queries.thinned(TickFilter(KEY), 100)) == 30


def test_attainment_of_the_day_is_weighed_by_load(recording: PostgresLedger, queries: Queries) -> None:
    recording.save_targets([make_target()], NOW_S)
    recording.append(
        [
            make_tick("busy", NOW_S - 60, load=make_load(90.0), attainment=0.5),
            make_tick("quiet", NOW_S - 30, load=make_load(10.0), attainment=1.0),
            make_tick("blind", NOW_S - 20, load=make_load(1000.0), attainment=None),
            make_tick("long ago", NOW_S - 90_000, load=make_load(1000.0), attainment=0.0),
        ]
    )
    (row,) = queries.target_rows(NOW_S)
    assert row.attainment_day == pytest.approx(0.55)


def test_a_target_without_ticks_has_nothing_not_noughts(recording: PostgresLedger, queries: Queries) -> None:
    recording.save_targets([make_target()], NOW_S)
    (row,) = queries.target_rows(NOW_S)
    assert (row.tick, row.attainment_day) == (None, None)
    assert row.sparkline_rps == (None,) * 60


def test_the_sparkline_is_the_last_hour_with_its_gaps(recording: PostgresLedger, queries: Queries) -> None:
    recording.save_targets([make_target()], NOW_S)
    recording.append(
        [make_tick("a", NOW_S - 3600, load=make_load(1.0)), make_tick("b", NOW_S - 30, load=make_load(3.0))]
    )
    (row,) = queries.target_rows(NOW_S)
    assert row.sparkline_rps == (1.0, *([None] * 58), 3.0)


def test_the_tick_at_a_time(recording: PostgresLedger, queries: Queries) -> None:
    recording.append([make_tick(f"t{n}", NOW_S + 10 * n) for n in range(3)])
    answers = {at_s: queries.tick_at(KEY, at_s) for at_s in (None, NOW_S - 1, NOW_S, NOW_S + 19.9)}
    assert [tick.id if tick else None for tick in answers.values()] == ["t2", None, "t0", "t1"]
