"""What is told, to whom, how often; and that what is owed is sent once."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from uuid import UUID

import psycopg

from controlplane.adapters.apprise_messenger import AppriseMessenger, RecordedMessenger
from controlplane.domain.access import SYSTEM
from controlplane.domain.decision import Tick
from controlplane.domain.observation import Conflict, ConflictKind, Surroundings
from controlplane.domain.ports import NotificationEvent
from controlplane.planning.tellings import tellings
from controlplane.store.engine import transaction
from controlplane.store.ledger import PostgresLedger
from controlplane.store.notifications import MAX_ATTEMPTS, Channels, NewChannel, OwedNotifier, deliver_one
from controlplane.store.unit import Request, Writer
from controlplane.workers.notices import deliver_all, watch
from tests.adapters.test_apprise_messenger import Receiver, receiver
from tests.ledger_builders import NOW_S, make_target, make_tick

__all__ = ["receiver"]
EVERYTHING = tuple(NotificationEvent)


def channel(
    ledger: PostgresLedger,
    name: str = "ops",
    events: tuple[NotificationEvent, ...] = EVERYTHING,
    namespaces: tuple[str, ...] | None = None,
    url: str = "slack://a",
    enabled: bool = True,
) -> UUID:
    with Writer(ledger.engine).unit(Request(SYSTEM, "", "r", NOW_S)) as unit:
        made = Channels.create(unit, NewChannel(name, url, events, namespaces, enabled))
        assert made is not None
        return made.id


def tell(ledger: PostgresLedger, event: NotificationEvent, subject: str = "default/chat", now_s: float = NOW_S) -> int:
    with transaction(ledger.engine) as connection:
        return OwedNotifier(connection, now_s).notify(event, subject, subject.partition("/")[0], "words")


def quiet(tick: Tick) -> Tick:
    seen = replace(tick.inputs.observation, faults=())
    return replace(tick, inputs=replace(tick.inputs, observation=seen))


def test_what_is_worth_a_message() -> None:
    tick = quiet(make_tick())
    assert tellings(tick) == ()
    rival = Conflict(ConflictKind.HPA, "h100", "chat", "80 % CPU")
    around = Surroundings(conflicts=(rival,))
    (conflict,) = tellings(replace(tick, inputs=replace(tick.inputs, surroundings=around)))
    assert (conflict.event, conflict.subject) == (NotificationEvent.CONFLICT, "default/chat/h100")
    assert conflict.message.startswith("default/chat: HorizontalPodAutoscaler chat scales h100 too: 80 % CPU (2023-")
    (fault,) = tellings(make_tick())
    assert (fault.event, fault.message[:53]) == (
        NotificationEvent.METRIC_FAULT,
        "default/chat: metrics of 1 replicas are at fault: Tim",
    )
    late = replace(tick.inputs.observation.variants[0], pending=2, oldest_pending_s=1000.0)
    seen = replace(tick.inputs.observation, variants=(late,))
    (out,) = tellings(replace(tick, inputs=replace(tick.inputs, observation=seen)))
    assert (out.event, out.subject) == (NotificationEvent.STOCK_OUT, "default/chat/h100")


def test_who_wants_to_know_is_told_once_an_hour(recording: PostgresLedger) -> None:
    channel(recording, "all")
    channel(recording, "theirs", namespaces=("elsewhere",))
    channel(recording, "outs", events=(NotificationEvent.STOCK_OUT,))
    channel(recording, "off", enabled=False)
    assert tell(recording, NotificationEvent.STOCK_OUT) == 2
    assert tell(recording, NotificationEvent.STOCK_OUT, now_s=NOW_S + 3599) == 0
    assert tell(recording, NotificationEvent.STOCK_OUT, "default/code") == 2
    assert tell(recording, NotificationEvent.ROLLBACK) == 1
    assert tell(recording, NotificationEvent.STOCK_OUT, now_s=NOW_S + 3601) == 2


def test_two_who_tell_the_same_at_once_tell_it_once(recording: PostgresLedger) -> None:
    channel(recording)
    told: list[int] = []
    threads = [
        threading.Thread(target=lambda: told.append(tell(recording, NotificationEvent.CONFLICT))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(told) == 1


def test_what_did_not_happen_is_not_told(recording: PostgresLedger) -> None:
    where = channel(recording)
    with suppress(ZeroDivisionError), transaction(recording.engine) as connection:
        assert OwedNotifier(connection, NOW_S).notify(NotificationEvent.ROLLBACK, "default/chat", None, "words") == 1
        raise ZeroDivisionError("the write failed")
    assert Channels(recording.engine).deliveries(where, 10) == []


def test_decisions_and_budgets_are_watched(recording: PostgresLedger, database_url: str) -> None:
    where = channel(recording)
    recording.save_targets([make_target()], NOW_S)
    recording.append([quiet(make_tick("t0", NOW_S - 60)), make_tick("t1", NOW_S)])
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        budgets = '{"default": "0.10", "other": "0", "*": 1000}'
        statement = "INSERT INTO settings (name, value, changed_at, changed_by) VALUES ('budgets', %s, now(), 'x')"
        connection.execute(statement, (budgets,))
    assert watch(recording, NOW_S + 15) == 2
    assert watch(recording, NOW_S + 30) == 0
    budget, fault = Channels(recording.engine).deliveries(where, 10)
    assert (fault.event, budget.event) == ("MetricFault", "Budget")
    # 11.80 $/h from 60 s before.
    assert budget.message.startswith("default has spent 0.25 $ of 0.10 $ for 2023-11-14")
    assert watch(recording, NOW_S + 4000) == 0  # the newest decision is no news any more, the budget of a day is told


def test_what_is_owed_is_sent_once_and_tried_again_later(recording: PostgresLedger, receiver: Receiver) -> None:
    where = channel(recording, url=receiver.url)
    messenger = AppriseMessenger(local=True)
    receiver.status = 503
    tell(recording, NotificationEvent.CONFLICT)
    assert deliver_all(recording, messenger) == 1
    (failed,) = Channels(recording.engine).deliveries(where, 10)
    assert (failed.attempts, failed.sent_at_s, failed.error) == (1, None, "http://127.0.0.1/*** did not take it")
    assert deliver_all(recording, messenger) == 0  # not due yet
    due(recording)
    receiver.status = 200
    assert (deliver_all(recording, messenger), deliver_all(recording, messenger)) == (1, 0)
    (sent,) = Channels(recording.engine).deliveries(where, 10)
    assert sent.sent_at_s is not None
    assert [body["message"] for body in receiver.bodies] == ["words", "words"]


def due(ledger: PostgresLedger) -> None:
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET retry_at = now() - interval '1 s'")


def test_one_that_is_never_taken_is_given_up(recording: PostgresLedger) -> None:
    channel(recording)
    messenger = RecordedMessenger()
    messenger.error = "no"
    tell(recording, NotificationEvent.CONFLICT)
    for _ in range(MAX_ATTEMPTS):
        assert deliver_one(recording.engine, messenger.send)
        due(recording)
    assert not deliver_one(recording.engine, messenger.send)


def test_two_workers_send_each_message_once(recording: PostgresLedger) -> None:
    channel(recording)
    for n in range(20):
        tell(recording, NotificationEvent.CONFLICT, f"default/t{n}")
    messenger = RecordedMessenger()
    threads = [threading.Thread(target=lambda: deliver_all(recording, messenger)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(messenger.sent) == 20
