"""Roll-ups, retention and carrying over, against a real database."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import insert, text

from controlplane.store.carry_over import carry_over
from controlplane.store.codec import tick_row
from controlplane.store.engine import transaction
from controlplane.store.ledger import PostgresLedger
from controlplane.store.queries import Queries, TickFilter
from controlplane.store.rollups import Rollups, roll_up
from controlplane.store.tables import ticks_before
from controlplane.workers.retention import drop_old_partitions, retention_from
from tests.builders import NOW_S, make_target
from tests.store.test_ledger import tick_at

HOUR_S = 3600.0


def test_an_hour_is_summed_once_however_often(recording: PostgresLedger) -> None:
    recording.save_targets([make_target()], NOW_S)
    recording.append([tick_at(n, 4.0) for n in range(5)])
    for _ in range(2):
        with transaction(recording.engine) as connection:
            roll_up(connection)
    recording.append([tick_at(5, 4.0)])
    with transaction(recording.engine) as connection:
        assert roll_up(connection) == 1
    whole, variant = Rollups(recording.engine).hours(None, "default/chat", NOW_S - HOUR_S, NOW_S + HOUR_S)
    assert (whole.variant, variant.variant, whole.ticks) == ("", "h100", 6)
    assert whole.seconds == pytest.approx(75.0)  # the last speaks for nothing yet
    assert whole.requests == pytest.approx(300.0)
    assert whole.met / whole.known == pytest.approx(0.99)
    assert isinstance(whole.usd, Decimal)
    assert float(variant.usd) == pytest.approx(float(whole.usd))
    assert sum(Queries(recording.engine).verdict_counts().values()) == 6
    assert Rollups(recording.engine).hours(["other"], None, 0.0, NOW_S + HOUR_S) == []


def test_old_days_go_whole(recording: PostgresLedger) -> None:
    recording.append([tick_at(0), tick_at(4 * 24 * 240)])
    dropped = drop_old_partitions(recording.engine, NOW_S + 3 * 24 * HOUR_S)
    assert len(dropped) == 1
    found, _ = Queries(recording.engine).tick_page(TickFilter("default/chat"), None, 10)
    assert [tick.id for tick in found] == [f"t{4 * 24 * 240}"]


def test_what_versions_before_wrote_is_carried_over(recording: PostgresLedger) -> None:
    with transaction(recording.engine) as connection:
        connection.execute(insert(ticks_before), [tick_row(tick_at(n)) for n in range(3)])
    recording.append([tick_at(1)])
    assert carry_over(recording.engine) == 2
    assert carry_over(recording.engine) == 0
    assert {group[0].id for group in recording.group_ticks()} == {"t0", "t1", "t2"}
    with transaction(recording.engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM ticks_before")).scalar() == 0


def test_days_are_at_least_one() -> None:
    assert retention_from({"TIDEGATE_KEEP_TICKS_DAYS": "7"}).ticks_days == 7.0
    with pytest.raises(ValueError, match="TIDEGATE_KEEP_TICKS_DAYS is '0'; allowed: days, at least 1"):
        retention_from({"TIDEGATE_KEEP_TICKS_DAYS": "0"})
