"""Settings: a closed list with types, changed by administrators on the version that they read."""

from __future__ import annotations

from typing import Any

import pytest

from controlplane.domain.access import AccessRole
from controlplane.store.ledger import PostgresLedger
from tests.api.test_overrides import Office

PATH = "/api/v1/settings"
FIRST = {"If-Match": '"0"'}


@pytest.fixture
def admin(database_url: str, recording: PostgresLedger) -> Office:
    return Office(database_url, AccessRole.ADMIN, None)


def test_defaults_are_shown_and_a_change_is_conditional_and_audited(admin: Office) -> None:
    before = {one["name"]: one for one in admin.client.get(PATH).json()}
    assert (before["approval_required"]["value"], before["approval_required"]["changed_by"]) == (False, None)
    where, body = f"{PATH}/approval_required", {"value": True, "reason": "two pairs of eyes"}
    assert admin.client.put(where, json=body).status_code == 428
    changed = admin.client.put(where, json=body, headers=FIRST)
    assert (changed.status_code, changed.json()["value"], changed.headers["etag"]) == (200, True, '"1"')
    assert admin.client.put(where, json=body, headers=FIRST).status_code == 412
    assert admin.client.put(f"{PATH}/retention_ticks_days", json=body, headers={"If-Match": '"5"'}).status_code == 422
    days = {"value": 30, "reason": "disk"}
    assert admin.client.put(f"{PATH}/retention_ticks_days", json=days, headers={"If-Match": '"5"'}).status_code == 412
    again = admin.client.put(where, json={**body, "value": False}, headers={"If-Match": '"1"'})
    assert again.headers["etag"] == '"2"'
    assert admin.client.get(where).headers["etag"] == '"2"'
    rows = admin.rows("SELECT action, resource, before->>'value', after->>'value', detail FROM audit ORDER BY id")
    assert rows[0] == ("setting.change", "settings/approval_required", "false", "true", "two pairs of eyes")
    assert len(rows) == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("approval_required", "yes"),
        ("approval_required", 1),
        ("retention_ticks_days", 0),
        ("retention_ticks_days", True),
        ("retention_ticks_days", 1.5),
        ("budgets", 120.5),
        ("budgets", {"default": 120.5}),
        ("budgets", {"default": "NaN"}),
        ("budgets", {"Default!": "1"}),
        ("budgets", {"a/b/c": "1"}),
        ("report_baseline", {"default": {"h100": 8}}),
        ("report_baseline", {"default/chat": {"h100": -1}}),
        ("report_baseline", {"default/chat": 8}),
    ],
)
def test_a_value_of_another_type_is_refused_and_says_what_is_allowed(admin: Office, name: str, value: Any) -> None:
    answer = admin.client.put(f"{PATH}/{name}", json={"value": value, "reason": "x"}, headers=FIRST)
    assert (answer.status_code, answer.json()["field"]) == (422, "value")
    assert answer.json()["allowed"]


def test_money_stays_text(admin: Office) -> None:
    body = {"value": {"default": "120.50", "default/chat": "20", "*": "900"}, "reason": "budget"}
    fleet = {"value": {"default/chat": {"h100": 8}}, "reason": "what stood before"}
    assert admin.client.put(f"{PATH}/report_baseline", json=fleet, headers=FIRST).json()["value"] == fleet["value"]
    assert admin.client.put(f"{PATH}/budgets", json=body, headers=FIRST).json()["value"] == body["value"]


def test_who_may(database_url: str, admin: Office) -> None:
    body = {"value": True, "reason": "x"}
    for role, namespace in ((AccessRole.OPERATOR, None), (AccessRole.ADMIN, "default")):
        client = Office(database_url, role, namespace).client
        assert client.put(f"{PATH}/approval_required", json=body, headers=FIRST).status_code == 403
        assert client.get(f"{PATH}/approval_required").status_code == 200
    assert admin.client.put(f"{PATH}/colour", json=body, headers=FIRST).status_code == 404
