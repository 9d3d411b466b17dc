"""Who changed what: search and export."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, fields
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from controlplane.api.exports import csv_lines
from controlplane.api.principals import Who, demand
from controlplane.api.ranges import Range
from controlplane.domain.access import AccessRole, Principal
from controlplane.store.audits import AuditFilter, AuditRow, Audits

router = APIRouter(prefix="/api/v1", tags=["audit"])
Text = Annotated[str | None, Query(max_length=512)]


class AuditPage(BaseModel):
    """Newest first."""

    items: list[AuditRow]
    next_cursor: str | None


class _Wanted:
    """The filters of a request."""

    def __init__(
        self,
        who: Who,
        between: Annotated[Range, Depends()],
        namespace: Text = None,
        actor: Text = None,
        action: Annotated[str | None, Query(max_length=64, description="exactly, or a prefix: `override.`")] = None,
        resource: Text = None,
        request_id: Text = None,
    ) -> None:
        self.rows = AuditFilter(
            namespaces=_namespaces(who, namespace),
            actor=_sane(actor),
            action=_sane(action),
            resource=_sane(resource),
            request_id=_sane(request_id),
            since_s=between.since_s,
            until_s=between.until_s,
        )


Wanted = Annotated[_Wanted, Depends()]


@router.get("/audit")
def audit(
    request: Request,
    wanted: Wanted,
    cursor: Annotated[str | None, Query(pattern=r"^[0-9]{1,18}$")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> AuditPage:
    """Writes of the namespaces that you are Admin of, newest first."""
    rows, more = _audits(request).page(wanted.rows, None if cursor is None else int(cursor), limit)
    return AuditPage(items=rows, next_cursor=str(rows[-1].id) if more else None)


@router.get("/audit/export", response_class=StreamingResponse)
def export(request: Request, wanted: Wanted) -> StreamingResponse:
    """The same as CSV, oldest first."""
    headers = {"Content-Disposition": 'attachment; filename="tidegate-audit.csv"'}
    return StreamingResponse(_csv(_audits(request).export(wanted.rows)), media_type="text/csv", headers=headers)


def _csv(rows: Iterator[AuditRow]) -> Iterator[str]:
    columns = [field.name for field in fields(AuditRow)]
    return csv_lines(columns, (_cells(row, columns) for row in rows))


def _cells(row: AuditRow, columns: list[str]) -> list[object]:
    values = asdict(row)
    values |= {name: json.dumps(values[name]) for name in ("before", "after")}
    return [values[name] for name in columns]


def _namespaces(who: Principal, namespace: str | None) -> frozenset[str] | None:
    if namespace is not None:
        demand(who, AccessRole.ADMIN, namespace)
        return frozenset((namespace,))
    held = who.namespaces(AccessRole.ADMIN)
    if held is not None and not held:
        demand(who, AccessRole.ADMIN, None)
    return held


def _sane(value: str | None) -> str | None:
    """PostgreSQL's text holds no NUL, so nothing is found by one."""
    return None if value is None else value.replace("\x00", "�")


def _audits(request: Request) -> Audits:
    return Audits(request.app.state.writer.engine)
