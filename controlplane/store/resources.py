"""The policies of custom resources, as the controller mirrors them: for those who read, never to be written here."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy import Connection, Engine, and_, select, update

from controlplane.domain.target import Target
from controlplane.store.codec import POLICY, TARGET, timestamp
from controlplane.store.engine import transaction
from controlplane.store.tables import policies, targets


@dataclass(frozen=True, slots=True)
class MirroredVersion:
    """What a resource once said, `number` 1, 2, 3... by when it was first seen. `policy` as in the targets' JSON."""

    number: int
    digest: str
    policy: Mapping[str, Any]
    first_seen_at_s: float


@dataclass(frozen=True, slots=True)
class MirroredPolicy:
    """A custom resource and the policies that it had."""

    target: Target
    versions: tuple[MirroredVersion, ...]

    @property
    def id(self) -> UUID:
        """The same for the same `namespace/name`, always."""
        return mirrored_id(self.target.key)

    @property
    def live(self) -> int:
        """The number of what it says now: the newest, unless it went back to an older one."""
        text = json.dumps(POLICY.dump_python(self.target.policy, mode="json"), sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        newest = max((v.number for v in self.versions), default=0)
        return next((v.number for v in self.versions if v.digest == digest), newest)


def mirrored_id(key: str) -> UUID:
    """The id under which the API shows the custom resource `namespace/name`."""
    return uuid5(NAMESPACE_URL, f"tidegate.io/inferenceautoscalers/{key}")


class Resources:
    """Reads what custom resources said."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def all(self) -> list[MirroredPolicy]:
        """Every custom resource that is still there, by key."""
        statement = select(targets.c.key, targets.c.body).where(_of_resources()).order_by(targets.c.key)
        with transaction(self._engine) as connection:
            found = {row.key: TARGET.validate_python(row.body) for row in connection.execute(statement)}
            versions = _versions(connection, list(found))
        return [MirroredPolicy(target, tuple(versions[key])) for key, target in found.items()]

    def get(self, resource_id: UUID) -> MirroredPolicy | None:
        """One by its id; None where there is none."""
        with transaction(self._engine) as connection:
            keys = connection.execute(select(targets.c.key).where(_of_resources())).scalars().all()
        key = next((key for key in keys if mirrored_id(key) == resource_id), None)
        return None if key is None else next((one for one in self.all() if one.target.key == key), None)

    def naming(self, keys: Iterable[str]) -> tuple[Target, ...]:
        """Those of the targets that a custom resource names, by key."""
        with transaction(self._engine) as connection:
            return naming(connection, keys)


def naming(connection: Connection, keys: Iterable[str]) -> tuple[Target, ...]:
    """As `Resources.naming`, within a transaction."""
    wanted = select(targets.c.body).where(targets.c.key.in_(sorted(keys)), _of_resources()).order_by(targets.c.key)
    return tuple(TARGET.validate_python(body) for body in connection.execute(wanted).scalars())


def note_gone(connection: Connection, present: Sequence[str], now_s: float) -> None:
    """Mark which mirrored targets nobody names any more, and which are named again."""
    there = targets.c.key.in_(list(present))
    gone = update(targets).where(~there, targets.c.gone_at.is_(None)).values(gone_at=timestamp(now_s))
    connection.execute(gone)
    connection.execute(update(targets).where(there, targets.c.gone_at.is_not(None)).values(gone_at=None))


def _of_resources() -> Any:
    return and_(targets.c.body["policy_version"].astext.is_(None), targets.c.gone_at.is_(None))


def _versions(connection: Connection, keys: Sequence[str]) -> dict[str, list[MirroredVersion]]:
    made: dict[str, list[MirroredVersion]] = defaultdict(list)
    ordered = select(policies).where(policies.c.target.in_(keys)).order_by(policies.c.first_seen_at, policies.c.id)
    for row in connection.execute(ordered).mappings():
        before = made[row["target"]]
        at_s = row["first_seen_at"].timestamp()
        before.append(MirroredVersion(len(before) + 1, row["digest"], row["body"], at_s))
    return made
