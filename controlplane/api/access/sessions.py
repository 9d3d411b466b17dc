"""Logging in and out: by an identity provider, or by a one-time link that an administrator of the machine made."""

from __future__ import annotations

import html
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel

from controlplane.api.access.authenticate import COOKIE, CSRF_COOKIE
from controlplane.api.access.oidc import OidcError, OidcProvider
from controlplane.api.principals import Who
from controlplane.api.problems import CONFLICTS, Conflict, Unauthenticated
from controlplane.domain.access import AccessRole, PrincipalKind
from controlplane.store.access import LOCAL, Access
from controlplane.store.keys import FIRST_ADMIN

SESSION_S = 12 * 3600.0
"""A working day, real seconds."""
LOGIN_S = 600.0
"""Real seconds that a browser has to come back from the provider."""
OIDC_LOGIN = "OidcLogin"
STATE_COOKIE = "tidegate_login"

router = APIRouter(tags=["access"])


class GrantOut(BaseModel):
    """A role in one namespace; null: in every one."""

    role: AccessRole
    namespace: str | None


class Me(BaseModel):
    """Who you are, and what you may."""

    id: str
    name: str
    kind: PrincipalKind
    grants: list[GrantOut]


class LoginWays(BaseModel):
    """How one can log in here."""

    oidc: bool
    issuer: str | None


@router.get("/api/v1/me")
def me(who: Who) -> Me:
    """Who you are, and what you may do where."""
    grants = [GrantOut(role=g.role, namespace=g.namespace) for g in who.grants]
    return Me(id=who.id, name=who.name, kind=who.kind, grants=grants)


@router.get("/auth/ways")
def ways(request: Request) -> LoginWays:
    """How one can log in here. Open to everybody: the login page shows it."""
    provider: OidcProvider | None = request.app.state.provider
    return LoginWays(oidc=provider is not None, issuer=None if provider is None else provider.settings.issuer)


@router.get("/auth/login", response_class=RedirectResponse, status_code=302, responses=CONFLICTS)
def login(request: Request, then: str = "/") -> Response:
    """Go to the identity provider; it sends the browser back to /auth/callback."""
    provider: OidcProvider | None = request.app.state.provider
    if provider is None:
        raise Conflict("no identity provider is configured: use a one-time link (`tidegate login-link`)")
    try:
        url, kept = provider.login_url(_callback(request))
    except OidcError as error:
        raise Conflict(str(error)) from error
    access: Access = request.app.state.access
    secret = access.keep_link(OIDC_LOGIN, {**kept, "then": local_path(then)}, request.app.state.real_s(), LOGIN_S)
    answer = RedirectResponse(url, 302)
    # Bound to this browser: a code that somebody else slips in finds no login under way.
    answer.set_cookie(
        STATE_COOKIE, secret, max_age=int(LOGIN_S), httponly=True, samesite="lax", secure=_secure(request), path="/auth"
    )
    return answer


@router.get("/auth/callback", response_class=RedirectResponse, status_code=302)
def callback(request: Request, state: str = "", code: str = "", error: str = "") -> Response:
    """Where the identity provider sends the browser back to."""
    provider: OidcProvider | None = request.app.state.provider
    access: Access = request.app.state.access
    now_s: float = request.app.state.real_s()
    kept = access.use_link(OIDC_LOGIN, request.cookies.get(STATE_COOKIE, ""), now_s)
    if provider is None or kept is None or kept["state"] != state:
        raise Unauthenticated("no such login is under way in this browser; start again at /auth/login")
    if error or not code:
        raise Unauthenticated(f"the identity provider says: {error or 'no code'}")
    try:
        who = provider.identity_of_code(code, kept)
        pair = access.log_in(who.issuer, who.subject, who.name, who.email, who.groups, now_s, SESSION_S)
    except (OidcError, PermissionError) as problem:
        raise Unauthenticated(str(problem)) from problem
    answer = _with_session(RedirectResponse(kept["then"], 302), request, pair)
    answer.delete_cookie(STATE_COOKIE, path="/auth")
    return answer


@router.get("/auth/once", response_class=HTMLResponse)
def once_page(code: str) -> HTMLResponse:
    """The page behind a one-time link. The link is used by its button alone: what fetches links ahead uses up none."""
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Tidegate: log in</title>'
        '<meta name="viewport" content="width=device-width"><main><h1>Tidegate</h1>'
        '<form method="post" action="/auth/once">'
        f'<input type="hidden" name="code" value="{html.escape(code, quote=True)}">'
        '<button type="submit" autofocus>Log in as administrator</button></form>'
        "<p>This link works once.</p></main></html>"
    )
    return HTMLResponse(page, headers={"Cache-Control": "no-store"})


@router.post("/auth/once", response_class=RedirectResponse, status_code=303)
def once(request: Request, code: Annotated[str, Form(max_length=200)]) -> Response:
    """Use a one-time link: a session as the local administrator."""
    access: Access = request.app.state.access
    now_s: float = request.app.state.real_s()
    body = access.use_link(FIRST_ADMIN, code, now_s)
    if body is None:
        raise Unauthenticated("the link was used, or is too old; `tidegate login-link` makes another")
    name = str(body["name"])
    access.make_local_admin(name, now_s)
    pair = access.log_in(LOCAL, name, name, None, (), now_s, SESSION_S)
    return _with_session(RedirectResponse("/", 303), request, pair)


@router.post("/auth/logout", status_code=204, response_class=Response)
def logout(request: Request, _: Who) -> Response:
    """End this session."""
    access: Access = request.app.state.access
    access.log_out(request.cookies.get(COOKIE, ""))
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE)
    answer.delete_cookie(CSRF_COOKIE)
    return answer


def _with_session(answer: Response, request: Request, pair: tuple[str, str]) -> Response:
    cookie, csrf = pair
    secure, age = _secure(request), int(SESSION_S)
    answer.set_cookie(COOKIE, cookie, max_age=age, httponly=True, samesite="lax", secure=secure)
    answer.set_cookie(CSRF_COOKIE, csrf, max_age=age, httponly=False, samesite="strict", secure=secure)
    return answer


def _secure(request: Request) -> bool:
    return request.url.scheme == "https"


def _callback(request: Request) -> str:
    public: str | None = request.app.state.public_url
    return f"{public.rstrip('/')}/auth/callback" if public else str(request.url_for("callback"))


def local_path(then: str) -> str:
    """`then` where it is a path of our own, else the first page: a login must not send people elsewhere."""
    parts = urlsplit(then)
    fine = then.startswith("/") and not then.startswith(("//", "/\\")) and not parts.netloc and not parts.scheme
    return then if fine else "/"
