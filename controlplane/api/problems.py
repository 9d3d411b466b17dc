"""Errors as RFC 9457 problem details: what is wrong, with which field and value, and what is allowed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from controlplane.api.views import Problem
from controlplane.domain.ports import LedgerUnavailable
from controlplane.store.engine import Unstorable, first_words
from controlplane.store.queries import BadCursor
from controlplane.store.unit import AlreadyAnswered, KeyReused, VersionMismatch

MEDIA_TYPE = "application/problem+json"
MISSING: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "There is none of that name"}}

LONGEST_VALUE = 200
"""Characters of a value that an error gives back."""
CONFLICTS: dict[int | str, dict[str, Any]] = {409: {"model": Problem, "description": "It does not go with how it is"}}
CHANGING: dict[int | str, dict[str, Any]] = {
    **MISSING,
    **CONFLICTS,
    412: {"model": Problem, "description": "Somebody else changed it since it was read"},
    428: {"model": Problem, "description": "If-Match is missing"},
}
"""Of a write that names the version which it changes."""


class NotFound(Exception):
    """There is none of that name."""


class Unauthenticated(Exception):
    """Nobody, or somebody who shows something forged, expired or revoked."""


class Forbidden(Exception):
    """Somebody who may not do this."""


class Conflict(Exception):
    """What is asked for does not go with how things are."""


class GitOpsConflict(Conflict):
    """A target is a custom resource's: what is wanted is committed there. `commit` is what, ready to be sent."""

    def __init__(self, detail: str, commit: list[dict[str, Any]]) -> None:
        super().__init__(detail)
        self.commit = commit


class PreconditionMissing(Exception):
    """A write that must name the version that it changes."""


class BadValue(ValueError):
    """A value that is not allowed."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def bad_value(field: str, value: str, allowed: str) -> BadValue:
    """The error for a field of a request."""
    value = shortened(value)
    detail = f"{field} is {value!r}; allowed: {allowed}"
    return BadValue(Problem("about:blank", "A value is not allowed", 422, detail, field, value, allowed))


def shortened(value: str) -> str:
    """The beginning of what was sent: nobody needs a megabyte of it back."""
    return value if len(value) <= LONGEST_VALUE else f"{value[:LONGEST_VALUE]}... ({len(value)} characters)"


def _invalid(error: dict[str, Any]) -> Problem:
    """What FastAPI found first, by field."""
    place = [str(part) for part in error["loc"][1:]]
    if error["type"] == "json_invalid":
        why = (
            f"JSON ({error.get('ctx', {}).get('error', 'it ends too early')}, at character {place[-1] if place else 0})"
        )
        return bad_value("body", "no JSON", why).problem
    field = ".".join(place) or str(error["loc"][0])
    if error["type"] == "missing":
        words = f"{field} is absent; allowed: see the OpenAPI document"
        return Problem("about:blank", "A value is not allowed", 422, words, field, None, "a value: it is required")
    value = shortened(str(error.get("input")))
    detail = f"{field} is {value!r}; {error['msg']}"
    return Problem("about:blank", "A value is not allowed", 422, detail, field, value, error["msg"])


def _answer(problem: Problem) -> JSONResponse:
    content = {key: _writable(value) for key, value in asdict(problem).items() if value is not None}
    return JSONResponse(content, problem.status, media_type=MEDIA_TYPE)


def _writable(value: Any) -> Any:
    """JSON may name half a character (a lone surrogate), which no text in UTF-8 can hold."""
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value


def add_problem_handlers(app: FastAPI) -> None:
    """Turn every error into a problem."""

    @app.exception_handler(NotFound)
    async def not_found(_: Request, error: NotFound) -> JSONResponse:
        return _answer(Problem("about:blank", "Not found", 404, str(error)))

    @app.exception_handler(Unauthenticated)
    async def unauthenticated(_: Request, error: Unauthenticated) -> JSONResponse:
        answer = _answer(Problem("about:blank", "Not authenticated", 401, str(error)))
        answer.headers["WWW-Authenticate"] = 'Bearer realm="tidegate"'
        return answer

    @app.exception_handler(Forbidden)
    async def forbidden(_: Request, error: Forbidden) -> JSONResponse:
        return _answer(Problem("about:blank", "Not allowed", 403, str(error)))

    @app.exception_handler(Conflict)
    async def conflict(_: Request, error: Conflict) -> JSONResponse:
        return _answer(Problem("about:blank", "Conflict", 409, str(error)))

    @app.exception_handler(GitOpsConflict)
    async def elsewhere(_: Request, error: GitOpsConflict) -> JSONResponse:
        problem = asdict(Problem("about:blank", "A custom resource names this target", 409, str(error)))
        content = {key: value for key, value in problem.items() if value is not None}
        return JSONResponse({**content, "commit": error.commit}, 409, media_type=MEDIA_TYPE)

    _add_write_handlers(app)

    _add_store_handlers(app)

    @app.exception_handler(Exception)
    async def broken(request: Request, _: Exception) -> JSONResponse:
        words = f"this is a fault of Tidegate: look for request {request.state.request_id} in its log"
        return _answer(Problem("about:blank", "Internal server error", 500, words))

    @app.exception_handler(BadValue)
    async def bad(_: Request, error: BadValue) -> JSONResponse:
        return _answer(error.problem)

    @app.exception_handler(BadCursor)
    async def cursor(_: Request, error: BadCursor) -> JSONResponse:
        return _answer(bad_value("cursor", error.value, "next_cursor of a page before").problem)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return _answer(_invalid(error.errors()[0]))

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> JSONResponse:
        return _answer(Problem("about:blank", str(error.detail), error.status_code, str(error.detail)))


def _add_store_handlers(app: FastAPI) -> None:
    @app.exception_handler(LedgerUnavailable)
    async def away(_: Request, error: LedgerUnavailable) -> JSONResponse:
        detail = f"The ledger (PostgreSQL) does not answer: {error}. Scaling goes on; ticks wait in the spool."
        return _answer(Problem("about:blank", "The ledger is away", 503, detail))

    @app.exception_handler(Unstorable)
    async def unstorable(_: Request, error: Unstorable) -> JSONResponse:
        return _answer(
            Problem("about:blank", "A value is not allowed", 422, f"a value cannot be kept: {first_words(error)}")
        )

    @app.exception_handler(UnicodeEncodeError)
    async def halved(_: Request, error: UnicodeEncodeError) -> JSONResponse:
        words = f"a text holds {error.object[error.start : error.end]!r}, half a character; allowed: whole ones"
        return _answer(Problem("about:blank", "A value is not allowed", 422, words))


def _add_write_handlers(app: FastAPI) -> None:
    @app.exception_handler(VersionMismatch)
    async def stale(_: Request, error: VersionMismatch) -> JSONResponse:
        answer = _answer(Problem("about:blank", "Changed since", 412, str(error)))
        answer.headers["ETag"] = f'"{error.current}"'
        return answer

    @app.exception_handler(PreconditionMissing)
    async def unconditional(_: Request, error: PreconditionMissing) -> JSONResponse:
        return _answer(Problem("about:blank", "Precondition required", 428, str(error)))

    @app.exception_handler(KeyReused)
    async def reused(_: Request, error: KeyReused) -> JSONResponse:
        return _answer(Problem("about:blank", "Idempotency key reused", 422, str(error), "Idempotency-Key"))

    @app.exception_handler(AlreadyAnswered)
    async def again(_: Request, error: AlreadyAnswered) -> JSONResponse:
        kept = error.answer
        return JSONResponse(kept.body, kept.status, {**kept.headers, "Idempotency-Replayed": "true"})
