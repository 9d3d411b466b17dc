"""Writing an override: by whom, once, on the version that was read, with a row for the auditor."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg
import pytest
from fastapi.testclient import TestClient

from controlplane.adapters.clock import ManualClock
from controlplane.api.app import create_app
from controlplane.api.cursors import cursor_of
from controlplane.api.doors import Doors
from controlplane.api.principals import Everybody
from controlplane.domain.access import AccessRole, Grant, Principal, PrincipalKind
from controlplane.domain.target import Override, OverrideKind
from controlplane.planning.directives import directed
from controlplane.store.directives import PostgresDirectives
from controlplane.store.engine import make_engine
from controlplane.store.expiry import note_expired
from controlplane.store.ledger import PostgresLedger
from tests.builders import make_group, make_inputs, make_target, make_tick

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
    forged = [cursor_of(at_s, UUID(int=0)) for at_s in (1e308, math.inf, math.nan, -1.0)]
    for wrong in ("zzz", *forged):
        assert operator.client.get("/api/v1/overrides", params={"cursor": wrong}).status_code == 422


def test_it_is_made_longer_on_the_version_that_was_read(operator: Office) -> None:
    where = operator.client.post(PATH, json=PIN).headers["location"]
    operator.clock.advance(600)
    change = {"ttl_s": 3600, "replicas": 6}
    assert operator.client.patch(where, json=change).status_code == 428
    changed = operator.client.patch(where, json=change, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    body = changed.json()
    assert (body["expires_at_s"], body["replicas"], body["reason"]) == (NOW_S + 4200, 6, PIN["reason"])
    assert operator.client.patch(where, json=change, headers={"If-Match": '"1"'}).status_code == 412
    operator.clock.advance(3601)
    late = operator.client.patch(where, json=change, headers={"If-Match": '"2"'})
    assert (late.status_code, "no longer" in late.json()["detail"]) == (409, True)
    assert operator.client.delete(where, headers={"If-Match": '"2"'}).status_code == 409
    assert [row[0] for row in operator.rows("SELECT action FROM audit ORDER BY id")][1:] == ["override.change"]


def test_what_the_sweep_closed_is_expired_and_not_ended(operator: Office) -> None:
    where = operator.client.post(PATH, json=PIN).headers["location"]
    assert note_expired(make_engine(operator.url), NOW_S + 1800) == 1
    operator.clock.advance(1801)
    shown = operator.client.get(where).json()
    assert (shown["state"], shown["ended_by"], shown["ended_at_s"]) == ("Expired", "system", NOW_S + 1800)


def test_a_pause_takes_no_replicas_later_either(operator: Office) -> None:
    pause = {"kind": "Pause", "ttl_s": 60, "reason": "incident"}
    where = operator.client.post(PATH, json=pause).headers["location"]
    answer = operator.client.patch(where, json={"replicas": 3}, headers={"If-Match": '"1"'})
    assert (answer.status_code, answer.json()["field"]) == (422, "replicas")


def test_the_decisions_in_which_it_was_heard(operator: Office, recording: PostgresLedger) -> None:
    made = operator.client.post(PATH, json=PIN).json()
    said = PostgresDirectives(recording.engine).current(NOW_S)
    pinned = directed(make_target(), said, NOW_S)
    before, heard, deaf = (
        make_tick("t0", make_group(make_inputs(make_target())), NOW_S - 15.0),
        make_tick("t1", make_group(make_inputs(pinned)), NOW_S + 15.0, "g2"),
        make_tick("t2", make_group(make_inputs(make_target())), NOW_S + 30.0, "g3"),
    )
    recording.append([before, heard, deaf])
    assert [tick["id"] for tick in operator.client.get(made["ticks"]).json()["items"]] == ["t1"]
    assert Office(operator.url, AccessRole.VIEWER, "elsewhere").client.get(made["ticks"]).status_code == 404


def test_everything_that_people_say_of_a_target(operator: Office, recording: PostgresLedger) -> None:
    floor = Override(OverrideKind.FLOOR, 2, None, None, "git", "night batch")
    policy = replace(make_target().policy, overrides=(floor,))
    recording.save_targets([make_target(policy=policy)], NOW_S)
    operator.client.post(PATH, json=PIN | {"variant": "h100"})
    frozen = {"namespace": "default", "starts_at_s": NOW_S + 60, "ttl_s": 60, "reason": "launch"}
    operator.client.post("/api/v1/freezes", json=frozen)
    shown = operator.client.get("/api/v1/targets/default/chat/directives").json()
    assert [(o["origin"], o["kind"], o["holds"]) for o in shown["overrides"]] == [
        ("Resource", "Floor", ["l40s"]),
        ("Api", "Pin", ["h100"]),
    ]
    assert shown["overrides"][1]["words"] == "h100 pinned to 4 by operator until 2026-01-05T08:30Z: load test"
    assert [(f["begun"], f["target"]) for f in shown["freezes"]] == [(False, None)]
    assert {v["status"]["name"] for v in shown["variants"]} == {"h100", "l40s"}
    assert operator.client.get("/api/v1/targets/default/nobody/directives").status_code == 404
