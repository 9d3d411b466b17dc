"""What keeps the ledger in order, as tasks: partitions ahead, roll-ups, what is old, and what older versions wrote."""

from __future__ import annotations

import os

from controlplane.adapters.clock import clock_from_anchor, real_now_s
from controlplane.domain.ports import LedgerUnavailable
from controlplane.settings import settings_from
from controlplane.store.carry_over import carry_over
from controlplane.store.engine import opened, transaction
from controlplane.store.rollups import roll_up
from controlplane.store.settings import GovernedSettings
from controlplane.store.upkeep import DAY_S, Retention, delete_old, drop_old_partitions, partitions_ahead
from controlplane.workers.app import app


@app.task(name="tidegate.roll_up", autoretry_for=(LedgerUnavailable,), retry_backoff=True, max_retries=3)  # type: ignore[untyped-decorator]
def roll_up_ticks() -> None:
    """Bring the roll-ups up to date, and carry over what versions before wrote. History is append-only for the
    application's own role: what empties a table is the schema's owner's."""
    settings = settings_from(os.environ)
    with opened(settings.owner_database_url) as owner:
        carry_over(owner)
    with opened(settings.database_url) as engine:
        while True:
            with transaction(engine) as connection:
                if not roll_up(connection):
                    break


@app.task(name="tidegate.retention", autoretry_for=(LedgerUnavailable,), retry_backoff=True, max_retries=3)  # type: ignore[untyped-decorator]
def retention() -> None:
    """Partitions ahead; then what is old goes, as the schema's owner."""
    settings = settings_from(os.environ)
    now_s = clock_from_anchor(settings.clock_path).now_s()
    with opened(settings.owner_database_url) as engine:
        kept = Retention.of(GovernedSettings(engine).all())
        partitions_ahead(engine, now_s)
        drop_old_partitions(engine, now_s - kept.ticks_days * DAY_S)
        delete_old(engine, kept, now_s, real_now_s())
