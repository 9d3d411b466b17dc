"""Tokens, sessions, one-time links, and the guards at the door."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

from controlplane.adapters.clock import ManualClock
from controlplane.api.app import create_app
from controlplane.api.doors import Doors, doors_from
from controlplane.api.guards import MAX_BODY_BYTES, WRITES_PER_10_S
from controlplane.domain.access import AccessRole, Grant, widest
from controlplane.settings import SettingsError
from controlplane.store.keys import new_token, one_time_link

T0 = 1_767_600_000.0


class House:
    """The API on a real clock that tests turn."""

    def __init__(self, url: str, limited: bool = False) -> None:
        self.url, self.now_s = url, T0
        app = create_app(url, ManualClock(T0), doors=Doors(limited=limited), real_s=lambda: self.now_s)
        self.client = TestClient(app, raise_server_exceptions=False, follow_redirects=False)

    def token(self, *given: Grant, name: str = "t", days: float = 1.0) -> dict[str, str]:
        return {"Authorization": f"Bearer {new_token(self.url, name, given, self.now_s, days)}"}

    def enter(self) -> dict[str, str]:
        link = one_time_link(self.url, "http://testserver", self.now_s)
        answer = self.client.post("/auth/once", data={"code": link.split("code=")[1]})
        assert answer.status_code == 303
        return {"X-CSRF-Token": self.client.cookies["tidegate_csrf"]}

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url.replace("+psycopg", "")) as connection:
            return connection.execute(statement).fetchall()  # type: ignore[call-overload, no-any-return]


ADMIN = Grant(AccessRole.ADMIN)
CI = {"name": "ci", "grants": [{"role": "Operator", "namespace": "default"}], "expires_in_days": 1}


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    made = House(database_url)
    with made.client:
        yield made


def test_a_one_time_link_works_once(house: House) -> None:
    link = one_time_link(house.url, "http://testserver", house.now_s)
    page = house.client.get(link)
    assert (page.status_code, "Log in as administrator" in page.text) == (200, True)
    code = re.search(r'name="code" value="([^"]+)"', page.text)
    assert code is not None
    assert house.client.get("/api/v1/me").status_code == 401, "looking at the page is not using it"
    assert house.client.post("/auth/once", data={"code": code[1]}).status_code == 303
    assert house.client.get("/api/v1/me").json()["grants"] == [{"role": "Admin", "namespace": None}]
    assert house.client.post("/auth/once", data={"code": code[1]}).status_code == 401


def test_a_one_time_link_grows_old(house: House) -> None:
    link = one_time_link(house.url, "http://testserver", house.now_s)
    house.now_s += 3601
    assert house.client.post("/auth/once", data={"code": link.split("code=")[1]}).status_code == 401


def test_a_session_ends_and_its_cookie_is_no_secret_in_the_database(house: House) -> None:
    house.enter()
    cookie = house.client.cookies["tidegate_session"]
    assert house.client.get("/api/v1/me").status_code == 200
    assert not house.rows(f"SELECT 1 FROM sessions WHERE digest = '{cookie}'")
    house.now_s += 12 * 3600 + 1
    assert house.client.get("/api/v1/me").status_code == 401


def test_a_session_writes_with_its_csrf_secret_alone(house: House) -> None:
    csrf = house.enter()
    assert house.client.post("/api/v1/tokens", json=CI).status_code == 403
    assert house.client.post("/api/v1/tokens", json=CI, headers={"X-CSRF-Token": "guess"}).status_code == 403
    assert house.client.post("/api/v1/tokens", json=CI, headers=csrf).status_code == 201


def test_a_token_lives_and_dies(house: House) -> None:
    made = house.client.post("/api/v1/tokens", json=CI, headers=house.token(ADMIN))
    assert made.status_code == 201
    key = {"Authorization": f"Bearer {made.json()['secret']}"}
    assert house.client.get("/api/v1/me", headers=key).json()["grants"] == CI["grants"]
    listed = house.client.get("/api/v1/tokens", headers=house.token(ADMIN, name="other")).json()
    mine = next(one for one in listed if one["name"] == "ci")
    assert (mine["last_used_at_s"], "secret" in mine) == (T0, False)
    where = made.headers["location"]
    gone = house.client.delete(where, headers={**house.token(ADMIN, name="third"), "If-Match": mine["etag"]})
    assert gone.status_code == 200
    assert house.client.get("/api/v1/me", headers=key).status_code == 401


def test_a_token_expires(house: House) -> None:
    key = house.token(ADMIN, days=1.0)
    assert house.client.get("/api/v1/me", headers=key).status_code == 200
    house.now_s += 86_401
    assert house.client.get("/api/v1/me", headers=key).status_code == 401


def test_a_secret_is_in_no_row_and_no_repeated_answer(house: House) -> None:
    headers = {**house.token(ADMIN), "Idempotency-Key": "once"}
    secret = house.client.post("/api/v1/tokens", json=CI, headers=headers).json()["secret"]
    again = house.client.post("/api/v1/tokens", json=CI, headers=headers)
    assert (again.status_code, "secret" in again.json()) == (201, False)
    for table in ("api_tokens", "audit", "idempotency"):
        assert not [row for row in house.rows(f"SELECT {table}::text FROM {table}") if secret in row[0]]


def test_a_token_may_no_more_than_its_maker(house: House) -> None:
    maker = house.token(Grant(AccessRole.OPERATOR, "default"))
    assert house.client.post("/api/v1/tokens", json=CI, headers=maker).status_code == 201
    for grant in ({"role": "Admin", "namespace": "default"}, {"role": "Viewer", "namespace": None}):
        wanted = {**CI, "grants": [CI["grants"][0], grant]}  # type: ignore[index]
        assert house.client.post("/api/v1/tokens", json=wanted, headers=maker).status_code == 403


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer tdg_nothing", "Bearer a.b.c", "tdg_x"]
)
def test_what_is_no_token_is_refused(house: House, header: str) -> None:
    answer = house.client.get("/api/v1/me", headers={"Authorization": header})
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")


def test_a_body_that_is_too_long_is_refused_before_it_is_read(house: House) -> None:
    headers = {**house.token(ADMIN), "Content-Type": "application/json"}
    told = house.client.post("/api/v1/tokens", content=b"x" * (10 * 1024 * 1024), headers=headers)
    untold = house.client.post("/api/v1/tokens", content=iter([b"x" * 65536] * 40), headers=headers)
    assert MAX_BODY_BYTES < 40 * 65536
    assert [told.status_code, untold.status_code] == [413, 413]
    assert told.json()["title"] == "The body is too long"


def test_who_asks_too_often_waits(database_url: str) -> None:
    house = House(database_url, limited=True)
    with house.client:
        answers = [house.client.post("/api/v1/tokens", json={}) for _ in range(WRITES_PER_10_S + 5)]
    assert [a.status_code for a in answers[-5:]] == [429] * 5
    assert answers[-1].headers["retry-after"] == "10"


def test_every_answer_has_the_headers_that_browsers_heed(house: House) -> None:
    for path in ("/api/v1/me", "/healthz", "/nothing", "/docs"):
        headers = house.client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "access-control-allow-origin" not in headers
        assert headers["x-request-id"]
    crossed = house.client.options(
        "/api/v1/me", headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    )
    assert "access-control-allow-origin" not in crossed.headers


def test_audit_is_searched_and_exported_by_admins(house: House) -> None:
    admin = house.token(ADMIN)
    for _ in range(3):
        house.client.post("/api/v1/tokens", json=CI, headers=admin)
    page = house.client.get("/api/v1/audit", params={"action": "token.", "limit": 2}, headers=admin).json()
    assert ([row["action"] for row in page["items"]], page["next_cursor"] is not None) == (["token.create"] * 2, True)
    rest = house.client.get("/api/v1/audit", params={"cursor": page["next_cursor"]}, headers=admin).json()
    ids = [row["id"] for row in (*page["items"], *rest["items"])]
    assert ids == sorted(set(ids), reverse=True)
    exported = house.client.get("/api/v1/audit/export", headers=admin).text.splitlines()
    assert len(exported) == len(ids) + 1
    assert exported[0].startswith("id,at_s,recorded_at_s,actor")
    assert house.client.get("/api/v1/audit", headers=house.token(Grant(AccessRole.VIEWER), name="v")).status_code == 403


def test_a_wider_grant_swallows_narrower_ones() -> None:
    everywhere, here = Grant(AccessRole.OPERATOR), Grant(AccessRole.VIEWER, "default")
    admin_here = Grant(AccessRole.ADMIN, "default")
    assert widest([here, everywhere, admin_here, here]) == (everywhere, admin_here)


@pytest.mark.parametrize(
    "environment",
    [
        {"TIDEGATE_OIDC_ISSUER": "http://idp.example", "TIDEGATE_OIDC_CLIENT_ID": "x"},
        {"TIDEGATE_OIDC_ISSUER": "https://idp.example"},
        {"TIDEGATE_OIDC_CLIENT_ID": "x"},
    ],
)
def test_half_a_provider_is_an_error(environment: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="TIDEGATE_OIDC"):
        doors_from(environment)
