"""What every request passes on its way in and every answer on its way out: sizes, rates, headers, request ids."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict
from typing import Any
from uuid import uuid4

from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controlplane.api.views import Problem

MAX_BODY_BYTES = 1024 * 1024
"""A policy of a hundred variants is below 100 kB."""
READS_PER_10_S, WRITES_PER_10_S, LOGINS_PER_10_S = 600, 100, 20
"""A page that polls ten panels a second stays below the first; a script in a loop, or one that guesses, does not."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
CONTENT_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'"
)
"""Styles inline: the component library and the charts set them. No script but our own files."""


class Guards:
    """ASGI middleware. `limited` False: no rate limits, for tests that ask much."""

    def __init__(self, app: ASGIApp, limited: bool = True) -> None:
        self._app = app
        self._limiter = MovingWindowRateLimiter(MemoryStorage()) if limited else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})["request_id"] = _request_id(scope)
        dressed = _dressed(scope, send)
        problem = _too_long_by_header(scope) or await self._too_many(scope)
        if problem is not None:
            await _answer(problem)(scope, receive, dressed)
            return
        await self._app(scope, _counted(receive), dressed)

    async def _too_many(self, scope: Scope) -> Problem | None:
        if self._limiter is None or scope["path"] in ("/healthz", "/readyz", "/metrics"):
            return None
        kind, amount = _class_of(scope)
        item = RateLimitItemPerSecond(amount, 10)
        if await self._limiter.hit(item, kind, _caller(scope)):
            return None
        detail = f"more than {amount} requests ({kind}) in 10 s; try again in a few seconds"
        return Problem("about:blank", "Too many requests", 429, detail)


_TOO_LONG = Problem(
    "about:blank", "The body is too long", 413, f"the body is above {MAX_BODY_BYTES} bytes; allowed: at most so many"
)


def _counted(receive: Receive) -> Receive:
    """`receive` that gives up on a body beyond the limit, whatever its header said."""
    taken = 0

    async def counting() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > MAX_BODY_BYTES:
            raise HTTPException(_TOO_LONG.status, _TOO_LONG.title)
        return message

    return counting


def _too_long_by_header(scope: Scope) -> Problem | None:
    length = Headers(scope=scope).get("content-length", "0")
    return _TOO_LONG if length.isdigit() and int(length) > MAX_BODY_BYTES else None


def _class_of(scope: Scope) -> tuple[str, int]:
    if scope["path"].startswith("/auth/"):
        return "logins", LOGINS_PER_10_S
    return ("reads", READS_PER_10_S) if scope["method"] in ("GET", "HEAD") else ("writes", WRITES_PER_10_S)


def _caller(scope: Scope) -> str:
    """One address: a token that is made up anew for each guess must not be a new caller."""
    client = HTTPConnection(scope).client
    return client.host if client else "?"


def _request_id(scope: Scope) -> str:
    """The caller's `X-Request-Id` where it is a sane one, else one of ours."""
    given = Headers(scope=scope).get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid4().hex


def _dressed(scope: Scope, send: Send) -> Callable[[Message], Any]:
    """`send` that adds the headers that every answer has."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = scope["state"]["request_id"]
            headers["X-Content-Type-Options"] = "nosniff"
            headers["X-Frame-Options"] = "DENY"
            headers["Referrer-Policy"] = "same-origin"
            headers["Content-Security-Policy"] = CONTENT_POLICY
            headers["Cross-Origin-Opener-Policy"] = "same-origin"
            if scope.get("scheme") == "https":
                headers["Strict-Transport-Security"] = "max-age=31536000"
            if scope["path"].startswith(("/api/", "/auth/")) and "cache-control" not in headers:
                headers["Cache-Control"] = "no-store"
        await send(message)

    return sending


def _answer(problem: Problem) -> JSONResponse:
    content = {key: value for key, value in asdict(problem).items() if value is not None}
    headers = {"Retry-After": "10"} if problem.status == 429 else None
    return JSONResponse(content, problem.status, headers, media_type="application/problem+json")
