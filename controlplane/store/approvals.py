"""Approvals: what one person asks for and another grants or refuses, once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import Connection, Engine, RowMapping, Select, insert, select

from controlplane.domain.policy_life import Stage
from controlplane.store.codec import timestamp
from controlplane.store.engine import transaction
from controlplane.store.tables import policy_approvals, policy_versions
from controlplane.store.unit import Unit


class Ruled(StrEnum):
    """What the second person said."""

    APPROVED = "Approved"
    REJECTED = "Rejected"


@dataclass(frozen=True, slots=True)
class StoredApproval:
    """One request for approval. `decision` None: it is open."""

    id: UUID
    policy_id: UUID
    number: int
    stage: Stage
    requested_by: str
    requested_at_s: float
    reason: str
    decision: Ruled | None
    decided_by: str | None
    decided_at_s: float | None
    decision_reason: str | None
    version: int


class Approvals:
    """Reads and writes approvals; writes are made within a `Unit`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, approval_id: UUID) -> StoredApproval | None:
        """One; None where there is none of that id."""
        with transaction(self._engine) as connection:
            found = connection.execute(_joined().where(policy_approvals.c.id == approval_id)).mappings().first()
        return None if found is None else _stored(found)

    def of_policies(self, policies: Sequence[UUID], open_only: bool = False) -> list[StoredApproval]:
        """All of those policies, newest first."""
        statement = _joined().where(policy_versions.c.policy_id.in_(policies))
        if open_only:
            statement = statement.where(policy_approvals.c.decision.is_(None))
        newest = statement.order_by(policy_approvals.c.requested_at.desc(), policy_approvals.c.id)
        with transaction(self._engine) as connection:
            return [_stored(row) for row in connection.execute(newest).mappings()]

    @staticmethod
    def ask(unit: Unit, version_id: UUID, stage: Stage, reason: str) -> StoredApproval:
        """A new request, as of now."""
        approval_id = uuid4()
        row: dict[str, object] = {
            "id": approval_id,
            "version_id": version_id,
            "stage": stage.value,
            "body": {},
            "requested_by": unit.request.principal.id,
            "requested_at": timestamp(unit.now_s),
            "reason": reason,
        }
        unit.connection.execute(insert(policy_approvals).values(row))
        return _again(unit.connection, approval_id)

    @staticmethod
    def rule(unit: Unit, approval_id: UUID, version: int, ruled: Ruled, reason: str) -> StoredApproval:
        """Grant or refuse it.

        Raises:
            VersionMismatch, KeyError: see `Unit.changed`.
        """
        values = {
            "decision": ruled.value,
            "decided_by": unit.request.principal.id,
            "decided_at": timestamp(unit.now_s),
            "decision_reason": reason,
        }
        unit.changed(policy_approvals, f"approvals/{approval_id}", approval_id, version, values)
        return _again(unit.connection, approval_id)


def is_approved(connection: Connection, version_id: UUID, stage: Stage) -> bool:
    """Whether the last word on a version allows that stage; who approves Live approves a Canary with it."""
    stages = [Stage.LIVE.value] if stage is Stage.LIVE else [Stage.CANARY.value, Stage.LIVE.value]
    table = policy_approvals
    decided = select(table.c.decision).where(
        table.c.version_id == version_id, table.c.stage.in_(stages), table.c.decision.is_not(None)
    )
    last = connection.execute(decided.order_by(table.c.decided_at.desc(), table.c.requested_at.desc()).limit(1))
    return last.scalar() == Ruled.APPROVED


def _again(connection: Connection, approval_id: UUID) -> StoredApproval:
    return _stored(connection.execute(_joined().where(policy_approvals.c.id == approval_id)).mappings().one())


def _joined() -> Select[tuple[object, ...]]:
    return select(policy_approvals, policy_versions.c.policy_id, policy_versions.c.number).join(policy_versions)


def _stored(row: RowMapping) -> StoredApproval:
    decided = row["decided_at"]
    return StoredApproval(
        id=row["id"],
        policy_id=row["policy_id"],
        number=row["number"],
        stage=Stage(row["stage"]),
        requested_by=row["requested_by"],
        requested_at_s=row["requested_at"].timestamp(),
        reason=row["reason"],
        decision=None if row["decision"] is None else Ruled(row["decision"]),
        decided_by=row["decided_by"],
        decided_at_s=None if decided is None else decided.timestamp(),
        decision_reason=row["decision_reason"],
        version=row["version"],
    )
