"""What is in force comes in one statement; what ended by itself is told to the auditor once."""

from __future__ import annotations

import threading
from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import event, text

from controlplane.domain.access import SYSTEM
from controlplane.domain.directives import DirectiveSet, PriceKind, ScopedFreeze
from controlplane.domain.ports import LedgerUnavailable
from controlplane.domain.target import Freeze, FreezeDirection, Origin, Override, OverrideKind
from controlplane.store.audits import AuditFilter, Audits
from controlplane.store.directives import PostgresDirectives
from controlplane.store.engine import make_engine
from controlplane.store.expiry import note_expired
from controlplane.store.freezes import Freezes
from controlplane.store.ledger import PostgresLedger
from controlplane.store.overrides import Overrides
from controlplane.store.prices import NewPrice, Prices
from controlplane.store.unit import Request, VersionMismatch, Writer

NOW_S = 1_767_600_000.0


def at(now_s: float) -> Request:
    return Request(SYSTEM, "", uuid4().hex, now_s)


def pin(replicas: int, until_s: float) -> Override:
    return Override(OverrideKind.PIN, replicas, None, until_s, "ada", "load test", Origin.API)


def freeze(start_s: float, end_s: float, namespace: str | None = None) -> ScopedFreeze:
    return ScopedFreeze(namespace, None, Freeze(FreezeDirection.DOWN, start_s, end_s, "bob", "launch"))


@pytest.fixture
def writer(recording: PostgresLedger) -> Writer:
    return Writer(recording.engine)


def test_what_is_in_force_or_will_be_and_nothing_else(writer: Writer) -> None:
    with writer.unit(at(NOW_S)) as unit:
        first = Overrides.create(unit, "default", "chat", pin(4, NOW_S + 60.0))
        Overrides.create(unit, "default", "chat", pin(5, NOW_S + 30.0))
        gone = Overrides.create(unit, "default", "chat", pin(6, NOW_S + 60.0))
        Overrides.end(unit, gone.id, 1)
        later = Freezes.create(unit, freeze(NOW_S + 600.0, NOW_S + 900.0, "default"))
        Freezes.create(unit, freeze(NOW_S - 60.0, NOW_S + 30.0))
        new = NewPrice(None, None, None, "ada", "contract")
        Prices.say(unit, PriceKind.ACCELERATOR, "H100", 0, new)
    reader = PostgresDirectives(writer.engine)
    found = reader.current(NOW_S + 30.0)
    made = replace(pin(4, NOW_S + 60.0), id=str(first.id), created_at_s=NOW_S)
    assert found.overrides == {"default/chat": (made,)}
    scoped = freeze(NOW_S + 600.0, NOW_S + 900.0, "default")
    assert found.freezes == (replace(scoped, freeze=replace(scoped.freeze, id=str(later.id))),)
    assert [(price.name, price.expires_at_s) for price in found.prices] == [("H100", None)]
    assert reader.current(NOW_S + 900.0) == DirectiveSet(prices=found.prices)


def test_it_is_one_statement(writer: Writer) -> None:
    seen: list[str] = []
    event.listen(writer.engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
    PostgresDirectives(writer.engine).current(NOW_S)
    assert len(seen) == 1


def test_a_database_that_is_away_is_named() -> None:
    with pytest.raises(LedgerUnavailable):
        PostgresDirectives(make_engine("postgresql+psycopg://x@127.0.0.1:1/x")).current(NOW_S)


def test_what_expired_is_audited_once_however_many_sweep(writer: Writer) -> None:
    with writer.unit(at(NOW_S)) as unit:
        for _ in range(20):
            Overrides.create(unit, "default", "chat", pin(4, NOW_S + 60.0))
        taken_back = Overrides.create(unit, "default", "chat", pin(4, NOW_S + 60.0))
        Overrides.end(unit, taken_back.id, 1)
        Freezes.create(unit, freeze(NOW_S, NOW_S + 60.0))
        price = NewPrice(None, None, NOW_S + 60.0, "ada", "contract")
        Prices.say(unit, PriceKind.VARIANT, "default/chat/h100", 0, price)
        Overrides.create(unit, "default", "chat", pin(4, NOW_S + 90.0))
    assert note_expired(writer.engine, NOW_S + 59.0) == 0
    sweeps = [threading.Thread(target=note_expired, args=(writer.engine, NOW_S + 60.0)) for _ in range(4)]
    for sweep in sweeps:
        sweep.start()
    for sweep in sweeps:
        sweep.join()
    assert note_expired(writer.engine, NOW_S + 60.0) == 0
    rows, _ = Audits(writer.engine).page(AuditFilter(), None, 100)
    actions = [(row.actor, row.action, row.namespace) for row in rows]
    assert actions.count(("system", "override.expire", "default")) == 20
    assert actions.count(("system", "freeze.expire", None)) == 1
    assert actions.count(("system", "price.expire", "default")) == 1
    assert len({row.resource for row in rows}) == len(rows) == 22
    with writer.engine.connect() as connection:
        left = connection.execute(text("SELECT count(*) FROM overrides WHERE ended_at IS NULL")).scalar()
    assert left == 1


def test_two_who_say_a_price_at_once_make_one(writer: Writer) -> None:
    made: list[int] = []

    def say() -> None:
        try:
            with writer.unit(at(NOW_S)) as unit:
                new = NewPrice(None, None, None, "ada", "contract")
                made.append(Prices.say(unit, PriceKind.ACCELERATOR, "H100", 0, new).version)
        except VersionMismatch:
            made.append(0)

    threads = [threading.Thread(target=say) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [0, 0, 0, 0, 0, 1]
