"""The API over a real ledger, by HTTP."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from fastapi.testclient import TestClient

from controlplane.adapters.clock import ManualClock
from controlplane.api.app import create_app
from controlplane.api.doors import Doors
from controlplane.api.principals import Everybody
from controlplane.embedded.children import free_port
from controlplane.store.ledger import PostgresLedger
from tests.builders import (
    NOW_S,
    make_forecast,
    make_group,
    make_inputs,
    make_observation,
    make_target,
    make_tick,
    make_variant,
)

OPEN = Doors(Everybody(), limited=False)
CHAT = "/api/v1/targets/default/chat"


def tick_at(number: int, rps: float = 5.0):  # type: ignore[no-untyped-def]
    target = make_target((make_variant(),))
    inputs = make_inputs(target, make_observation(target, rps), make_forecast(target, rps * 1.1))
    return make_tick(f"t{number}", make_group(inputs), NOW_S + 15.0 * number, f"g{number}")


@pytest.fixture
def client(database_url: str, tmp_path: Path) -> Iterator[TestClient]:
    ledger = PostgresLedger(database_url)
    ledger.save_targets([make_target(), make_target(name="fresh")], NOW_S)
    ledger.append([tick_at(n, 80.0 if n == 3 else 5.0) for n in range(5)])
    ledger.close()
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<title>Tidegate</title>")
    (tmp_path / "assets" / "a.js").write_text("1")
    with TestClient(create_app(database_url, ManualClock(NOW_S + 100.0, 30.0), tmp_path, OPEN)) as made:
        yield made


def test_the_fleet_sums_what_is_known(client: TestClient) -> None:
    fleet = client.get("/api/v1/fleet").json()
    assert [t["name"] for t in fleet["targets"]] == ["chat", "fresh"]
    assert fleet["totals"]["speed"] == 30.0
    assert fleet["totals"]["requests_per_s"] == pytest.approx(5.0)
    assert fleet["totals"]["usd_per_hour"] == pytest.approx(4.0)
    fresh = fleet["targets"][1]
    assert all(fresh[name] is None for name in ("verdict", "requests_per_s", "attainment", "usd_per_hour", "waiting"))
    assert fresh["variants"][0]["ready"] is None


def test_a_target_says_what_its_metrics_lack_and_what_it_cost(client: TestClient) -> None:
    chat, fresh = client.get("/api/v1/targets").json()
    assert [c for c in chat["sparkline_usd_per_hour"] if c is not None][-1] == pytest.approx(4.0)
    assert set(fresh["sparkline_usd_per_hour"]) == {None}
    assert (fresh["faults"], fresh["conflicts"], fresh["coverage"]) == ([], [], None)
    assert chat["tick_interval_s"] == 15.0


def test_a_decision_has_those_before_and_after_it(client: TestClient) -> None:
    assert client.get("/api/v1/ticks/t0/neighbours").json() == {"previous_id": None, "next_id": "t1"}
    assert client.get("/api/v1/ticks/t2/neighbours").json() == {"previous_id": "t1", "next_id": "t3"}
    assert client.get("/api/v1/ticks/t4/neighbours").json() == {"previous_id": "t3", "next_id": None}
    assert client.get("/api/v1/ticks/nothing/neighbours").status_code == 404


def test_before_the_first_tick_nothing_is_known_and_nothing_is_zero(database_url: str) -> None:
    ledger = PostgresLedger(database_url)
    ledger.save_targets([make_target()], NOW_S)
    ledger.close()
    with TestClient(create_app(database_url, ManualClock(NOW_S), doors=OPEN)) as client:
        totals = client.get("/api/v1/fleet").json()["totals"]
    known = {name: value for name, value in totals.items() if value is not None}
    assert known == {"now_s": NOW_S, "speed": 1.0, "targets": 1}


def test_targets_and_one_of_them(client: TestClient) -> None:
    assert len(client.get("/api/v1/targets").json()) == 2
    assert client.get(CHAT).json()["model"] == "llama-3.1-8b"


def test_ticks_are_paged_and_filtered(client: TestClient) -> None:
    page = client.get(f"{CHAT}/ticks", params={"limit": 2}).json()
    assert [item["id"] for item in page["items"]] == ["t4", "t3"]
    page = client.get(f"{CHAT}/ticks", params={"limit": 2, "cursor": page["next_cursor"]}).json()
    assert [item["id"] for item in page["items"]] == ["t2", "t1"]
    ups = client.get(f"{CHAT}/ticks", params={"verdict": ["up", "down"]}).json()
    assert [item["id"] for item in ups["items"]] == ["t3"]
    late = client.get(f"{CHAT}/ticks", params={"since": "2026-01-05T08:00:45Z"}).json()
    assert [item["id"] for item in late["items"]] == ["t4", "t3"]


def test_a_tick_has_its_inputs_its_trail_and_its_words(client: TestClient) -> None:
    detail = client.get("/api/v1/ticks/t3").json()
    assert detail["tick"]["inputs"]["observation"]["load"]["requests_per_s"] == 80.0
    assert next(r["rule"] for r in detail["tick"]["decision"]["trail"]) == "mode"
    assert any(line.startswith("Verdict: up") for line in detail["sentences"])


def test_series_are_columns_of_equal_length(client: TestClient) -> None:
    series = client.get(f"{CHAT}/series").json()
    assert series["at_s"] == [NOW_S + 15.0 * n for n in range(5)]
    columns = [v for v in series.values() if isinstance(v, list) and v and not isinstance(v[0], dict)]
    assert {len(column) for column in columns} == {5}
    assert series["forecast_at_s"][0] == NOW_S + 240.0
    assert len(client.get(f"{CHAT}/series", params={"points": 2}).json()["at_s"]) == 2


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/api/v1/targets/default/none", 404, "there is no target default/none"),
        ("/api/v1/ticks/none", 404, "there is no tick none"),
        ("/api/v1/nothing", 404, "there is no /api/v1/nothing"),
        (f"{CHAT}/ticks?verdict=sideways", 422, "verdict"),
        (f"{CHAT}/ticks?limit=0", 422, "limit is '0'"),
        (f"{CHAT}/ticks?cursor=x!", 422, "cursor is 'x!'"),
        (f"{CHAT}/ticks?since=yesterday", 422, "since is 'yesterday'; allowed: unix seconds, or RFC 3339"),
        (f"{CHAT}/ticks?since=nan", 422, "since is 'nan'"),
        (f"{CHAT}/ticks?since=2026-01-05T08:00:00", 422, "with a time zone"),
        (f"{CHAT}/ticks?since=10&until=5", 422, "a time before `until`"),
    ],
)
def test_errors_are_problems_that_name_the_field(client: TestClient, path: str, status: int, said: str) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.json()["detail"]


def test_health_metrics_and_openapi(client: TestClient) -> None:
    assert client.get("/healthz").json()["ok"]
    assert client.get("/readyz").json() == {"ok": True, "checks": {"ledger": "ok", "schema": "ok"}}
    page = client.get("/metrics").text
    assert 'tidegate_ticks_total{target="default/chat",verdict="up"} 1.0' in page
    assert 'tidegate_desired_replicas{target="default/chat",variant="h100"} 1.0' in page
    assert "tidegate_ledger_up 1.0" in page
    document = client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert "/api/v1/targets/{namespace}/{name}/ticks" in document["paths"]


def test_the_documents_types_are_those_that_the_web_ui_was_made_from() -> None:
    kept = json.loads((Path(__file__).resolve().parents[2] / "web" / "openapi.json").read_text())
    made = create_app("postgresql+psycopg://x@127.0.0.1:1/x", ManualClock()).openapi()
    assert made == kept, "run `make openapi`"


def test_the_web_ui_is_served_beside_the_api(client: TestClient) -> None:
    for path in ("/", "/targets/default/chat"):
        answer = client.get(path)
        assert (answer.status_code, "Tidegate" in answer.text) == (200, True)
    assert "immutable" in client.get("/assets/a.js").headers["cache-control"]
    assert client.get("/..%2f..%2fetc/passwd").text == "<title>Tidegate</title>"


def test_without_a_built_web_ui_the_page_says_how_to_build_it(database_url: str) -> None:
    with TestClient(create_app(database_url, ManualClock(), doors=OPEN)) as client:
        answer = client.get("/")
    assert (answer.status_code, "make web" in answer.text) == (404, True)


def test_a_ledger_that_is_away_is_a_503_that_says_so() -> None:
    with TestClient(create_app("postgresql+psycopg://x@127.0.0.1:1/x", ManualClock(), doors=OPEN)) as client:
        answer = client.get("/api/v1/fleet")
        assert answer.status_code == 503
        assert "ticks wait in the spool" in answer.json()["detail"]
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200
        assert "tidegate_ledger_up 0.0" in client.get("/metrics").text


def test_new_ticks_are_told_to_those_who_listen(database_url: str) -> None:
    ledger = PostgresLedger(database_url)
    ledger.save_targets([make_target()], NOW_S)
    port = free_port()
    app = create_app(database_url, ManualClock(NOW_S, 30.0), doors=OPEN)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.02)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/events", timeout=10) as stream:
            assert stream.readline() == b"event: heartbeat\n"
            assert json.loads(stream.readline().removeprefix(b"data: ")) == {"now_s": NOW_S, "speed": 30.0}
            time.sleep(1.2)  # the feed looks at the ledger from the first listener on
            ledger.append([tick_at(7)])
            lines = iter(stream.readline, b"")
            assert next(line for line in lines if line.startswith(b"event: tick"))
            assert json.loads(next(lines).removeprefix(b"data: "))["id"] == "t7"
    finally:
        server.should_exit = True
        thread.join()
        ledger.close()
