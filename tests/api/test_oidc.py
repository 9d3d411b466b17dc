"""Logging in at a real OpenID Connect provider, and what machines show of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from fastapi.testclient import TestClient

from controlplane.adapters.clock import ManualClock
from controlplane.api.access.oidc import OidcProvider, OidcSettings
from controlplane.api.access.sessions import local_path
from controlplane.api.app import create_app
from controlplane.api.doors import Doors
from controlplane.domain.access import AccessRole, Grant
from controlplane.store.keys import new_token
from tests.api.identity import Provider, RSAKey, new_key, provider

CALLBACK = "http://testserver/auth/callback"


@pytest.fixture(scope="module")
def key() -> RSAKey:
    return new_key()


@pytest.fixture(scope="module")
def iam(key: RSAKey) -> Iterator[Provider]:
    with provider(key, CALLBACK) as made:
        yield made


@pytest.fixture
def client(database_url: str, iam: Provider) -> Iterator[TestClient]:
    doors = Doors(provider=OidcProvider(OidcSettings(iam.issuer, "tidegate", "shh", refetch_s=0.0)), limited=False)
    with TestClient(create_app(database_url, ManualClock(1e9), doors=doors), follow_redirects=False) as made:
        made.headers["x-admin"] = new_token(database_url, "admin", [Grant(AccessRole.ADMIN)], time.time(), 1.0)
        yield made


def log_in(client: TestClient, iam: Provider, then: str = "/") -> Any:
    sent = client.get("/auth/login", params={"then": then})
    assert sent.status_code == 302
    assert "code_challenge_method=S256" in sent.headers["location"]
    back = iam.follow(sent.headers["location"])
    assert back.startswith(CALLBACK)
    answer = client.get(back)
    assert answer.status_code == 302, answer.text
    return answer


def signed(key: RSAKey, iam: Provider, **changes: Any) -> str:
    now = int(time.time())
    claims = {"iss": iam.issuer, "sub": "robot", "aud": "tidegate", "iat": now, "exp": now + 60, "name": "Robot"}
    private = key.as_pem(private=True)
    headers = {"kid": changes.pop("kid", key.kid)}
    return jwt.encode({**claims, **changes}, private, algorithm="RS256", headers=headers)


def as_bearer(client: TestClient, token: str) -> Any:
    return client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})


def test_a_person_comes_in_with_pkce_and_goes_out(client: TestClient, iam: Provider) -> None:
    back = log_in(client, iam, "/targets/default/chat")
    assert (back.status_code, back.headers["location"]) == (302, "/targets/default/chat")
    me = client.get("/api/v1/me").json()
    assert (me["name"], me["grants"]) == ("Ada Lovelace", [])
    assert client.get("/api/v1/targets").json() == []
    assert client.post("/auth/logout").status_code == 403, "a write without the CSRF secret"
    csrf = {"X-CSRF-Token": client.cookies["tidegate_csrf"]}
    assert client.post("/auth/logout", headers=csrf).status_code == 204
    assert client.get("/api/v1/me").status_code == 401


def test_what_a_group_may_its_people_may(client: TestClient, iam: Provider) -> None:
    admin = {"Authorization": f"Bearer {client.headers['x-admin']}"}
    granted = {"kind": "Group", "subject": "platform", "role": "Operator", "namespace": "default"}
    assert client.post("/api/v1/grants", json=granted, headers=admin).status_code == 201
    log_in(client, iam)
    assert client.get("/api/v1/me").json()["grants"] == [{"role": "Operator", "namespace": "default"}]


def test_a_login_is_of_one_browser_and_once(client: TestClient, iam: Provider) -> None:
    sent = client.get("/auth/login").headers["location"]
    back = iam.follow(sent)
    state_cookie = client.cookies["tidegate_login"]
    client.cookies.clear()
    assert client.get(back).status_code == 401, "another browser"
    client.cookies.set("tidegate_login", state_cookie, path="/auth")
    assert client.get(back.replace("state=", "state=x")).status_code == 401
    assert client.get(back).status_code == 401, "the login was used up by the forged state"


@pytest.mark.parametrize("then", ["https://evil.example", "//evil.example", "/\\evil.example", "evil", "javascript:x"])
def test_a_login_sends_nobody_elsewhere(then: str) -> None:
    assert local_path(then) == "/"


def test_a_machine_shows_what_the_provider_signed(client: TestClient, iam: Provider, key: RSAKey) -> None:
    answer = as_bearer(client, signed(key, iam))
    assert (answer.status_code, answer.json()["name"]) == (200, "Robot")


def test_what_is_forged_expired_or_not_for_us_is_refused(client: TestClient, iam: Provider, key: RSAKey) -> None:
    forger, now = new_key(), int(time.time())
    public = key.as_pem(private=False)
    header, claims, _ = signed(key, iam).split(".")
    wrong = {
        "another key under its id": signed(forger, iam, kid=key.kid),
        "a key that is not there": signed(forger, iam),
        "expired": signed(key, iam, exp=now - 120),
        "not yet": signed(key, iam, nbf=now + 600),
        "another audience": signed(key, iam, aud="grafana"),
        "another issuer": signed(key, iam, iss="https://evil.example"),
        "no signature": f"{header}.{claims}.",
        "alg none": jwt.encode({"sub": "x", "iss": iam.issuer, "aud": "tidegate"}, "", algorithm="none"),
        "HMAC with the public key": _hmac(public, iam, key),
        "no expiry": jwt.encode(
            {"iss": iam.issuer, "sub": "x", "aud": "tidegate", "iat": now},
            key.as_pem(private=True),
            "RS256",
            {"kid": key.kid},
        ),
        "nonsense": "abc",
    }
    for what, token in wrong.items():
        answer = as_bearer(client, token)
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json"), what
        assert answer.headers["www-authenticate"].startswith("Bearer"), what


def _hmac(public: bytes, iam: Provider, key: RSAKey) -> str:
    import base64
    import hashlib
    import hmac
    import json

    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    now = int(time.time())
    head = part({"alg": "HS256", "typ": "JWT", "kid": key.kid})
    body = part({"iss": iam.issuer, "sub": "x", "aud": "tidegate", "iat": now, "exp": now + 60})
    digest = hmac.new(public, f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}." + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def test_keys_that_the_provider_rotates_are_fetched_again(client: TestClient, iam: Provider, key: RSAKey) -> None:
    assert as_bearer(client, signed(key, iam)).status_code == 200
    newer = new_key()
    iam.rotate(newer)
    try:
        assert iam.keys() == [newer.kid]
        assert as_bearer(client, signed(newer, iam)).status_code == 200
        assert as_bearer(client, signed(key, iam)).status_code == 401
    finally:
        iam.rotate(key)
