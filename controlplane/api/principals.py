"""Who asks: the one place where a request becomes a `Principal`, and where a role is demanded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Protocol

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from controlplane.api.problems import Forbidden, NotFound, Unauthenticated
from controlplane.domain.access import AccessRole, Grant, Principal, PrincipalKind


class Authenticator(Protocol):
    """Recognises who made a request."""

    def principal(self, connection: HTTPConnection) -> Principal | None:
        """Who it is; None for nobody.

        Raises:
            Unauthenticated: if what was shown is forged, expired or revoked.
        """
        ...


ANONYMOUS_ADMIN = Principal("anonymous", "anonymous", PrincipalKind.USER, (Grant(AccessRole.ADMIN),))


@dataclass(frozen=True, slots=True)
class Everybody:
    """`Authenticator` that takes everybody for one principal: for tests, and for an API behind one's own door."""

    who: Principal = ANONYMOUS_ADMIN

    def principal(self, connection: HTTPConnection) -> Principal | None:  # noqa: ARG002 (the port's)
        """See `Authenticator`."""
        return self.who


def principal_of(request: Request) -> Principal:
    """Who made a request.

    Raises:
        Unauthenticated: if it is nobody, or somebody who shows something forged, expired or revoked.
    """
    authenticator: Authenticator = request.app.state.authenticator
    found = authenticator.principal(request)
    if found is None:
        raise Unauthenticated("log in, or send `Authorization: Bearer <token>`")
    return found


Who = Annotated[Principal, Depends(principal_of)]
"""The principal of a request; a route that names it is closed to nobody in particular."""


def demand(who: Principal, role: AccessRole, namespace: str | None) -> None:
    """Go on only where they have at least that role; `namespace` None: in every namespace.

    Raises:
        NotFound: if they may not even read there: what is there is not told.
        Forbidden: if they may read but not do this.
    """
    if who.may(role, namespace):
        return
    if namespace is not None and not who.may(AccessRole.VIEWER, namespace):
        raise NotFound(f"there is no namespace {namespace} that you may see")
    where = f"namespace {namespace}" if namespace is not None else "every namespace"
    raise Forbidden(f"this needs the role {role.value} in {where}")
