"""The ledger in PostgreSQL and its fake: one suite for both; then what only a database has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import DBAPIError

from controlplane.domain.decision import ColdStart, Tick
from controlplane.domain.observation import ColdStartStages, Replica, ReplicaPhase
from controlplane.domain.ports import Fit, LedgerUnavailable
from controlplane.planning import replay_group
from controlplane.planning.load_history import QUANTITIES
from controlplane.store import migrate
from controlplane.store.ledger import MemoryLedger, PostgresLedger
from controlplane.store.queries import BadCursor, Queries, TickFilter
from controlplane.store.tables import metadata
from tests.builders import (
    NOW_S,
    make_forecast,
    make_group,
    make_inputs,
    make_observation,
    make_target,
    make_tick,
    make_variant,
)

AnyLedger = PostgresLedger | MemoryLedger


@pytest.fixture(params=["postgres", "memory"])
def ledger(request: pytest.FixtureRequest) -> Iterator[AnyLedger]:
    if request.param == "memory":
        yield MemoryLedger()
        return
    made = PostgresLedger(request.getfixturevalue("database_url"))
    yield made
    made.close()


def tick_at(number: int, rps: float = 5.0):  # type: ignore[no-untyped-def]
    target = make_target((make_variant(),))
    inputs = make_inputs(target, make_observation(target, rps), make_forecast(target, rps * 1.1))
    return make_tick(f"t{number}", make_group(inputs), NOW_S + 15.0 * number, f"g{number}")


def peaks_only(tick: Tick) -> Tick:
    """The tick without the fan of its forecast, of which nothing is decided."""
    forecast = tick.inputs.forecast
    if forecast is None:
        return tick
    bare = {q: replace(getattr(forecast, q), values=()) for q in QUANTITIES}
    sides = tuple(replace(side, work_s_per_s=replace(side.work_s_per_s, values=())) for side in forecast.sides)
    return replace(tick, inputs=replace(tick.inputs, forecast=replace(forecast, **bare, sides=sides)))


def test_ticks_come_back_as_they_were(ledger: AnyLedger) -> None:
    ticks = [tick_at(n, 0.1 + n / 3) for n in range(5)]
    ledger.append(ticks)
    assert [list(map(peaks_only, group)) for group in ledger.group_ticks()] == [[peaks_only(tick)] for tick in ticks]
    assert next(iter(ledger.group_ticks())) == [ticks[0]], "the first is full, with its forecast's fan"
    assert all(r.reproduced for group in ledger.group_ticks() for r in replay_group(group))


def test_a_tick_twice_is_kept_once(ledger: AnyLedger) -> None:
    ledger.append([tick_at(1)])
    ledger.append([tick_at(1), tick_at(2)])
    assert len(list(ledger.group_ticks())) == 2


def test_a_replay_can_begin_anywhere(ledger: AnyLedger) -> None:
    ledger.append([tick_at(n) for n in range(4)])
    assert [g[0].id for g in ledger.group_ticks(NOW_S + 30.0)] == ["t2", "t3"]


def test_the_newest_tick_of_a_target_is_found(ledger: AnyLedger) -> None:
    ledger.append([tick_at(2), tick_at(1)])
    assert ledger.last_ticks()["default/chat"].id == "t2"


def test_cold_starts_are_kept_once_and_summarised(ledger: AnyLedger) -> None:
    assert ledger.cold_starts() == {}
    parts = {"a": ColdStartStages(10.0, None, 60.0), "b": ColdStartStages(30.0, None, 80.0)}
    for name, seconds in (("a", 100.0), ("b", 200.0), ("a", 999.0)):
        ready = Replica(name, "h100", ReplicaPhase.READY, NOW_S, NOW_S + seconds, stages=parts[name])
        ledger.save_cold_start("default/chat", ready)
    expected = ColdStart(150.0, 190.0, 2, ColdStartStages(20.0, None, 70.0))
    assert ledger.cold_starts() == {"default/chat": {"h100": expected}}


def test_the_newest_fit_counts(ledger: AnyLedger) -> None:
    states = dict.fromkeys(QUANTITIES, "{}")
    for at_s in (NOW_S, NOW_S + 60.0):
        ledger.save_fit(Fit("default/chat", at_s, "last-value", states, {"last-value": 1.5}))
    assert ledger.fits()["default/chat"].fitted_at_s == NOW_S + 60.0


def test_targets_are_mirrored(ledger: AnyLedger) -> None:
    ledger.save_targets([make_target(), make_target(name="other")], NOW_S)
    ledger.save_targets([replace(make_target(), model="qwen3-8b")], NOW_S + 1.0)
    assert [(t.key, t.model) for t in ledger.targets()] == [
        ("default/chat", "qwen3-8b"),
        ("default/other", "llama-3.1-8b"),
    ]


def test_the_load_history_is_binned_with_gaps(ledger: AnyLedger) -> None:
    ledger.append([tick_at(0, 4.0), tick_at(1, 6.0), tick_at(8, 9.0)])
    history = ledger.load_history("default/chat", NOW_S - 1.0)
    assert set(history) == set(QUANTITIES)
    assert history["requests_per_s"].values == (pytest.approx(5.0), None, pytest.approx(9.0))
    assert history["input_tokens_per_s"].values[0] == pytest.approx(5000.0)
    assert ledger.load_history("default/chat", NOW_S + 1e6) == {}


def test_a_ledger_that_is_away_says_so() -> None:
    ledger = PostgresLedger("postgresql+psycopg://nobody:x@127.0.0.1:1/none")
    with pytest.raises(LedgerUnavailable, match="refused"):
        ledger.append([tick_at(1)])


def test_ticks_cannot_be_changed_or_deleted(database_url: str) -> None:
    ledger = PostgresLedger(database_url)
    ledger.append([tick_at(1)])
    for statement in ("UPDATE tick_rows SET numbers = 'x'", "DELETE FROM tick_rows", "TRUNCATE tick_rows"):
        with pytest.raises(DBAPIError, match="append-only"), ledger.engine.begin() as connection:
            connection.execute(text(statement))
    ledger.close()


def test_a_policy_is_versioned_by_its_content(database_url: str) -> None:
    ledger = PostgresLedger(database_url)
    target = make_target()
    changed = replace(target, policy=replace(target.policy, quorum=0.9))
    for seen in (target, target, changed, target):
        ledger.save_targets([seen], NOW_S)
    with ledger.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM policies")).scalar() == 2
    ledger.close()


def test_pages_of_ticks_follow_one_another(database_url: str) -> None:
    ledger = PostgresLedger(database_url)
    ledger.append([tick_at(n, 80.0 if n % 2 else 5.0) for n in range(7)])
    queries = Queries(ledger.engine)
    wanted = TickFilter("default/chat")
    first, cursor = queries.tick_page(wanted, None, 3)
    second, cursor = queries.tick_page(wanted, cursor, 3)
    third, last = queries.tick_page(wanted, cursor, 3)
    assert [t.id for t in (*first, *second, *third)] == [f"t{n}" for n in reversed(range(7))]
    assert last is None
    ups = tuple({t.decision.verdict for t in first if t.id == "t5"})
    only, _ = queries.tick_page(replace(wanted, verdicts=ups), None, 50)
    assert {t.id for t in only} == {"t1", "t3", "t5"}
    between, _ = queries.tick_page(replace(wanted, since_s=NOW_S + 30, until_s=NOW_S + 60), None, 50)
    assert {t.id for t in between} == {"t2", "t3"}
    with pytest.raises(BadCursor, match="cursor is 'nope!'"):
        queries.tick_page(wanted, "nope!", 3)
    ledger.close()


def test_a_long_range_is_thinned_to_the_last_of_each_stretch(database_url: str) -> None:
    ledger = PostgresLedger(database_url)
    ledger.append([tick_at(n) for n in range(20)])
    found = Queries(ledger.engine).thinned(TickFilter("default/chat"), 5)
    assert [t.id for t in found] == ["t3", "t7", "t11", "t15", "t19"]
    ledger.close()


def test_the_fleet_has_targets_without_a_tick_too(database_url: str) -> None:
    ledger = PostgresLedger(database_url)
    ledger.save_targets([make_target(), make_target(name="fresh")], NOW_S)
    ledger.append([tick_at(0, 4.0), tick_at(1, 8.0)])
    chat, fresh = Queries(ledger.engine).target_rows(NOW_S + 60.0)
    assert chat.tick is not None
    assert (chat.tick.id, fresh.tick) == ("t1", None)
    assert chat.attainment_day == pytest.approx(0.99)
    assert [v for v in chat.sparkline_rps if v is not None] == [pytest.approx(6.0)]
    assert set(fresh.sparkline_rps) == {None}
    ledger.close()


def test_the_schema_is_what_the_tables_say(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "include_name": migrate.is_compared}
        )
        assert compare_metadata(context, metadata) == []
    assert migrate.is_current(engine)
    engine.dispose()


def test_migrations_go_up_down_and_up_again(empty_database_url: str) -> None:
    engine = create_engine(empty_database_url)
    assert not migrate.is_current(engine)
    migrate.upgrade(empty_database_url)
    assert "tick_rows" in inspect(engine).get_table_names()
    command.downgrade(migrate.configuration(empty_database_url), "base")
    assert inspect(create_engine(empty_database_url)).get_table_names() == ["alembic_version"]
    migrate.upgrade(empty_database_url)
    assert migrate.is_current(engine)
    engine.dispose()
