"""What keeps the ledger in order, as tasks: partitions ahead, roll-ups, what is old, and what older versions wrote."""

from __future__ import annotations

import os
from collections.abc import Mapping

from controlplane.adapters.clock import clock_from_anchor, real_now_s
from controlplane.domain.ports import LedgerUnavailable
from controlplane.settings import settings_from
from controlplane.store.carry_over import carry_over
from controlplane.store.engine import opened, transaction
from controlplane.store.rollups import roll_up
from controlplane.store.upkeep import DAY_S, Retention, delete_old, drop_old_partitions, partitions_ahead
from controlplane.workers.app import app


def retention_from(environ: Mapping[str, str]) -> Retention:
    """`TIDEGATE_KEEP_TICKS_DAYS`, `..._ROLLUPS_DAYS` and `..._FORECASTS_DAYS`.

    Raises:
        ValueError: if one is not a number of at least one day.
    """
    known = Retention()
    return Retention(
        _days(environ, "TIDEGATE_KEEP_TICKS_DAYS", known.ticks_days),
        _days(environ, "TIDEGATE_KEEP_ROLLUPS_DAYS", known.rollups_days),
        _days(environ, "TIDEGATE_KEEP_FORECASTS_DAYS", known.forecasts_days),
    )


def _days(environ: Mapping[str, str], name: str, known: float) -> float:
    said = environ.get(name)
    if not said:
        return known
    try:
        days = float(said)
    except ValueError:
        days = 0.0
    if not 1.0 <= days < float("inf"):
        raise ValueError(f"{name} is {said!r}; allowed: days, at least 1")
    return days


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
    settings, kept = settings_from(os.environ), retention_from(os.environ)
    now_s = clock_from_anchor(settings.clock_path).now_s()
    with opened(settings.owner_database_url) as engine:
        partitions_ahead(engine, now_s)
        drop_old_partitions(engine, now_s - kept.ticks_days * DAY_S)
        delete_old(engine, kept, now_s, real_now_s())
