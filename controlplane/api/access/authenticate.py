"""`Authenticator` over the database and an identity provider."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from controlplane.api.access.oidc import OidcError, OidcProvider
from controlplane.api.problems import Forbidden, Unauthenticated
from controlplane.domain.access import Principal
from controlplane.store.access import TOKEN_PREFIX, Access, digest_of

COOKIE = "tidegate_session"
CSRF_HEADER = "x-csrf-token"
CSRF_COOKIE = "tidegate_csrf"
"""Read by our own pages' script and sent back as a header, which no other site's page can do."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class DatabaseAuthenticator:
    """Bearer tokens, ours or the provider's, else the session's cookie. `real_s` gives real unix seconds."""

    access: Access
    provider: OidcProvider | None
    real_s: Callable[[], float]

    def principal(self, connection: HTTPConnection) -> Principal | None:
        """See `Authenticator`.

        Raises:
            Unauthenticated: if a token is forged, expired or revoked.
            Forbidden: if a write by a session does not show its CSRF secret.
        """
        header = connection.headers.get("authorization")
        if header is not None:
            return self._of_header(header)
        cookie = connection.cookies.get(COOKIE)
        if not cookie:
            return None
        found = self.access.session(cookie, self.real_s())
        if found is None:
            raise Unauthenticated("the session has ended; log in again")
        if connection.scope.get("method", "GET") not in SAFE_METHODS:
            shown = digest_of(connection.headers.get(CSRF_HEADER, ""))
            if not secrets.compare_digest(shown, found.csrf_digest):
                raise Forbidden(f"a write with a session must send {CSRF_HEADER} with the cookie {CSRF_COOKIE}'s value")
        return found.principal

    def _of_header(self, header: str) -> Principal:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthenticated("Authorization is not `Bearer <token>`")
        return self._of_token(token.strip())

    def _of_token(self, token: str) -> Principal:
        if token.startswith(TOKEN_PREFIX):
            found = self.access.token(token, self.real_s())
            if found is None:
                raise Unauthenticated("the API token is unknown, expired or revoked")
            return found
        if self.provider is None:
            raise Unauthenticated("the token is not one of ours, and no identity provider is configured")
        try:
            who = self.provider.identity_of_bearer(token)
        except OidcError as error:
            raise Unauthenticated(str(error)) from error
        try:
            return self.access.bearer(who.issuer, who.subject, who.name, who.email, who.groups, self.real_s())
        except PermissionError as error:
            raise Unauthenticated(str(error)) from error
