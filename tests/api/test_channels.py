"""Notification channels over HTTP."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

from controlplane.adapters.clock import ManualClock
from controlplane.adapters.task_sender import RecordedTasks
from controlplane.api.app import create_app
from controlplane.api.doors import Doors
from controlplane.api.principals import Everybody
from controlplane.domain.access import AccessRole, Grant, Principal, PrincipalKind
from tests.ledger_builders import NOW_S

SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#gpu"
PATH = "/api/v1/notification-channels"
CHANNEL: dict[str, Any] = {"name": "on-call", "url": SLACK, "events": ["StockOut", "Rollback"]}


def client_of(url: str, role: AccessRole = AccessRole.ADMIN, namespace: str | None = None) -> TestClient:
    who = Principal("user:a", "ann", PrincipalKind.USER, (Grant(role, namespace),))
    doors = Doors(Everybody(who), limited=False)
    return TestClient(create_app(url, ManualClock(NOW_S), doors=doors, tasks=RecordedTasks()))


@pytest.fixture
def client(database_url: str) -> TestClient:
    return client_of(database_url)


def test_a_channels_life(client: TestClient, database_url: str) -> None:
    made = client.post(PATH, json=CHANNEL)
    assert (made.status_code, made.json()["url"]) == (201, "slack://***"), made.text
    where, tag = made.headers["location"], made.headers["etag"]
    assert client.post(PATH, json=CHANNEL).status_code == 409
    changed = client.put(where, json={**CHANNEL, "enabled": False}, headers={"If-Match": tag})
    assert (changed.status_code, changed.json()["enabled"], changed.headers["etag"]) == (200, False, '"2"')
    assert client.put(where, json=CHANNEL, headers={"If-Match": tag}).status_code == 412
    assert client.delete(where, headers={"If-Match": tag}).status_code == 412
    assert client.delete(where, headers={"If-Match": '"2"'}).status_code == 200
    assert (client.get(where).status_code, client.get(PATH).json()) == (404, [])
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        rows = connection.execute("SELECT action, before::text || after::text FROM audit ORDER BY id").fetchall()
    assert [row[0] for row in rows] == ["channel.create", "channel.change", "channel.delete"]
    assert "TIiajkdn" not in str(rows)


def test_a_name_is_not_taken_from_another(client: TestClient) -> None:
    client.post(PATH, json=CHANNEL)
    other = client.post(PATH, json={**CHANNEL, "name": "mail"})
    taken = client.put(other.headers["location"], json=CHANNEL, headers={"If-Match": '"1"'})
    assert taken.status_code == 409


def test_the_test_button_owes_one_message(client: TestClient) -> None:
    where = client.post(PATH, json=CHANNEL).headers["location"]
    assert client.post(f"{where}/test").status_code == 202
    tasks: RecordedTasks = client.app.state.tasks  # type: ignore[attr-defined]
    assert tasks.sent == [("tidegate.deliver",)]
    (owed,) = client.get(f"{where}/deliveries").json()
    assert (owed["event"], owed["sent_at_s"], "asked for by ann" in owed["message"]) == ("Test", None, True)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"url": "http://169.254.169.254/"}, "url"),
        ({"url": "file:///etc/passwd"}, "url"),
        ({"events": ["Party"]}, "events.0"),
        ({"events": []}, "events"),
        ({"name": ""}, "name"),
    ],
)
def test_a_wrong_one_is_refused_by_field(client: TestClient, change: dict[str, Any], field: str) -> None:
    answer = client.post(PATH, json={**CHANNEL, **change})
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_what_is_refused_does_not_show_its_secret(client: TestClient) -> None:
    answer = client.post(PATH, json={**CHANNEL, "url": "http://ann:hunter2@127.0.0.1/tok"})
    assert answer.status_code == 422
    assert "hunter2" not in answer.text


@pytest.mark.parametrize(("role", "namespace"), [(AccessRole.OPERATOR, None), (AccessRole.ADMIN, "default")])
def test_only_admins_of_everything(database_url: str, role: AccessRole, namespace: str | None) -> None:
    other = client_of(database_url, role, namespace)
    assert (other.get(PATH).status_code, other.post(PATH, json=CHANNEL).status_code) == (403, 403)
