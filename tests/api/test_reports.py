"""What it cost: hand-worked sums, files, and who may see them."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from decimal import Decimal
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from controlplane.adapters.clock import ManualClock
from controlplane.api.app import create_app
from controlplane.api.doors import Doors
from controlplane.api.exports import harmless
from controlplane.api.principals import Everybody
from controlplane.domain.access import SYSTEM, AccessRole, Grant, Principal, PrincipalKind
from controlplane.domain.jobs import JobKind, JobStatus
from controlplane.store.jobs import Jobs
from controlplane.store.ledger import PostgresLedger
from controlplane.store.unit import Request, Writer
from tests.ledger_builders import make_load, make_target, make_tick

START_S = 1_767_571_200.0
"""2026-01-05 00:00 UTC."""
CHAT, CODE = make_target(), make_target("code", "other")


class Desk:
    def __init__(self, url: str, namespace: str | None = None) -> None:
        who = Principal("user:v", "v", PrincipalKind.USER, (Grant(AccessRole.VIEWER, namespace),))
        app = create_app(url, ManualClock(START_S + 7200), doors=Doors(Everybody(who), limited=False))
        self.client, self.url = TestClient(app), url

    def rows(self, **asked: Any) -> dict[str, dict[str, Any]]:
        given = {"from": START_S, "to": START_S + 7200, **asked}
        found = self.client.get("/api/v1/reports", params=given)
        assert found.status_code == 200, found.text
        return {**{row["key"]: row for row in found.json()["rows"]}, "total": found.json()["total"]}


@pytest.fixture
def desk(database_url: str, recording: PostgresLedger) -> Desk:
    recording.save_targets([CHAT, CODE], START_S)
    # An hour of each: 2 h100 at 4 $ and 2 l40s at 1.9 $ are 11.80 $; chat 10 requests/s at 0.99, code 5 at 0.90.
    for target, rate, share in ((CHAT, 10.0, 0.99), (CODE, 5.0, 0.90)):
        ticks = [
            make_tick(f"{target.name}{n}", START_S + 60 * n, target, load=make_load(rate), attainment=share)
            for n in range(60)
        ]
        last = replace(ticks[-1], id=f"{target.name}-end", at_s=START_S + 3600)
        recording.append([*ticks, last])
    return Desk(database_url)


def test_an_hour_by_target(desk: Desk) -> None:
    found = desk.rows()
    chat = found["default/chat"]
    # The last tick speaks for five minutes more: 3,900 s.
    assert (chat["cost_usd"], chat["requests"], chat["attainment"]) == ("12.78", 39_000, pytest.approx(0.99))
    assert chat["goodput_rps"] == pytest.approx(9.9)
    assert chat["gpu_hours"] == pytest.approx(4 * 3900 / 3600, abs=1e-3)
    assert chat["tokens"] == 39_000 * 1200
    assert chat["usd_per_million_tokens"] == "0.2731"
    assert found["total"]["cost_usd"] == "25.57"
    assert found["total"]["attainment"] == pytest.approx((10 * 0.99 + 5 * 0.9) / 15)
    assert (chat["baseline_usd"], chat["savings_usd"]) == (None, None)


def test_the_parts_make_up_the_whole(desk: Desk) -> None:
    by_variant = desk.rows(by="variant")
    assert Decimal(by_variant["default/chat/h100"]["cost_usd"]) == Decimal("8.67")  # 8 / 11.8 of it
    for by in ("target", "namespace", "variant", "day"):
        rows = desk.rows(by=by)
        total = rows.pop("total")
        for name in ("cost_usd", "gpu_hours", "requests"):
            assert float(sum(Decimal(str(r[name])) for r in rows.values())) == pytest.approx(
                float(total[name]), abs=0.02
            )
    assert next(iter(desk.rows(by="day"))) == "2026-01-05"


def test_a_gap_is_not_counted(desk: Desk) -> None:
    assert desk.rows(to=START_S + 7 * 86_400)["default/chat"]["cost_usd"] == "12.78"


def test_savings_against_a_stated_fleet(desk: Desk) -> None:
    with psycopg.connect(desk.url.replace("+psycopg", "")) as connection:
        connection.execute(
            "INSERT INTO settings (name, value, changed_at, changed_by) VALUES ('report_baseline', %s, now(), 'x')",
            ('{"default/chat": {"h100": 6}}',),
        )
    chat = desk.rows()["default/chat"]
    # 6 x 4 $ for 3,900 s is 26.00 $.
    assert (chat["baseline_usd"], chat["savings_usd"]) == ("26.00", "13.22")
    assert chat["baseline"] == "default/chat: stated fleet: 6 h100, always"
    assert desk.rows()["total"]["savings_usd"] == "13.22"


def test_savings_against_the_newest_replay(desk: Desk, recording: PostgresLedger) -> None:
    jobs = Jobs(recording.engine)
    with Writer(recording.engine).unit(Request(SYSTEM, "", "r", START_S)) as unit:
        made = Jobs.create(unit, JobKind.REPLAY, "default", {"target": "default/chat", "policy": "hpa-queue"})
    claim = jobs.claim(made.id)
    assert claim is not None
    runs = [{"policy": "hpa-queue", "cost_usd": "15.00"}, {"policy": "live", "cost_usd": "10.00"}]
    jobs.finish(claim, JobStatus.SUCCEEDED, {"runs": runs})
    chat = desk.rows()["default/chat"]
    assert (chat["baseline_usd"], chat["savings_usd"]) == ("19.18", "6.39")
    assert f"replay {made.id}: hpa-queue cost 1.500 x" in chat["baseline"]


def test_files_hold_the_same(desk: Desk) -> None:
    asked = {"from": START_S, "to": START_S + 7200}
    text = desk.client.get("/api/v1/reports", params={**asked, "format": "csv"})
    assert text.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(text.text)))
    assert [(r["key"], r["cost_usd"]) for r in rows] == [
        ("default/chat", "12.78"),
        ("other/code", "12.78"),
        ("total", "25.57"),
    ]
    body = desk.client.get("/api/v1/reports", params={**asked, "format": "parquet"}).content
    table = pq.read_table(io.BytesIO(body)).to_pylist()
    assert [(r["key"], r["cost_usd"]) for r in table] == [
        ("default/chat", Decimal("12.7800")),
        ("other/code", Decimal("12.7800")),
    ]


def test_one_sees_ones_own(desk: Desk) -> None:
    own = Desk(desk.url, "other")
    assert list(own.rows()) == ["other/code", "total"]
    assert own.client.get("/api/v1/reports", params={"namespace": "default"}).status_code == 404


@pytest.mark.parametrize("asked", [{"from": START_S, "to": START_S}, {"from": 0, "to": START_S}, {"by": "cluster"}])
def test_a_wrong_one_is_refused(desk: Desk, asked: dict[str, Any]) -> None:
    assert desk.client.get("/api/v1/reports", params=asked).status_code == 422


@pytest.mark.parametrize("cell", ["=1+1", "+1", "@x", "-x", "\tx"])
def test_a_formula_is_text(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"
    assert harmless("-1.5") == "-1.5"
