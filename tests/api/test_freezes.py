"""Freezes: who may, from when until when, and what becomes of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from controlplane.domain.access import AccessRole
from controlplane.store.ledger import PostgresLedger
from tests.api.test_overrides import NOW_S, Office
from tests.builders import make_target

PATH = "/api/v1/freezes"
FREEZE: dict[str, Any] = {"namespace": "default", "direction": "Down", "ttl_s": 3600, "reason": "launch day"}
EVERYTHING: dict[str, Any] = {"ttl_s": 3600, "reason": "database move"}


@pytest.fixture
def url(database_url: str, recording: PostgresLedger) -> Iterator[str]:
    recording.save_targets([make_target()], NOW_S)
    return database_url


def test_it_begins_holds_and_is_over_by_itself(url: str) -> None:
    office = Office(url, AccessRole.OPERATOR, "default")
    made = office.client.post(PATH, json={**FREEZE, "starts_at_s": NOW_S + 600})
    assert (made.status_code, made.json()["ends_at_s"], made.json()["state"]) == (201, NOW_S + 4200, "Planned")
    where = made.headers["location"]
    office.clock.advance(600)
    assert office.client.get(where).json()["state"] == "Active"
    assert len(office.client.get(PATH, params={"active": True}).json()["items"]) == 1
    office.clock.advance(3600)
    assert office.client.get(where).json()["state"] == "Over"
    assert office.client.get(PATH, params={"active": True}).json()["items"] == []
    late = office.client.delete(where, headers={"If-Match": '"1"'})
    assert (late.status_code, "is over" in late.json()["detail"]) == (409, True)


def test_it_is_ended_on_the_version_that_was_read_and_audited(url: str) -> None:
    office = Office(url, AccessRole.OPERATOR, "default")
    where = office.client.post(PATH, json={**FREEZE, "target": "chat"}).headers["location"]
    assert office.client.delete(where).status_code == 428
    ended = office.client.delete(where, headers={"If-Match": '"1"'})
    assert (ended.status_code, ended.json()["state"], ended.headers["etag"]) == (200, "Ended", '"2"')
    assert office.client.delete(where, headers={"If-Match": '"1"'}).status_code == 412
    assert office.rows("SELECT action FROM audit ORDER BY id") == [("freeze.create",), ("freeze.end",)]


@pytest.mark.parametrize(
    ("role", "namespace", "body", "status"),
    [
        (AccessRole.OPERATOR, "default", EVERYTHING, 403),
        (AccessRole.OPERATOR, None, EVERYTHING, 403),
        (AccessRole.ADMIN, "default", EVERYTHING, 403),
        (AccessRole.ADMIN, None, EVERYTHING, 201),
        (AccessRole.VIEWER, "default", FREEZE, 403),
        (AccessRole.ADMIN, "elsewhere", FREEZE, 404),
        (AccessRole.OPERATOR, "default", FREEZE, 201),
    ],
)
def test_who_may(url: str, role: AccessRole, namespace: str | None, body: dict[str, Any], status: int) -> None:
    assert Office(url, role, namespace).client.post(PATH, json=body).status_code == status


def test_one_of_everything_is_seen_by_all_and_ended_by_administrators_alone(url: str) -> None:
    where = Office(url, AccessRole.ADMIN, None).client.post(PATH, json=EVERYTHING).headers["location"]
    Office(url, AccessRole.ADMIN, None).client.post(PATH, json={**FREEZE, "namespace": "default"})
    viewer = Office(url, AccessRole.VIEWER, "elsewhere").client
    assert [item["namespace"] for item in viewer.get(PATH).json()["items"]] == [None]
    assert viewer.get(where).status_code == 200
    operator = Office(url, AccessRole.OPERATOR, "default").client
    assert operator.delete(where, headers={"If-Match": '"1"'}).status_code == 403


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"direction": "Up"}, 422, "direction"),
        ({"ttl_s": -1}, 422, "ttl_s"),
        ({"starts_at_s": NOW_S - 3600}, 422, "starts_at_s"),
        ({"starts_at_s": NOW_S + 1e9}, 422, "starts_at_s"),
        ({"namespace": None, "target": "chat"}, 422, "namespace"),
        ({"target": "nobody"}, 404, None),
        ({"reason": "a\x00b"}, 422, "reason"),
    ],
)
def test_a_wrong_one_is_refused_by_field(url: str, change: dict[str, Any], status: int, field: str | None) -> None:
    answer = Office(url, AccessRole.ADMIN, None).client.post(PATH, json={**FREEZE, **change})
    assert (answer.status_code, answer.json().get("field")) == (status, field)
