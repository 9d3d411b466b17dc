"""One suite for the ledger in PostgreSQL and its fake, so that the fake cannot say what the real one does not."""

from __future__ import annotations

import json
from dataclasses import replace

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from controlplane.domain.decision import Verdict
from controlplane.store.codec import TICK
from controlplane.store.ledger import PostgresLedger
from tests.ledger_builders import NOW_S, make_load, make_tick


@pytest.mark.parametrize("odd", [-0.0, 5e-324, 0.1 + 0.2, 1e100, 1 / 3, 123456789.123456789])
def test_odd_floats_come_back_the_same_from_postgres(recording: PostgresLedger, odd: float) -> None:
    tick = make_tick(at_s=NOW_S + 1 / 3, load=make_load(odd, odd, odd), attainment=odd)
    recording.append([tick])
    assert recording.last_ticks() == {"default/chat": tick}


@pytest.mark.parametrize("words", ["naïve – “quoted” 漢字 🚀", "back\\slash 'and' \"quotes\""])
def test_any_words_of_an_engine_are_kept(recording: PostgresLedger, words: str) -> None:
    recording.append([make_tick(reason=words)])
    assert recording.last_ticks()["default/chat"].decision.reason == words


@given(
    rate=st.floats(0, 1e9),
    attainment=st.none() | st.floats(0, 1),
    at_s=st.floats(1e9, 4e9),
    ready=st.integers(0, 50),
    desired=st.integers(0, 50),
    blind=st.booleans(),
    verdict=st.sampled_from(Verdict),
)
def test_every_tick_survives_json(
    rate: float, attainment: float | None, at_s: float, ready: int, desired: int, blind: bool, verdict: Verdict
) -> None:
    load = None if blind else make_load(rate)
    tick = make_tick(
        at_s=at_s, verdict=verdict, load=load, attainment=attainment, ready=ready, desired={"h100": desired}
    )
    assert TICK.validate_python(json.loads(json.dumps(TICK.dump_python(tick, mode="json")))) == tick


def test_a_tick_of_before_failure_domains_is_read_as_one_that_says_nothing_of_them() -> None:
    old = json.loads(json.dumps(TICK.dump_python(make_tick(), mode="json")))
    del old["plan"]["domain_loss_rps"], old["inputs"]["target"]["policy"]["max_domain_share"]
    for variant in old["inputs"]["target"]["variants"]:
        del variant["failure_domain"]
    tick = TICK.validate_python(old)
    assert tick == make_tick()
    assert tick.plan.domain_loss_rps is None


@pytest.mark.parametrize("loss", [None, 0.0, 12.34])
def test_what_the_loss_of_a_domain_takes_comes_back(recording: PostgresLedger, loss: float | None) -> None:
    tick = make_tick()
    tick = replace(tick, plan=replace(tick.plan, domain_loss_rps=loss))
    recording.append([tick])
    assert recording.last_ticks() == {"default/chat": tick}


def rows(recording: PostgresLedger, statement: str) -> list[tuple[object, ...]]:
    with recording.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


@pytest.mark.parametrize(
    "change", ["UPDATE tick_rows SET numbers = 'x'", "DELETE FROM tick_rows", "TRUNCATE tick_rows"]
)
def test_the_database_refuses_to_change_a_tick(recording: PostgresLedger, change: str) -> None:
    recording.append([make_tick()])
    with pytest.raises(DBAPIError, match="append-only"), recording.engine.begin() as connection:
        connection.execute(text(change))
    assert rows(recording, "SELECT reason FROM ticks") == [("the plan is what runs",)]


def test_a_batch_is_kept_whole_or_not_at_all(recording: PostgresLedger) -> None:
    # The second id is longer than one may be: the database refuses it.
    with pytest.raises(DBAPIError):
        recording.append([make_tick("a"), make_tick("b" * 200)])
    assert rows(recording, "SELECT id FROM ticks") == []


def test_listeners_are_told_of_a_commit(recording: PostgresLedger, database_url: str) -> None:
    dsn = database_url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("LISTEN tidegate_ticks")
        recording.append([make_tick("a"), make_tick("b")])
        assert [note.payload for note in connection.notifies(timeout=5, stop_after=1)] == ["b"]


def test_a_history_is_read_in_pieces(recording: PostgresLedger) -> None:
    recording.append([make_tick(f"t{n:03}", NOW_S + n, group_tick_id=f"g{n // 2:03}") for n in range(450)])
    found = [[t.id for t in g] for g in recording.group_ticks()]
    assert [len(together) for together in found] == [2] * 225
    assert [i for together in found for i in together] == [f"t{n:03}" for n in range(450)]
