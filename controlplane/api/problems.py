"""Errors as RFC 9457 problem details: what is wrong, with which field and value, and what is allowed."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from controlplane.api.views import Problem
from controlplane.domain.ports import LedgerUnavailable
from controlplane.store.queries import BadCursor

MEDIA_TYPE = "application/problem+json"


class NotFound(Exception):
    """There is none of that name."""


class BadValue(ValueError):
    """A value that is not allowed."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def bad_value(field: str, value: str, allowed: str) -> BadValue:
    """The error for a field of a request."""
    detail = f"{field} is {value!r}; allowed: {allowed}"
    return BadValue(Problem("about:blank", "A value is not allowed", 422, detail, field, value, allowed))


def _answer(problem: Problem) -> JSONResponse:
    content = {key: value for key, value in asdict(problem).items() if value is not None}
    return JSONResponse(content, problem.status, media_type=MEDIA_TYPE)


def add_problem_handlers(app: FastAPI) -> None:
    """Turn every error into a problem."""

    @app.exception_handler(NotFound)
    async def not_found(_: Request, error: NotFound) -> JSONResponse:
        return _answer(Problem("about:blank", "Not found", 404, str(error)))

    @app.exception_handler(LedgerUnavailable)
    async def away(_: Request, error: LedgerUnavailable) -> JSONResponse:
        detail = f"The ledger (PostgreSQL) does not answer: {error}. Scaling goes on; ticks wait in the spool."
        return _answer(Problem("about:blank", "The ledger is away", 503, detail))

    @app.exception_handler(BadValue)
    async def bad(_: Request, error: BadValue) -> JSONResponse:
        return _answer(error.problem)

    @app.exception_handler(BadCursor)
    async def cursor(_: Request, error: BadCursor) -> JSONResponse:
        allowed = "next_cursor of a page before"
        problem = Problem("about:blank", "A value is not allowed", 422, str(error), "cursor", error.value, allowed)
        return _answer(problem)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"][1:])
        detail = f"{field} is {first.get('input')!r}; {first['msg']}"
        value = str(first.get("input"))
        return _answer(Problem("about:blank", "A value is not allowed", 422, detail, field, value, first["msg"]))

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> JSONResponse:
        return _answer(Problem("about:blank", str(error.detail), error.status_code, str(error.detail)))
