"""The sweep of what expired, as a worker runs it: on the controller's clock, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from controlplane.adapters.clock import write_anchor
from controlplane.domain.access import SYSTEM
from controlplane.domain.target import Origin, Override, OverrideKind
from controlplane.store.audits import AuditFilter, Audits
from controlplane.store.ledger import PostgresLedger
from controlplane.store.overrides import Overrides
from controlplane.store.unit import Request, Writer
from controlplane.workers.app import app
from controlplane.workers.tasks import note_expired
from tests.ledger_builders import NOW_S


def test_what_expired_on_the_controllers_clock_is_told_once(
    recording: PostgresLedger, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_anchor(tmp_path / "clock.json", NOW_S, 1.0)
    monkeypatch.setenv("TIDEGATE_DATABASE_URL", database_url)
    monkeypatch.setenv("TIDEGATE_CLOCK", str(tmp_path / "clock.json"))
    with Writer(recording.engine).unit(Request(SYSTEM, "", "r", NOW_S - 60.0)) as unit:
        for until_s in (NOW_S - 1.0, NOW_S + 600.0):
            said = Override(OverrideKind.PIN, 4, None, until_s, "ada", "load test", Origin.API)
            Overrides.create(unit, "default", "chat", said)
    note_expired()
    note_expired()
    rows, _ = Audits(recording.engine).page(AuditFilter(), None, 10)
    assert [(row.actor, row.action) for row in rows] == [("system", "override.expire")]


def test_beat_asks_for_it() -> None:
    assert app.conf.beat_schedule["note-expired"]["task"] == note_expired.name
