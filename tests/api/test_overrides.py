"""Writing an override: by whom, once, on the version that was read, with a row for the auditor."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

from controlplane.adapters.clock import ManualClock
from controlplane.api.app import create_app
from controlplane.api.doors import Doors
from controlplane.api.principals import Everybody
from controlplane.domain.access import AccessRole, Grant, Principal, PrincipalKind
from controlplane.store.ledger import PostgresLedger
from tests.builders import make_target

NOW_S = 1_767_600_000.0
PATH = "/api/v1/targets/default/chat/overrides"
PIN: dict[str, Any] = {"kind": "Pin", "replicas": 4, "ttl_s": 1800, "reason": "load test"}


class Office:
    """The API as one principal, on a clock that tests turn."""

    def __init__(self, url: str, role: AccessRole, namespace: str | None) -> None:
        self.clock = ManualClock(NOW_S)
        who = Principal(f"user:{role}", role.value.lower(), PrincipalKind.USER, (Grant(role, namespace),))
        self.client = TestClient(create_app(url, self.clock, doors=Doors(Everybody(who), limited=False)))
        self.url = url

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url.replace("+psycopg", "")) as connection:
            return connection.execute(statement).fetchall()  # type: ignore[call-overload, no-any-return]


@pytest.fixture
def url(database_url: str, recording: PostgresLedger) -> Iterator[str]:
    recording.save_targets([make_target()], NOW_S)
    return database_url


@pytest.fixture
def operator(url: str) -> Office:
    return Office(url, AccessRole.OPERATOR, "default")


def test_it_is_made_seen_and_ends_by_itself(operator: Office) -> None:
    made = operator.client.post(PATH, json=PIN)
    assert (made.status_code, made.headers["etag"]) == (201, '"1"')
    assert made.json()["expires_at_s"] == NOW_S + 1800
    assert operator.client.get(made.headers["location"]).json()["state"] == "Active"
    operator.clock.advance(1801)
    assert operator.client.get(made.headers["location"]).json()["state"] == "Expired"
    assert operator.client.get("/api/v1/overrides", params={"active": True}).json()["items"] == []


def test_the_same_request_again_is_answered_as_before(operator: Office) -> None:
    key = {"Idempotency-Key": "k1"}
    first = operator.client.post(PATH, json=PIN, headers=key)
    again = operator.client.post(PATH, json=PIN, headers=key)
    assert (again.status_code, again.json(), again.headers["idempotency-replayed"]) == (201, first.json(), "true")
    other = operator.client.post(PATH, json={**PIN, "replicas": 5}, headers=key)
    assert (other.status_code, "Idempotency-Key" in other.json()["detail"]) == (422, True)
    assert operator.rows("SELECT count(*) FROM overrides") == [(1,)]
    assert operator.rows("SELECT count(*) FROM audit") == [(1,)]


def test_many_at_once_under_one_key_make_one(operator: Office) -> None:
    answers: list[int] = []

    def post() -> None:
        answers.append(operator.client.post(PATH, json=PIN, headers={"Idempotency-Key": "k"}).status_code)

    threads = [threading.Thread(target=post) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [201] * 8
    assert operator.rows("SELECT count(*) FROM overrides") == [(1,)]


def test_it_is_taken_back_on_the_version_that_was_read(operator: Office) -> None:
    made = operator.client.post(PATH, json=PIN)
    where = made.headers["location"]
    assert operator.client.delete(where).status_code == 428
    assert operator.client.delete(where, headers={"If-Match": "new"}).status_code == 422
    ended = operator.client.delete(where, headers={"If-Match": made.headers["etag"]})
    assert (ended.status_code, ended.json()["state"], ended.headers["etag"]) == (200, "Ended", '"2"')
    stale = operator.client.delete(where, headers={"If-Match": made.headers["etag"]})
    assert (stale.status_code, stale.headers["etag"]) == (412, '"2"')


def test_every_write_has_its_row_and_no_row_can_be_changed(operator: Office) -> None:
    made = operator.client.post(PATH, json=PIN, headers={"X-Request-Id": "r-1"})
    operator.client.delete(made.headers["location"], headers={"If-Match": '"1"'})
    rows = operator.rows("SELECT actor, action, namespace, request_id, before IS NULL FROM audit ORDER BY id")
    assert [row[:3] for row in rows] == [
        ("user:Operator", "override.create", "default"),
        ("user:Operator", "override.end", "default"),
    ]
    assert (rows[0][3], [row[4] for row in rows]) == ("r-1", [True, False])
    for statement in ("UPDATE audit SET actor = 'x'", "DELETE FROM audit", "TRUNCATE audit"):
        with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
            operator.rows(statement)


@pytest.mark.parametrize(
    ("role", "namespace", "status"),
    [(AccessRole.VIEWER, "default", 403), (AccessRole.OPERATOR, "elsewhere", 404), (AccessRole.ADMIN, None, 201)],
)
def test_who_may(url: str, role: AccessRole, namespace: str | None, status: int) -> None:
    office = Office(url, role, namespace)
    assert office.client.post(PATH, json=PIN).status_code == status
    assert office.rows("SELECT count(*) FROM overrides") == [(int(status == 201),)]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"variant": "b200"}, "variant"),
        ({"replicas": None}, "replicas"),
        ({"kind": "Pause"}, "replicas"),
        ({"ttl_s": 0}, "ttl_s"),
        ({"ttl_s": 1e9}, "ttl_s"),
        ({"reason": ""}, "reason"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_one_is_refused_by_field(operator: Office, change: dict[str, Any], field: str) -> None:
    answer = operator.client.post(PATH, json={**PIN, **change})
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_pages_hold_each_once(operator: Office) -> None:
    for _ in range(5):
        operator.client.post(PATH, json=PIN)
    seen, cursor = [], None
    while True:
        page = operator.client.get("/api/v1/overrides", params={"limit": 2, **({"cursor": cursor} if cursor else {})})
        seen += [item["id"] for item in page.json()["items"]]
        cursor = page.json()["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 5
    assert operator.client.get("/api/v1/overrides", params={"cursor": "zzz"}).status_code == 422
