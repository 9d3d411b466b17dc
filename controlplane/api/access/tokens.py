"""API tokens, users and who may what."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from controlplane.api.access.sessions import GrantOut
from controlplane.api.principals import Who, demand
from controlplane.api.problems import MISSING, Forbidden, NotFound
from controlplane.api.writes import Writing, answer
from controlplane.domain.access import AccessRole, Grant, Principal
from controlplane.store.access import Access, ApiToken, StoredGrant

LONGEST_DAYS = 366
"""A year: a token that nobody replaces is one that nobody remembers."""

router = APIRouter(prefix="/api/v1", tags=["access"])


class GrantIn(BaseModel):
    """A role in one namespace; null: in every one."""

    model_config = ConfigDict(extra="forbid")

    role: AccessRole
    namespace: Annotated[str | None, Field(max_length=255, min_length=1)] = None


class TokenIn(BaseModel):
    """A token to be made. It may do no more than you may."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"name": "ci", "grants": [{"role": "Operator", "namespace": "default"}], "expires_in_days": 30}
            ]
        },
    )

    name: Annotated[str, Field(min_length=1, max_length=255)]
    grants: Annotated[list[GrantIn], Field(min_length=1, max_length=100)]
    expires_in_days: Annotated[float, Field(gt=0, le=LONGEST_DAYS)] = 90


class TokenOut(BaseModel):
    """A token without its secret. Times are real unix seconds."""

    id: UUID
    name: str
    hint: str
    grants: list[GrantOut]
    created_by: str
    owner: Annotated[str | None, Field(description="the person for whom it acts; null: for nobody but itself")]
    created_at_s: float
    expires_at_s: float
    last_used_at_s: float | None
    revoked_at_s: float | None
    etag: str


class NewToken(TokenOut):
    """A new token; its secret is shown here and never again."""

    secret: str


class UserOut(BaseModel):
    """Somebody who has logged in. Times are real unix seconds."""

    id: UUID
    issuer: str
    subject: str
    name: str
    email: str | None
    created_at_s: float
    last_seen_at_s: float | None
    disabled: bool


class GrantToIn(GrantIn):
    """A role for a user (by id) or for everybody of a group."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"kind": "Group", "subject": "ml-platform", "role": "Operator", "namespace": "default"}]
        },
    )

    kind: Literal["User", "Group"]
    subject: Annotated[str, Field(min_length=1, max_length=512)]


class GrantToOut(BaseModel):
    """Who may what, since when, by whom."""

    id: UUID
    kind: str
    subject: str
    role: AccessRole
    namespace: str | None
    created_at_s: float
    created_by: str


@router.get("/tokens")
def tokens(request: Request, who: Who) -> list[TokenOut]:
    """API tokens: all of them for an Admin of every namespace, else yours."""
    everything = who.may(AccessRole.ADMIN, None)
    return [_token(one) for one in _access(request).tokens() if everything or _is_of(one, who)]


@router.post("/tokens", status_code=201, response_model=NewToken)
def create_token(body: TokenIn, request: Request, write: Writing) -> JSONResponse:
    """Make a token. Its secret is in this answer and nowhere else (not in the answer to a repeated request either). It
    acts for you: where two people are asked for, you and your tokens are one."""
    given = tuple(Grant(g.role, g.namespace) for g in body.grants)
    _within(write.who, given)
    now_s: float = request.app.state.real_s()
    lowest = given[0]
    with write.unit(lowest.role, lowest.namespace) as unit:
        ends_s = now_s + body.expires_in_days * 86_400.0
        made, secret = Access.create_token(unit, body.name, given, now_s, ends_s, write.who.person)
        view = _token(made)
        where = f"tokens/{made.id}"
        unit.audit("token.create", where, None, None, view.model_dump(mode="json"))
        kept = answer(unit, 201, view, made.version, f"/api/v1/{where}")
    shown = NewToken(**view.model_dump(), secret=secret).model_dump(mode="json")
    headers = {name: kept.headers[name] for name in ("etag", "location")}
    return JSONResponse(shown, 201, {**headers, "Cache-Control": "no-store"})


@router.delete("/tokens/{token_id}", response_model=TokenOut, responses=MISSING)
def revoke_token(token_id: UUID, request: Request, write: Writing) -> JSONResponse:
    """End a token now: your own, or anybody's as Admin of every namespace."""
    before = next((one for one in _access(request).tokens() if one.id == token_id), None)
    if before is None or not (_is_of(before, write.who) or write.who.may(AccessRole.ADMIN, None)):
        raise NotFound(f"there is no token {token_id} that you may see")
    version = write.version()
    with write.unit(AccessRole.VIEWER, before.grants[0].namespace) as unit:
        after = Access.revoke_token(unit, token_id, version, request.app.state.real_s())
        old, new = _token(before).model_dump(mode="json"), _token(after)
        unit.audit("token.revoke", f"tokens/{token_id}", None, old, new.model_dump(mode="json"))
        return answer(unit, 200, new, after.version)


@router.get("/users")
def users(request: Request, who: Who) -> list[UserOut]:
    """Everybody who has come."""
    demand(who, AccessRole.ADMIN, None)
    return [UserOut(**asdict(one)) for one in _access(request).users()]


@router.get("/grants")
def grants(request: Request, who: Who) -> list[GrantToOut]:
    """Who may what."""
    demand(who, AccessRole.ADMIN, None)
    return [_grant(one) for one in _access(request).grants()]


@router.post("/grants", status_code=201, response_model=GrantToOut)
def create_grant(body: GrantToIn, request: Request, write: Writing) -> JSONResponse:
    """Let a user or a group do something from now on."""
    with write.unit(AccessRole.ADMIN, None) as unit:
        grant = Grant(body.role, body.namespace)
        made = Access.add_grant(unit, body.kind, body.subject, grant, request.app.state.real_s())
        view = _grant(made)
        where = f"grants/{made.id}"
        unit.audit("grant.create", where, body.namespace, None, view.model_dump(mode="json"))
        return answer(unit, 201, view, location=f"/api/v1/{where}")


@router.delete("/grants/{grant_id}", response_model=GrantToOut, responses=MISSING)
def remove_grant(grant_id: UUID, write: Writing) -> JSONResponse:
    """Let them do it no longer."""
    with write.unit(AccessRole.ADMIN, None) as unit:
        try:
            gone = Access.remove_grant(unit, grant_id)
        except KeyError:
            raise NotFound(f"there is no grant {grant_id}") from None
        view = _grant(gone)
        unit.audit("grant.remove", f"grants/{grant_id}", view.namespace, view.model_dump(mode="json"), None)
        return answer(unit, 200, view)


def _is_of(token: ApiToken, who: Principal) -> bool:
    return token.created_by == who.id or token.owner == who.person


def _access(request: Request) -> Access:
    found: Access = request.app.state.access
    return found


def _within(who: Principal, given: tuple[Grant, ...]) -> None:
    """A token may not do what its maker may not.

    Raises:
        Forbidden: if it would.
    """
    for grant in given:
        if not who.may(grant.role, grant.namespace):
            where = grant.namespace or "every namespace"
            raise Forbidden(f"a token that is {grant.role.value} in {where} may do more than you may")


def _token(token: ApiToken) -> TokenOut:
    fields: dict[str, Any] = asdict(token)
    version = fields.pop("version")
    return TokenOut(**fields, etag=f'"{version}"')


def _grant(stored: StoredGrant) -> GrantToOut:
    return GrantToOut(
        id=stored.id,
        kind=stored.kind,
        subject=stored.subject,
        role=stored.grant.role,
        namespace=stored.grant.namespace,
        created_at_s=stored.created_at_s,
        created_by=stored.created_by,
    )
