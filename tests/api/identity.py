"""A real OpenID Connect provider on this machine: Canaille, its data in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin

import requests
from joserfc.jwk import RSAKey

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # plain HTTP, on 127.0.0.1 alone

import threading
import uuid

import portpicker
from canaille import create_app
from canaille.app import models
from canaille.backends import Backend
from pytest_iam import Server


def new_key() -> RSAKey:
    """A signing key with an id of its own."""
    key = RSAKey.generate_key(2048)
    key.ensure_kid()
    return key


class Provider:
    """The provider, one client of it and one user in the group `platform`."""

    def __init__(self, server: Server, callback: str) -> None:
        self.server = server
        self.issuer = server.url.rstrip("/")
        with server.app.app_context():
            self.client = models.Client(
                client_id="tidegate",
                client_secret="shh",
                client_name="Tidegate",
                client_uri="http://testserver",
                redirect_uris=[callback],
                grant_types=["authorization_code"],
                response_types=["code"],
                token_endpoint_auth_method="client_secret_basic",
                scope=["openid", "profile", "email", "groups"],
            )
            server.backend.save(self.client)
            server.backend.update(self.client, audience=[self.client])
            server.backend.save(self.client)
        self.user = server.random_user(user_name="ada", formatted_name="Ada Lovelace", emails=["ada@example.org"])
        self.group = server.random_group(display_name="platform", members=[self.user])
        server.consent(self.user)

    def follow(self, url: str) -> str:
        """Go where the browser is sent, as the user who is logged in there; where it is sent back to."""
        self.server.login(self.user)
        answer = requests.get(url, allow_redirects=False, timeout=10)
        while answer.status_code in (302, 303) and answer.headers["location"].startswith((self.issuer, "/")):
            answer = requests.get(urljoin(url, answer.headers["location"]), allow_redirects=False, timeout=10)
        assert answer.status_code in (302, 303), answer.text[:500]
        return str(answer.headers["location"])

    def keys(self) -> list[Any]:
        """The ids of the keys that it publishes."""
        about = requests.get(f"{self.issuer}/.well-known/openid-configuration", timeout=10).json()
        return [key["kid"] for key in requests.get(about["jwks_uri"], timeout=10).json()["keys"]]

    def rotate(self, key: RSAKey) -> None:
        """Sign with another key from now on, and publish it alone."""
        self.server.app.config["CANAILLE_OIDC"]["ACTIVE_JWKS"] = [key.as_dict(private=True)]


@contextmanager
def provider(key: RSAKey, callback: str) -> Iterator[Provider]:
    """The provider, stopped at the end of the block."""
    port = portpicker.pick_unused_port()
    configuration = {
        "TESTING": True,
        "ENV_FILE": None,
        "SECRET_KEY": str(uuid.uuid4()),
        "WTF_CSRF_ENABLED": False,
        "PREFERRED_URL_SCHEME": "http",
        "SERVER_NAME": f"localhost:{port}",
        "CANAILLE": {
            "DATABASE": "memory",
            "JAVASCRIPT": False,
            "ACL": {"DEFAULT": {"PERMISSIONS": ["use_oidc", "manage_oidc"]}},
        },
        "CANAILLE_OIDC": {"ACTIVE_JWKS": [key.as_dict(private=True)]},
    }
    app = create_app(config=configuration, env_file=".none", env_prefix="TIDEGATE_TEST_IAM_")
    server = Server(app, port, Backend.instance)
    thread = threading.Thread(target=server.httpd.serve_forever)
    thread.start()
    try:
        with app.app_context():
            yield Provider(server, callback)
    finally:
        server.httpd.shutdown()
        server.httpd.server_close()
        thread.join()
