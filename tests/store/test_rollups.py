"""Roll-ups, retention and carrying over, against a real database."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import insert, select, text

from controlplane.domain.access import SYSTEM
from controlplane.store.carry_over import carry_over
from controlplane.store.codec import tick_row
from controlplane.store.engine import transaction
from controlplane.store.ledger import PostgresLedger
from controlplane.store.queries import Queries, TickFilter
from controlplane.store.reports import Reports
from controlplane.store.rollups import roll_up
from controlplane.store.settings import GovernedSettings
from controlplane.store.tables import rollups, ticks_before
from controlplane.store.unit import Request, Writer
from controlplane.store.upkeep import Retention, drop_old_partitions
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
        rows = connection.execute(select(rollups).order_by(rollups.c.variant)).all()
    whole, variant = rows
    assert (whole.variant, variant.variant, whole.holds + whole.ups + whole.downs) == ("", "h100", 6)
    assert whole.seconds == pytest.approx(75.0)  # the last speaks for nothing yet
    assert whole.requests == pytest.approx(300.0)
    assert whole.met / whole.known == pytest.approx(0.99)
    assert isinstance(whole.usd, Decimal)
    assert float(variant.usd) == pytest.approx(float(whole.usd))
    assert sum(Queries(recording.engine).verdict_counts().values()) == 6


@pytest.mark.parametrize("rolled", [0, 1, 2], ids=["of ticks", "of the roll-ups", "of both"])
def test_a_report_is_the_same_wherever_it_is_read_from(recording: PostgresLedger, rolled: int) -> None:
    # 20,160 s of a tick a minute, 5 requests/s; the first 5 hours are rolled up, or all, or none.
    early, late = [tick_at(n * 4) for n in range(300)], [tick_at(n * 4) for n in range(300, 336)]
    if rolled == 1:
        recording.append(early + late)
    if rolled == 2:
        recording.append(early)
    if rolled:
        with transaction(recording.engine) as connection:
            roll_up(connection)
    recording.append(early + late)
    since_s, until_s = NOW_S + 600.0, NOW_S + 336 * 60.0
    cells = Reports(recording.engine).cells(["default/chat"], since_s, until_s)
    assert sum(cell.seconds for cell in cells) == pytest.approx(until_s - since_s)
    assert sum(cell.requests for cell in cells) == pytest.approx(5.0 * (until_s - since_s))
    assert {cell.variant for cell in cells} == {"h100"}
    hours = sum(cell.gpu_hours for cell in cells)
    assert float(sum(cell.cost_usd for cell in cells)) == pytest.approx(hours * 4.0)
    assert Reports(recording.engine).cells(["default/other"], since_s, until_s) == []


def test_old_days_go_whole(recording: PostgresLedger) -> None:
    recording.append([tick_at(0), tick_at(4 * 24 * 240)])
    old_s = NOW_S + 3 * 24 * HOUR_S
    assert drop_old_partitions(recording.engine, old_s) == [], "what is not rolled up stays"
    with transaction(recording.engine) as connection:
        roll_up(connection)
    assert len(drop_old_partitions(recording.engine, old_s)) == 1
    assert drop_old_partitions(recording.engine, old_s) == []
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


def test_days_are_kept_as_people_set_them(recording: PostgresLedger) -> None:
    office = GovernedSettings(recording.engine)
    assert Retention.of(office.all()) == Retention(90.0, 800.0)
    with Writer(recording.engine).unit(Request(SYSTEM, "", "r1", NOW_S)) as unit:
        GovernedSettings.change(unit, "retention_ticks_days", 0, 7)
    assert Retention.of(office.all()) == Retention(7.0, 800.0)
