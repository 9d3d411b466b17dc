"""Policies of the API: a document, its versions, which never change, and the stages that these went through."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from pydantic import TypeAdapter
from sqlalchemy import Connection, Engine, RowMapping, func, insert, literal, or_, select, tuple_
from sqlalchemy.dialects.postgresql import JSONB

from controlplane.domain.policy_life import Canary, Guard, Lifecycle, Stage, StageChange
from controlplane.store.codec import timestamp
from controlplane.store.engine import transaction
from controlplane.store.tables import policy_documents, policy_stages, policy_versions, settings
from controlplane.store.unit import Unit

APPROVAL_REQUIRED = "approval_required"
"""Name of the setting: whether a second person must approve before a version decides."""
_CANARY = TypeAdapter(Canary)
_GUARD = TypeAdapter(Guard)


class NameTaken(ValueError):
    """Another policy makes that target already."""


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """One version. `parent` is the number that it was made from."""

    id: UUID
    number: int
    spec: Mapping[str, Any]
    digest: str
    author: str
    reason: str
    parent: int | None
    created_at_s: float


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    """A document with its versions, by number, and its history, oldest first. `version` is of the document's ETag."""

    id: UUID
    name: str
    namespaces: tuple[str, ...]
    created_at_s: float
    created_by: str
    archived_at_s: float | None
    version: int
    versions: Mapping[int, StoredVersion]
    history: tuple[StageChange, ...]

    @property
    def life(self) -> Lifecycle:
        """Where its versions are."""
        return Lifecycle.of(self.history)

    @property
    def newest(self) -> StoredVersion:
        """The version of the highest number."""
        return self.versions[max(self.versions)]

    @property
    def keys(self) -> tuple[str, ...]:
        """The targets that it makes, `namespace/name`."""
        return tuple(f"{namespace}/{self.name}" for namespace in self.namespaces)

    def since(self, number: int) -> StageChange:
        """The change that brought a version to where it is."""
        return next(change for change in reversed(self.history) if change.number == number)


@dataclass(frozen=True, slots=True)
class PolicyFilter:
    """Which policies. `namespaces` None: of every one; else of those that have at least one of these."""

    namespaces: frozenset[str] | None = None
    name: str | None = None
    archived: bool = False


class Policies:
    """Reads and writes policies; writes are made within a `Unit`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def page(
        self, wanted: PolicyFilter, after: tuple[float, UUID] | None, limit: int
    ) -> tuple[list[StoredPolicy], bool]:
        """So many, newest first, from behind `after` (creation and id); whether there are more."""
        table = policy_documents
        statement = select(table).order_by(table.c.created_at.desc(), table.c.id.desc()).limit(limit + 1)
        if wanted.namespaces is not None:
            within = [table.c.namespaces.op("@>")(literal([n], JSONB)) for n in sorted(wanted.namespaces)]
            statement = statement.where(or_(*within) if within else literal(False))
        if wanted.name is not None:
            statement = statement.where(table.c.name == wanted.name)
        if not wanted.archived:
            statement = statement.where(table.c.archived_at.is_(None))
        if after is not None:
            statement = statement.where(tuple_(table.c.created_at, table.c.id) < (timestamp(after[0]), after[1]))
        with transaction(self._engine) as connection:
            rows = connection.execute(statement).mappings().all()
            return _whole(connection, rows[:limit]), len(rows) > limit

    def get(self, policy_id: UUID) -> StoredPolicy | None:
        """One; None where there is none of that id."""
        with transaction(self._engine) as connection:
            return read(connection, policy_id)

    def approval_required(self) -> bool:
        """Whether the setting asks for a second person."""
        with transaction(self._engine) as connection:
            return approval_required(connection)

    def open(self) -> list[StoredPolicy]:
        """Every policy that is not archived, by name and id."""
        statement = select(policy_documents).where(policy_documents.c.archived_at.is_(None))
        with transaction(self._engine) as connection:
            found = connection.execute(statement.order_by(policy_documents.c.name, policy_documents.c.id))
            return _whole(connection, found.mappings().all())

    @staticmethod
    def create(unit: Unit, name: str, namespaces: Sequence[str], spec: Mapping[str, Any], reason: str) -> StoredPolicy:
        """A new policy with its first version in Draft.

        Raises:
            NameTaken: if another policy of that name is in one of these namespaces.
        """
        _refuse_taken(unit.connection, name, namespaces)
        policy_id = uuid4()
        row = {
            "id": policy_id,
            "name": name,
            "namespaces": list(namespaces),
            "created_at": timestamp(unit.now_s),
            "created_by": unit.request.principal.id,
        }
        unit.connection.execute(insert(policy_documents).values(row))
        _add_version(unit, policy_id, 1, spec, reason, None)
        return _read_again(unit, policy_id)

    @staticmethod
    def lock(unit: Unit, policy_id: UUID, version: int) -> StoredPolicy:
        """The policy as it is, which nobody else changes until the unit ends; its ETag's version is raised.

        Raises:
            VersionMismatch, KeyError: see `Unit.changed`.
        """
        unit.changed(policy_documents, f"policies/{policy_id}", policy_id, version, {})
        return _read_again(unit, policy_id)

    @staticmethod
    def lock_newest(unit: Unit, policy_id: UUID) -> StoredPolicy | None:
        """As `lock`, of whatever version it has: for Tidegate's own hand. None where there is none."""
        chosen = select(policy_documents.c.version).where(policy_documents.c.id == policy_id).with_for_update()
        version = unit.connection.execute(chosen).scalar()
        return None if version is None else Policies.lock(unit, policy_id, version)

    @staticmethod
    def add_version(
        unit: Unit, policy: StoredPolicy, spec: Mapping[str, Any], reason: str, parent: int
    ) -> StoredPolicy:
        """One more version, in Draft."""
        _add_version(unit, policy.id, policy.newest.number + 1, spec, reason, parent)
        return _read_again(unit, policy.id)

    @staticmethod
    def change(unit: Unit, policy: StoredPolicy, changes: Iterable[StageChange]) -> StoredPolicy:
        """Note changes of stage, in order."""
        for change in changes:
            _add_stage(unit, policy.versions[change.number].id, change)
        return _read_again(unit, policy.id)

    @staticmethod
    def archive(unit: Unit, policy: StoredPolicy) -> StoredPolicy:
        """Put the document away: its name is free again."""
        at = timestamp(unit.now_s)
        unit.changed(policy_documents, f"policies/{policy.id}", policy.id, policy.version, {"archived_at": at})
        return _read_again(unit, policy.id)


def read(connection: Connection, policy_id: UUID) -> StoredPolicy | None:
    """One policy, within a transaction."""
    rows = connection.execute(select(policy_documents).where(policy_documents.c.id == policy_id)).mappings().all()
    return next(iter(_whole(connection, rows)), None)


def approval_required(connection: Connection) -> bool:
    """The setting, within a transaction."""
    value = connection.execute(select(settings.c.value).where(settings.c.name == APPROVAL_REQUIRED)).scalar()
    return value is True


def digest_of(spec: Mapping[str, Any]) -> str:
    """SHA-256 of a spec's JSON, with its keys in order."""
    return hashlib.sha256(json.dumps(spec, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _read_again(unit: Unit, policy_id: UUID) -> StoredPolicy:
    found = read(unit.connection, policy_id)
    assert found is not None
    return found


def _refuse_taken(connection: Connection, name: str, namespaces: Sequence[str]) -> None:
    connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))
    table = policy_documents
    same = select(table.c.id, table.c.namespaces).where(table.c.name == name, table.c.archived_at.is_(None))
    for row in connection.execute(same):
        both = sorted(set(row.namespaces) & set(namespaces))
        if both:
            raise NameTaken(f"policy {row.id} makes the target {both[0]}/{name} already")


def _add_version(
    unit: Unit, policy_id: UUID, number: int, spec: Mapping[str, Any], reason: str, parent: int | None
) -> None:
    version_id = uuid4()
    row = {
        "id": version_id,
        "policy_id": policy_id,
        "number": number,
        "spec": spec,
        "digest": digest_of(spec),
        "author": unit.request.principal.id,
        "reason": reason,
        "parent": parent,
        "created_at": timestamp(unit.now_s),
    }
    unit.connection.execute(insert(policy_versions).values(row))
    _add_stage(unit, version_id, StageChange(number, Stage.DRAFT, unit.now_s, unit.request.principal.id, reason))


def _add_stage(unit: Unit, version_id: UUID, change: StageChange) -> None:
    body: dict[str, Any] = {}
    if change.canary is not None:
        body["canary"] = _CANARY.dump_python(change.canary, mode="json")
    if change.guard is not None:
        body["guard"] = _GUARD.dump_python(change.guard, mode="json")
    if change.by is not None:
        body["by"] = change.by
    row = {
        "version_id": version_id,
        "stage": change.stage.value,
        "at": timestamp(change.at_s),
        "actor": change.actor,
        "reason": change.reason,
        "body": body,
    }
    unit.connection.execute(insert(policy_stages).values(row))


def _whole(connection: Connection, documents: Sequence[RowMapping]) -> list[StoredPolicy]:
    """Documents with what belongs to them, in three statements whatever their number."""
    ids = [row["id"] for row in documents]
    mine = policy_versions.c.policy_id.in_(ids)
    versions: dict[UUID, dict[int, StoredVersion]] = defaultdict(dict)
    for row in connection.execute(select(policy_versions).where(mine).order_by(policy_versions.c.number)).mappings():
        versions[row["policy_id"]][row["number"]] = _version(row)
    joined = select(policy_stages, policy_versions.c.policy_id, policy_versions.c.number).join(policy_versions)
    history: dict[UUID, list[StageChange]] = defaultdict(list)
    for row in connection.execute(joined.where(mine).order_by(policy_stages.c.id)).mappings():
        history[row["policy_id"]].append(_change(row))
    return [_policy(row, versions[row["id"]], history[row["id"]]) for row in documents]


def _policy(row: RowMapping, versions: Mapping[int, StoredVersion], history: Sequence[StageChange]) -> StoredPolicy:
    archived = row["archived_at"]
    return StoredPolicy(
        id=row["id"],
        name=row["name"],
        namespaces=tuple(row["namespaces"]),
        created_at_s=row["created_at"].timestamp(),
        created_by=row["created_by"],
        archived_at_s=None if archived is None else archived.timestamp(),
        version=row["version"],
        versions=versions,
        history=tuple(history),
    )


def _version(row: RowMapping) -> StoredVersion:
    return StoredVersion(
        id=row["id"],
        number=row["number"],
        spec=row["spec"],
        digest=row["digest"],
        author=row["author"],
        reason=row["reason"],
        parent=row["parent"],
        created_at_s=row["created_at"].timestamp(),
    )


def _change(row: RowMapping) -> StageChange:
    canary, guard = row["body"].get("canary"), row["body"].get("guard")
    return StageChange(
        number=row["number"],
        stage=Stage(row["stage"]),
        at_s=row["at"].timestamp(),
        actor=row["actor"],
        reason=row["reason"],
        canary=None if canary is None else _CANARY.validate_python(canary),
        guard=None if guard is None else _GUARD.validate_python(guard),
        by=row["body"].get("by"),
    )
