"""Every route of the OpenAPI document, as everybody: what nobody granted is refused."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from controlplane.adapters.clock import ManualClock
from controlplane.api.app import create_app
from controlplane.api.doors import Doors
from controlplane.domain.access import AccessRole, Grant
from controlplane.store.keys import new_token
from controlplane.store.ledger import PostgresLedger
from tests.ledger_builders import NOW_S, make_target, make_tick

OPEN_TO_ALL = {
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/auth/ways"),
    ("get", "/auth/login"),
    ("get", "/auth/callback"),
    ("get", "/auth/once"),
    ("post", "/auth/once"),
    ("post", "/auth/logout"),
}
"""Health, and the way in and out. Nothing else."""
OF_ADMINS = {("get", "/api/v1/users"), ("get", "/api/v1/grants"), ("post", "/api/v1/grants"), ("get", "/api/v1/audit")}
REFUSED = (401, 403, 404)


@pytest.fixture
def client(database_url: str, recording: PostgresLedger) -> Iterator[TestClient]:
    recording.save_targets([make_target()], NOW_S)
    recording.append([make_tick("t1", NOW_S)])
    app = create_app(database_url, ManualClock(NOW_S), doors=Doors(limited=False))
    with TestClient(app, raise_server_exceptions=False, follow_redirects=False) as made:
        yield made


def tokens(url: str) -> dict[str, str | None]:
    wanted = {
        "viewer elsewhere": Grant(AccessRole.VIEWER, "elsewhere"),
        "admin elsewhere": Grant(AccessRole.ADMIN, "elsewhere"),
        "viewer": Grant(AccessRole.VIEWER, "default"),
        "operator": Grant(AccessRole.OPERATOR, "default"),
        "admin": Grant(AccessRole.ADMIN),
    }
    return {"anonymous": None, **{n: new_token(url, n, [g], time.time(), 1.0) for n, g in wanted.items()}}


def routes(client: TestClient) -> Iterator[tuple[str, str]]:
    for path, item in client.get("/openapi.json").json()["paths"].items():
        for method in item:
            yield method, path


def ask(client: TestClient, method: str, path: str, token: str | None) -> Any:
    known = {"namespace": "default", "name": "chat", "tick_id": "t1"}
    real = re.sub(r"{(\w+)}", lambda found: known.get(found[1], str(uuid4())), path)
    headers = {"If-Match": '"1"', **({"Authorization": f"Bearer {token}"} if token else {})}
    if path == "/api/v1/events":
        return client.head(real, headers=headers) if token is None else None
    body = None if method in ("get", "head", "delete") else {}
    return client.request(method, real, headers=headers, json=body)


def test_deny_by_default(client: TestClient, database_url: str) -> None:
    keys = tokens(database_url)
    seen = 0
    for method, path in routes(client):
        if (method, path) in OPEN_TO_ALL:
            continue
        seen += 1
        answers = {name: ask(client, method, path, key) for name, key in keys.items() if path != "/api/v1/events"}
        if not answers:
            continue
        assert answers["anonymous"].status_code == 401, (method, path)
        assert all(answer.status_code < 500 for answer in answers.values()), (method, path)
        if method != "get":
            assert answers["viewer"].status_code in (*REFUSED, 422), (method, path)
        if "{namespace}" in path:
            assert answers["viewer elsewhere"].status_code in REFUSED or method != "get", (method, path)
            assert answers["admin elsewhere"].status_code in (404, 422), (method, path)
        if (method, path) in OF_ADMINS:
            assert answers["operator"].status_code in (403, 422), (method, path)
            assert answers["admin"].status_code in (200, 422), (method, path)
    assert seen > 20


def test_lists_hold_what_one_may_see(client: TestClient, database_url: str) -> None:
    keys = tokens(database_url)
    for name, count in (("viewer elsewhere", 0), ("viewer", 1), ("admin", 1)):
        headers = {"Authorization": f"Bearer {keys[name]}"}
        assert len(client.get("/api/v1/targets", headers=headers).json()) == count
        assert len(client.get("/api/v1/fleet", headers=headers).json()["targets"]) == count
    elsewhere = {"Authorization": f"Bearer {keys['viewer elsewhere']}"}
    assert client.get("/api/v1/ticks/t1", headers=elsewhere).status_code == 404
    assert client.get("/metrics", headers=elsewhere).status_code == 403


def test_the_live_feed_asks_who_it_is(client: TestClient) -> None:
    assert client.get("/api/v1/events").status_code == 401
