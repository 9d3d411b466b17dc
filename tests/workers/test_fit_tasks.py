"""The worker's tasks, called as functions and over a real broker."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from celery import Celery

from controlplane.adapters.clock import write_anchor
from controlplane.embedded.valkey import EmbeddedValkey
from controlplane.planning.load_history import QUANTITIES
from controlplane.store.ledger import PostgresLedger
from controlplane.workers.app import make_app
from controlplane.workers.tasks import fit_forecast
from tests.ledger_builders import NOW_S, make_load, make_target, make_tick

KEY = "default/chat"
MINUTES = 180


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> dict[str, str]:
    write_anchor(tmp_path / "clock.json", NOW_S + MINUTES * 60, 1.0)
    return {"TIDEGATE_DATABASE_URL": database_url, "TIDEGATE_CLOCK": str(tmp_path / "clock.json")}


@pytest.fixture
def recorded(recording: PostgresLedger) -> PostgresLedger:
    recording.save_targets([make_target()], NOW_S)
    recording.append([make_tick(f"t{n}", NOW_S + 60 * n, load=make_load(5.0 + n % 7)) for n in range(MINUTES)])
    return recording


def test_a_fit_is_of_every_quantity_and_on_the_controllers_clock(
    recorded: PostgresLedger, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    fit_forecast(KEY)
    fit = recorded.fits()[KEY]
    assert set(fit.states) == set(QUANTITIES)
    assert fit.forecaster in fit.losses
    assert NOW_S + MINUTES * 60 <= fit.fitted_at_s < NOW_S + MINUTES * 60 + 60


@pytest.mark.parametrize("key", ["default/none", KEY])
def test_a_target_that_is_gone_or_has_no_history_is_left_alone(
    recording: PostgresLedger, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    recording.save_targets([make_target()], NOW_S)
    fit_forecast(key)
    assert recording.fits() == {}


def test_tasks_are_acknowledged_late_and_rounds_expire() -> None:
    conf = make_app("redis://127.0.0.1:1/0").conf
    assert conf.task_acks_late
    assert len(conf.beat_schedule) >= 3
    for entry in conf.beat_schedule.values():
        assert entry["options"]["expires"] <= entry["schedule"].run_every.total_seconds()


def test_a_worker_takes_the_round_from_the_broker(
    recorded: PostgresLedger, settings: dict[str, str], valkey: EmbeddedValkey, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "celery", "-A", "controlplane.workers.app", "worker", "--pool", "solo"]
    environment = {**os.environ, **settings, "TIDEGATE_BROKER_URL": valkey.url}
    with (tmp_path / "worker.log").open("wb") as log:
        worker = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        with Celery(broker=valkey.url) as sender:
            sender.send_task("tidegate.fit_forecasts")
        deadline = time.monotonic() + 60
        while KEY not in recorded.fits():
            assert worker.poll() is None, (tmp_path / "worker.log").read_text()
            assert time.monotonic() < deadline, (tmp_path / "worker.log").read_text()
            time.sleep(0.2)
    finally:
        worker.terminate()
        worker.wait(20)
