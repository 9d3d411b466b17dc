"""Tasks: each is one transaction or none, and may run twice without harm."""

from __future__ import annotations

import os

from celery.utils.log import get_task_logger

from controlplane.adapters.clock import clock_from_anchor
from controlplane.domain.ports import LedgerUnavailable
from controlplane.planning.cold_starts import known_cold_starts
from controlplane.planning.load_history import BIN_S, MAX_BINS
from controlplane.planning.stepper import fit_target, horizon
from controlplane.settings import Settings, settings_from
from controlplane.store import expiry
from controlplane.store.ledger import PostgresLedger
from controlplane.workers.app import app

_log = get_task_logger(__name__)


def _settings() -> Settings:
    return settings_from(os.environ)


@app.task(name="tidegate.fit_forecasts", autoretry_for=(LedgerUnavailable,), retry_backoff=True, max_retries=3)  # type: ignore[untyped-decorator]
def fit_forecasts() -> None:
    """Ask for a fit of every target; the tasks are sent after the ledger was read."""
    ledger = PostgresLedger(_settings().database_url)
    try:
        keys = [target.key for target in ledger.targets()]
    finally:
        ledger.close()
    for key in keys:
        fit_forecast.delay(key)


@app.task(name="tidegate.note_expired", autoretry_for=(LedgerUnavailable,), retry_backoff=True, max_retries=3)  # type: ignore[untyped-decorator]
def note_expired() -> None:
    """Tell the auditor what ended by itself: overrides, freezes, prices. Each is told once, however often this runs."""
    settings = _settings()
    ledger = PostgresLedger(settings.database_url)
    try:
        count = expiry.note_expired(ledger.engine, clock_from_anchor(settings.clock_path).now_s())
    finally:
        ledger.close()
    if count:
        _log.info("%d overrides, freezes or prices expired", count)


@app.task(name="tidegate.fit_forecast", autoretry_for=(LedgerUnavailable,), retry_backoff=True, max_retries=3)  # type: ignore[untyped-decorator]
def fit_forecast(target_key: str) -> None:
    """Fit the best forecaster to one target's recorded load and keep it in the ledger."""
    settings = _settings()
    now_s = clock_from_anchor(settings.clock_path).now_s()
    ledger = PostgresLedger(settings.database_url)
    try:
        target = next((t for t in ledger.targets() if t.key == target_key), None)
        if target is None:
            return
        measured = ledger.cold_starts().get(target_key, {})
        starts = known_cold_starts(target, measured)
        history = ledger.load_history(target_key, now_s - MAX_BINS * BIN_S)
        fit = fit_target(target_key, history, now_s, horizon(target, starts))
        if fit is not None:
            ledger.save_fit(fit)
            _log.info("fitted %s to %s: losses %s", fit.forecaster, target_key, dict(fit.losses))
    finally:
        ledger.close()
