"""An OpenID Connect provider: the authorization code flow with PKCE, and the tokens that it signs."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jwt
import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from jwt import PyJWKClient

TIMEOUT_S = 5.0
ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "PS256")
"""Signatures by the provider's private key. `none`, and HMAC with something that we know too, are not among them."""
LEEWAY_S = 30.0
"""Clocks of machines differ."""
KEYS_LIVE_S = 300.0
"""Keys are fetched again after this, and at once when a token names one that is not known: providers rotate them."""


class OidcError(Exception):
    """The provider does not answer, or what it or a caller says cannot be believed."""


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """How we are known to the provider. `audience` is what bearer tokens must be for; the client id where None."""

    issuer: str
    client_id: str
    client_secret: str | None = None
    audience: str | None = None
    groups_claim: str = "groups"
    scope: str = "openid profile email groups"
    refetch_s: float = 10.0
    """The least time between two looks at the provider's keys for ids that are not known: guesses must not be load."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom the provider vouches for."""

    issuer: str
    subject: str
    name: str
    email: str | None
    groups: tuple[str, ...]


@dataclass(slots=True)
class OidcProvider:
    """One provider, found by its issuer. Safe to use from many threads."""

    settings: OidcSettings
    _metadata: dict[str, Any] | None = None
    _keys: PyJWKClient | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def login_url(self, redirect_uri: str) -> tuple[str, dict[str, str]]:
        """Where to send a browser, and what must be remembered until it comes back.

        Raises:
            OidcError: if the provider does not answer.
        """
        verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
        state = secrets.token_urlsafe(24)
        with self._session(redirect_uri) as session:
            endpoint = self._endpoint("authorization_endpoint")
            url, _ = session.create_authorization_url(endpoint, state=state, code_verifier=verifier, nonce=nonce)
        kept = {"state": state, "verifier": verifier, "nonce": nonce, "redirect_uri": redirect_uri}
        return str(url), kept

    def identity_of_code(self, code: str, kept: Mapping[str, str]) -> Identity:
        """Whom the code that the browser brought is of.

        Raises:
            OidcError: if the provider does not take it, or its ID token cannot be believed.
        """
        endpoint = self._endpoint("token_endpoint")
        try:
            with self._session(kept["redirect_uri"]) as session:
                token = session.fetch_token(endpoint, code=code, code_verifier=kept["verifier"], timeout=TIMEOUT_S)
        except (OAuthError, requests.RequestException) as error:
            raise OidcError(f"{self.settings.issuer} does not take the code: {error}") from error
        claims = self._claims(str(token.get("id_token", "")), self.settings.client_id)
        if not secrets.compare_digest(str(claims.get("nonce", "")), kept["nonce"]):
            raise OidcError("the ID token is not of this login: its nonce differs")
        return self._identity(claims)

    def identity_of_bearer(self, token: str) -> Identity:
        """Whom a machine's or a person's bearer token is of.

        Raises:
            OidcError: if it is forged, expired, or for somebody else.
        """
        return self._identity(self._claims(token, self.settings.audience or self.settings.client_id))

    def _claims(self, token: str, audience: str) -> dict[str, Any]:
        try:
            key = self._signing_keys().get_signing_key_from_jwt(token)
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=list(ALGORITHMS),
                audience=audience,
                issuer=self._provider()["issuer"],
                leeway=LEEWAY_S,
                options={"require": ["exp", "iat", "iss", "sub", "aud"]},
            )
        except jwt.PyJWKClientConnectionError as error:
            raise OidcError(f"{self.settings.issuer} does not give its keys: {error}") from error
        except jwt.PyJWTError as error:
            raise OidcError(f"the token is not one to believe: {error}") from error
        return claims

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        groups = claims.get(self.settings.groups_claim) or ()
        listed = [groups] if isinstance(groups, str) else list(groups) if isinstance(groups, Sequence) else []
        name = claims.get("name") or claims.get("preferred_username") or claims.get("email") or claims["sub"]
        email = claims.get("email")
        return Identity(
            issuer=str(claims["iss"]),
            subject=str(claims["sub"]),
            name=str(name)[:255],
            email=None if email is None else str(email)[:320],
            groups=tuple(str(group) for group in listed),
        )

    def _session(self, redirect_uri: str) -> OAuth2Session:
        return OAuth2Session(
            self.settings.client_id,
            self.settings.client_secret,
            scope=self.settings.scope,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
        )

    def _endpoint(self, name: str) -> str:
        found = self._provider().get(name)
        if not found:
            raise OidcError(f"{self.settings.issuer} names no {name}")
        return str(found)

    def _signing_keys(self) -> PyJWKClient:
        uri = self._endpoint("jwks_uri")
        with self._lock:
            if self._keys is None:
                self._keys = PyJWKClient(
                    uri,
                    cache_jwk_set=True,
                    lifespan=KEYS_LIVE_S,
                    timeout=TIMEOUT_S,
                    cooldown_duration=self.settings.refetch_s,
                )
            return self._keys

    def _provider(self) -> dict[str, Any]:
        """The provider's discovery document, fetched once it is needed; a provider that is away is asked again."""
        if self._metadata is None:
            url = self.settings.issuer.rstrip("/") + "/.well-known/openid-configuration"
            try:
                answer = requests.get(url, timeout=TIMEOUT_S)
                answer.raise_for_status()
                found = answer.json()
            except (requests.RequestException, ValueError) as error:
                raise OidcError(f"{url} does not answer: {error}") from error
            if str(found.get("issuer", "")).rstrip("/") != self.settings.issuer.rstrip("/"):
                raise OidcError(f"{url} is of issuer {found.get('issuer')!r}; allowed: {self.settings.issuer!r}")
            self._metadata = found
        return self._metadata
