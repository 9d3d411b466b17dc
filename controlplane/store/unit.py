"""A person's write: one transaction that holds the change, its audit row and the answer to the same request again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, Table, insert, select, update
from sqlalchemy.dialects import postgresql

from controlplane.domain.access import Principal
from controlplane.store.codec import timestamp
from controlplane.store.engine import transaction
from controlplane.store.tables import audit, idempotency

JsonValue = Any
"""What JSONB holds."""


@dataclass(frozen=True, slots=True)
class Request:
    """Who writes, from where, and under which key. `fingerprint` is of method, path and body."""

    principal: Principal
    source_ip: str
    request_id: str
    now_s: float
    idempotency_key: str | None = None
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a write is answered with, and what the same request is answered with again."""

    status: int
    body: JsonValue
    headers: Mapping[str, str] = field(default_factory=dict)


class AlreadyAnswered(Exception):
    """This request was made before under this key, and here is what it was answered."""

    def __init__(self, answer: Answer) -> None:
        super().__init__("answered before")
        self.answer = answer


class KeyReused(ValueError):
    """An idempotency key came again with another request."""


class VersionMismatch(Exception):
    """The row is not the one that was read: `If-Match` names version `asked`, it is `current` now."""

    def __init__(self, resource: str, asked: int, current: int) -> None:
        super().__init__(f"{resource} is at version {current}, not {asked}: read it again")
        self.current = current


@dataclass(slots=True)
class Unit:
    """One write under way. What is in `after_commit` runs when the transaction stands, in order: tasks are sent so."""

    connection: Connection
    request: Request
    after_commit: list[Callable[[], None]] = field(default_factory=list)

    @property
    def now_s(self) -> float:
        """When the write is made, on the controller's clock."""
        return self.request.now_s

    def audit(
        self,
        action: str,
        resource: str,
        namespace: str | None,
        before: JsonValue,
        after: JsonValue,
        detail: str = "",
    ) -> None:
        """Note who changed what, from what, to what. Secrets must not be in `before` or `after`."""
        principal = self.request.principal
        row = {
            "at": timestamp(self.now_s),
            "actor": principal.id,
            "actor_kind": principal.kind.value,
            "action": action,
            "resource": resource,
            "namespace": namespace,
            "before": before,
            "after": after,
            "source_ip": self.request.source_ip,
            "request_id": self.request.request_id,
            "detail": detail,
        }
        self.connection.execute(insert(audit).values(row))

    def keep(self, answer: Answer) -> Answer:
        """Keep the answer for the same request under the same key; returns it."""
        request = self.request
        if request.idempotency_key is not None:
            mine = (idempotency.c.principal == request.principal.id) & (idempotency.c.key == request.idempotency_key)
            values = {"status": answer.status, "headers": dict(answer.headers), "body": answer.body}
            self.connection.execute(update(idempotency).where(mine).values(values))
        return answer

    def changed(
        self, table: Table, resource: str, row_id: object, version: int, values: Mapping[str, Any]
    ) -> RowMapping:
        """Change one row that is still at `version`, and raise its version by one.

        Raises:
            VersionMismatch: if somebody else changed it since.
            KeyError: if there is no such row.
        """
        (key,) = table.primary_key.columns
        newer = {**values, "version": version + 1}
        statement = update(table).where(key == row_id, table.c.version == version).values(newer).returning(*table.c)
        row = self.connection.execute(statement).mappings().first()
        if row is not None:
            return row
        current = self.connection.execute(select(table.c.version).where(key == row_id)).scalar()
        if current is None:
            raise KeyError(resource)
        raise VersionMismatch(resource, version, current)


def fingerprint(method: str, path: str, body: bytes) -> str:
    """SHA-256 of what a request asks."""
    return hashlib.sha256(b"\n".join((method.encode(), path.encode(), body))).hexdigest()


@dataclass(frozen=True, slots=True)
class Writer:
    """Opens writes on one database."""

    engine: Engine

    @contextmanager
    def unit(self, request: Request) -> Iterator[Unit]:
        """One write: committed at the end of the block, then what is to follow is done.

        A second request under the same key waits here until the first has committed, and is then answered as it was.

        Raises:
            AlreadyAnswered: if it was.
            KeyReused: if the key came with another request.
            LedgerUnavailable: if the database does not answer.
        """
        with transaction(self.engine) as connection:
            unit = Unit(connection, request)
            if request.idempotency_key is not None:
                _claim(connection, request, request.idempotency_key)
            yield unit
        for follow in unit.after_commit:
            follow()


def _claim(connection: Connection, request: Request, key: str) -> None:
    row = {"principal": request.principal.id, "key": key, "fingerprint": request.fingerprint}
    claim = postgresql.insert(idempotency).values(row).on_conflict_do_nothing().returning(idempotency.c.key)
    if connection.execute(claim).first() is not None:
        return
    mine = (idempotency.c.principal == request.principal.id) & (idempotency.c.key == key)
    before = connection.execute(select(idempotency).where(mine)).mappings().one()
    if before["fingerprint"] != request.fingerprint:
        raise KeyReused(f"Idempotency-Key {key!r} was used for another request")
    raise AlreadyAnswered(Answer(before["status"], before["body"], before["headers"] or {}))
