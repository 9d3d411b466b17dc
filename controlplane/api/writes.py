"""Writes: idempotent by key, conditional by ETag, audited, in one transaction."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse
from pydantic import TypeAdapter

from controlplane.api.principals import Who, demand
from controlplane.api.problems import PreconditionMissing, bad_value
from controlplane.domain.access import AccessRole, Principal
from controlplane.domain.ports import Clock
from controlplane.store import unit as store

_ETAG = re.compile(r'"(\d{1,9})"')


@dataclass(slots=True)
class Write:
    """One write request: who, under which key, on which version."""

    who: Principal
    writer: store.Writer
    request: store.Request
    if_match: str | None

    @contextmanager
    def unit(self, role: AccessRole, namespace: str | None) -> Iterator[store.Unit]:
        """The transaction, for those who have at least `role` in `namespace` (None: in every one).

        Raises:
            NotFound, Forbidden: if they have not.
            AlreadyAnswered, KeyReused, LedgerUnavailable: see `Writer.unit`.
        """
        demand(self.who, role, namespace)
        with self.writer.unit(self.request) as unit:
            yield unit

    def version(self) -> int:
        """The version that `If-Match` names.

        Raises:
            PreconditionMissing: if there is none.
            BadValue: if it is not one of our ETags.
        """
        if self.if_match is None:
            raise PreconditionMissing("send If-Match with the ETag that you read, so that no other change is lost")
        found = _ETAG.fullmatch(self.if_match.strip())
        if found is None:
            raise bad_value("If-Match", self.if_match, 'an ETag as it was given, e.g. "3"')
        return int(found[1])


async def _write(
    request: Request,
    who: Who,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
    if_match: Annotated[str | None, Header()] = None,
) -> Write:
    clock: Clock = request.app.state.clock
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    made = store.Request(
        principal=who,
        source_ip=request.client.host if request.client else "",
        request_id=request_id(request),
        now_s=clock.now_s(),
        idempotency_key=idempotency_key,
        fingerprint=store.fingerprint(request.method, target, await request.body()),
    )
    return Write(who, request.app.state.writer, made, if_match)


Writing = Annotated[Write, Depends(_write)]
"""The write that a route makes."""


def request_id(request: Request) -> str:
    """The request's id, as `Guards` settled it."""
    return str(request.state.request_id)


def answer(unit: store.Unit, status: int, view: object, version: int | None = None, location: str = "") -> JSONResponse:
    """The answer of a write, kept for the same request again."""
    headers: dict[str, str] = {}
    if version is not None:
        headers["ETag"] = etag(version)
    if location:
        headers["Location"] = location
    body: Any = None if view is None else TypeAdapter(type(view)).dump_python(view, mode="json")
    kept = unit.keep(store.Answer(status, body, headers))
    return JSONResponse(kept.body, kept.status, dict(kept.headers))


def etag(version: int) -> str:
    """A row's version as an ETag."""
    return f'"{version}"'
