"""The API over a real ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from controlplane.adapters.clock import ManualClock
from controlplane.api.app import create_app
from controlplane.api.doors import Doors
from controlplane.api.principals import Everybody
from controlplane.domain.decision import ActuationResult, Verdict
from controlplane.embedded.postgres import EmbeddedPostgres
from controlplane.store.ledger import PostgresLedger
from tests.api.policies import SPEC
from tests.ledger_builders import NOW_S, make_load, make_target, make_tick
from tests.ledger_fixtures import admin

OPEN = Doors(Everybody(), limited=False)
CHAT = "/api/v1/targets/default/chat"


@pytest.fixture
def web_dir(tmp_path: Path) -> Path:
    (tmp_path / "web" / "assets").mkdir(parents=True)
    (tmp_path / "web" / "index.html").write_text("<title>the page</title>")
    (tmp_path / "web" / "assets" / "a1b2.js").write_text("1")
    (tmp_path / "secret").write_text("secret")
    return tmp_path / "web"


@pytest.fixture
def client(database_url: str, web_dir: Path) -> Iterator[TestClient]:
    app = create_app(database_url, ManualClock(NOW_S, 30.0), web_dir, OPEN)
    with TestClient(app, raise_server_exceptions=False) as made:
        yield made


@pytest.fixture
def two_ticks(recording: PostgresLedger) -> None:
    recording.save_targets([make_target(), make_target("idle")], NOW_S)
    recording.append(
        [
            make_tick("t0", NOW_S - 15, attainment=None),
            make_tick("t1", NOW_S, verdict=Verdict.UP, desired={"h100": 4}, load=make_load(12.0), pending=1),
        ]
    )


def get(client: TestClient, path: str, status: int = 200) -> Any:
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    kind = answer.headers["content-type"].split(";")[0]
    assert kind == ("application/json" if status == 200 else "application/problem+json")
    return answer.json()


def test_desired_is_what_the_cluster_was_told(client: TestClient, recording: PostgresLedger) -> None:
    recording.save_targets([make_target()], NOW_S)
    recording.append([make_tick(desired={"h100": 5}, result=ActuationResult.SKIPPED)])
    assert [v["desired"] for v in get(client, CHAT)["variants"]] == [2, 2]


@pytest.mark.usefixtures("two_ticks")
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=x", "limit"),
        ("verdict=sideways", "verdict.0"),
        ("cursor=%21", "cursor"),
        ("since=yesterday", "since"),
        ("since=nan", "since"),
        ("since=1e20", "since"),
        ("until=-1e15", "until"),
        ("since=2023-11-14T22:14:00", "since"),
        ("since=20&until=10", "since"),
    ],
)
def test_a_bad_value_is_named(client: TestClient, query: str, field: str) -> None:
    problem = get(client, f"{CHAT}/ticks?{query}", 422)
    assert problem["field"] == field
    assert problem["allowed"]
    assert problem["value"] is not None


@pytest.mark.parametrize("path", ["/api/v1/ticks/%00", "/api/v1/targets/%00/%00", "/%00", "/" + "x" * 300])
def test_odd_paths_are_no_server_errors(client: TestClient, path: str) -> None:
    assert client.get(path).status_code < 500


def test_a_ledger_that_is_away_is_a_503_and_comes_back(
    client: TestClient, postgres: EmbeddedPostgres, database_url: str
) -> None:
    database = database_url.rsplit("/", 1)[-1]
    assert client.get("/readyz").json() == {"ok": True, "checks": {"ledger": "ok", "schema": "ok"}}
    end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
    admin(postgres, f"ALTER DATABASE {database} ALLOW_CONNECTIONS false", end)
    assert "PostgreSQL" in get(client, "/api/v1/fleet", 503)["detail"]
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200
    assert "tidegate_ledger_up 0.0" in client.get("/metrics").text
    admin(postgres, f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")
    assert get(client, "/api/v1/fleet")["targets"] == []


@pytest.mark.usefixtures("two_ticks")
def test_own_metrics_parse_and_say_what_is_wanted(client: TestClient) -> None:
    families = {f.name: f for f in text_string_to_metric_families(client.get("/metrics").text)}
    assert all(name.startswith("tidegate_") for name in families)
    desired = {s.labels["variant"]: s.value for s in families["tidegate_desired_replicas"].samples}
    assert desired == {"h100": 4.0, "l40s": 2.0}
    ticks = {s.labels["verdict"]: s.value for s in families["tidegate_ticks"].samples}
    assert ticks == {"hold": 1.0, "up": 1.0}


@pytest.mark.parametrize("path", ["/", "/targets/default/chat", "/nothing.txt", "/..%2fsecret", "/%2e%2e/secret"])
def test_every_other_path_is_the_page(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.text) == (200, "<title>the page</title>")


PIN = {"kind": "Pin", "replicas": 4, "ttl_s": 1800, "reason": "load test"}


def refused(client: TestClient, body: bytes, path: str = f"{CHAT}/overrides") -> Any:
    answer = client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()


def test_a_body_that_is_no_json_or_absent_is_called_so(client: TestClient, two_ticks: None) -> None:
    status, problem = refused(client, b'{"kind": ')
    assert (status, problem["field"], problem["value"]) == (422, "body", "no JSON")
    assert "at character 9" in problem["allowed"]
    status, problem = refused(client, b"")
    assert (status, problem["field"], problem["detail"].split(";")[0]) == (422, "body", "body is absent")
    status, problem = refused(client, b'{"kind": "Pin"}')
    assert (status, problem["field"], "value" in problem) == (422, "ttl_s", False)


def test_a_long_value_is_not_sent_back_whole(client: TestClient, two_ticks: None) -> None:
    long = json.dumps({**PIN, "reason": "x" * 900_000}).encode()
    status, problem = refused(client, long)
    assert (status, problem["field"]) == (422, "reason")
    assert len(json.dumps(problem)) < 1000
    assert problem["value"].endswith("x... (900000 characters)")
    assert len(client.get(f"/api/v1/overrides?cursor={'a' * 5000}").content) < 1000


@pytest.mark.parametrize("field", ["reason", "kind", "variant", "colour"])
def test_half_a_character_is_refused_and_breaks_nothing(client: TestClient, two_ticks: None, field: str) -> None:
    status, problem = refused(client, json.dumps({**PIN, field: "a\ud800b"}).encode())
    assert (status, problem["title"]) == (422, "A value is not allowed")


def test_half_a_character_deep_in_a_policy_is_refused_too(client: TestClient) -> None:
    policy = {"name": "chat", "namespaces": ["default"], "spec": {"model": "a\ud800b"}, "reason": "r"}
    assert refused(client, json.dumps(policy).encode(), "/api/v1/policies")[0] == 422
    spec = {**SPEC, "x-\ud800": 1}
    assert refused(client, json.dumps({**policy, "spec": spec}).encode(), "/api/v1/policies")[0] == 422


@pytest.mark.parametrize(
    ("path", "field", "allowed"),
    [
        (f"{CHAT}/ticks?from=5", "from", "since"),
        ("/api/v1/jobs?targets=a", "targets", "namespace"),
        ("/api/v1/fleet?x=1", "x", "none"),
    ],
)
def test_a_parameter_that_there_is_not_is_refused(
    client: TestClient, two_ticks: None, path: str, field: str, allowed: str
) -> None:
    problem = get(client, path, 422)
    assert problem["field"] == field
    assert allowed in problem["allowed"]


def test_a_fault_of_our_own_is_a_problem_with_the_requests_id(client: TestClient) -> None:
    def broken() -> None:
        raise RuntimeError("secret words")

    client.app.router.add_api_route("/broken", broken)  # type: ignore[attr-defined]
    client.app.router.routes.insert(0, client.app.router.routes.pop())  # type: ignore[attr-defined]
    answer = client.get("/broken", headers={"X-Request-Id": "r-7"})
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "r-7" in answer.json()["detail"]
    assert "secret" not in answer.text
