"""What versions of policies came to, as workers simulated it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, RowMapping, insert, select
from sqlalchemy.dialects.postgresql import distinct_on

from controlplane.store.codec import timestamp
from controlplane.store.engine import transaction
from controlplane.store.tables import policy_regrets

WHY_NOT = "why_not"


@dataclass(frozen=True, slots=True)
class StoredRegret:
    """One comparison. `body` is the regret's JSON, or `{WHY_NOT: why it could not be made}`."""

    id: int
    version_id: UUID
    target: str
    since_s: float
    until_s: float
    made_at_s: float
    body: dict[str, Any]


class Regrets:
    """Keeps comparisons; the newest of each version and target counts."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def save(
        self, version_id: UUID, target: str, window: tuple[float, float], made_at_s: float, body: dict[str, Any]
    ) -> None:
        """One more."""
        row = {
            "version_id": version_id,
            "target": target,
            "since": timestamp(window[0]),
            "until": timestamp(window[1]),
            "made_at": timestamp(made_at_s),
            "body": body,
        }
        with transaction(self._engine) as connection:
            connection.execute(insert(policy_regrets).values(row))

    def newest(self, version_ids: Sequence[UUID]) -> list[StoredRegret]:
        """The newest of each target of those versions, by version and target."""
        table = policy_regrets
        statement = select(table).ext(distinct_on(table.c.version_id, table.c.target))
        statement = statement.where(table.c.version_id.in_(version_ids))
        statement = statement.order_by(table.c.version_id, table.c.target, table.c.made_at.desc(), table.c.id.desc())
        with transaction(self._engine) as connection:
            return [_stored(row) for row in connection.execute(statement).mappings()]


def _stored(row: RowMapping) -> StoredRegret:
    return StoredRegret(
        id=row["id"],
        version_id=row["version_id"],
        target=row["target"],
        since_s=row["since"].timestamp(),
        until_s=row["until"].timestamp(),
        made_at_s=row["made_at"].timestamp(),
        body=row["body"],
    )
