"""Telling people: what holds at the newest decisions, budgets that are spent, and the messages that are owed."""

from __future__ import annotations

import os

from celery.utils.log import get_task_logger

from controlplane.adapters.apprise_messenger import AppriseMessenger
from controlplane.adapters.clock import clock_from_anchor
from controlplane.domain.ports import LedgerUnavailable, Messenger, NotificationEvent
from controlplane.planning.conditions import clock_words
from controlplane.planning.tellings import Telling, tellings
from controlplane.settings import settings_from
from controlplane.store.budgets import Overspent, overspent
from controlplane.store.ledger import PostgresLedger
from controlplane.store.notifications import deliver_one, owe
from controlplane.workers.app import app

_log = get_task_logger(__name__)
NEWS_S = 900.0
"""Seconds of the controller's clock after which a target's newest decision is no news: it is gone, or nobody looks."""
LOCAL = "TIDEGATE_NOTIFY_LOCAL"
AT_ONCE = 100
"""Messages that one task sends: the next one goes on."""


def watch(ledger: PostgresLedger, now_s: float) -> int:
    """Owe messages of what holds now; how many are new."""
    newest = ledger.last_ticks()
    told = [one for tick in newest.values() if tick.at_s > now_s - NEWS_S for one in tellings(tick)]
    told += [_budget(one) for one in overspent(ledger.engine, sorted(newest), now_s)]
    return owe(ledger.engine, now_s, [(t.event, t.subject, t.namespace, t.message) for t in told])


def _budget(one: Overspent) -> Telling:
    words = f"{one.scope} has spent {one.spent_usd} $ of {one.budget_usd} $ for {clock_words(one.day_s)[:10]}"
    return Telling(NotificationEvent.BUDGET, f"{one.scope}@{one.day_s:.0f}", one.namespace, words)


def deliver_all(ledger: PostgresLedger, messenger: Messenger) -> int:
    """Send what is due; how many were tried."""
    tried = 0
    while tried < AT_ONCE and deliver_one(ledger.engine, messenger.send):
        tried += 1
    return tried


@app.task(name="tidegate.watch_notices", autoretry_for=(LedgerUnavailable,), retry_backoff=True, max_retries=3)  # type: ignore[untyped-decorator]
def watch_notices() -> None:
    """Look at the newest decisions and the budgets, then send what is owed."""
    settings = settings_from(os.environ)
    ledger = PostgresLedger(settings.database_url)
    try:
        new = watch(ledger, clock_from_anchor(settings.clock_path).now_s())
    finally:
        ledger.close()
    if new:
        _log.info("%d messages are owed", new)
    deliver.delay()


@app.task(name="tidegate.deliver", autoretry_for=(LedgerUnavailable,), retry_backoff=True, max_retries=3)  # type: ignore[untyped-decorator]
def deliver() -> None:
    """Send what is owed and due; what a service does not take is tried again later."""
    ledger = PostgresLedger(settings_from(os.environ).database_url)
    try:
        tried = deliver_all(ledger, AppriseMessenger(os.environ.get(LOCAL) == "1"))
    finally:
        ledger.close()
    if tried:
        _log.info("%d messages were tried", tried)
