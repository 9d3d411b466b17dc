"""What the controller reads of policies, and writes of what versions would have decided."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Engine, RowMapping, delete, insert, select

from controlplane.domain.decision import Verdict
from controlplane.domain.governed import Governed, ShadowTick
from controlplane.domain.policy_life import Stage
from controlplane.store.codec import timestamp
from controlplane.store.engine import transaction
from controlplane.store.policies import Policies, StoredPolicy
from controlplane.store.resources import note_gone
from controlplane.store.tables import shadow_ticks

BESIDE = (Stage.SHADOW, Stage.CANARY, Stage.LIVE)
FORGET_BATCH = 5000
"""Rows that are deleted in one transaction: a few tens of milliseconds of locks."""


class PostgresPolicySource:
    """`PolicySource` over the database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def governed(self) -> tuple[Governed, ...]:
        """See `PolicySource`; by policy, ascending by number."""
        return tuple(one for policy in Policies(self._engine).open() for one in governed_of(policy))

    def note_present(self, keys: Sequence[str], now_s: float) -> None:
        """See `PolicySource`."""
        with transaction(self._engine) as connection:
            note_gone(connection, keys, now_s)

    def append(self, ticks: Sequence[ShadowTick]) -> None:
        """See `PolicySource`; in one transaction."""
        rows = [
            {
                "version_id": UUID(tick.version_id),
                "target": tick.target,
                "at": timestamp(tick.at_s),
                "tick_id": tick.tick_id,
                "verdict": tick.verdict.value,
                "reason": tick.reason,
                "desired": tick.desired,
                "usd_per_hour": tick.usd_per_hour,
                "planned_requests_per_s": tick.planned_requests_per_s,
                "body": {"live_desired": tick.live_desired, "feasible": tick.feasible},
            }
            for tick in ticks
        ]
        with transaction(self._engine) as connection:
            connection.execute(insert(shadow_ticks), rows)


def governed_of(policy: StoredPolicy) -> Iterator[Governed]:
    """The versions of a policy that the controller has to know of."""
    for number, stage in sorted(policy.life.stages.items()):
        if stage in BESIDE:
            version, since = policy.versions[number], policy.since(number)
            yield Governed(
                version_id=str(version.id),
                policy_id=str(policy.id),
                name=policy.name,
                number=number,
                stage=stage,
                namespaces=policy.namespaces,
                spec=version.spec,
                canary=since.canary,
            )


@dataclass(frozen=True, slots=True)
class StoredShadowTick:
    """A row and its cursor."""

    id: int
    tick: ShadowTick


class ShadowTicks:
    """Reads what versions would have decided."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def page(
        self,
        version_id: UUID,
        target: str | None,
        since_s: float | None,
        until_s: float | None,
        before: int | None,
        limit: int,
    ) -> list[StoredShadowTick]:
        """So many of a version, newest first, with ids below `before`."""
        table = shadow_ticks
        statement = select(table).where(table.c.version_id == version_id).order_by(table.c.id.desc()).limit(limit)
        if target is not None:
            statement = statement.where(table.c.target == target)
        if since_s is not None:
            statement = statement.where(table.c.at >= timestamp(since_s))
        if until_s is not None:
            statement = statement.where(table.c.at < timestamp(until_s))
        if before is not None:
            statement = statement.where(table.c.id < before)
        with transaction(self._engine) as connection:
            return [_stored(row) for row in connection.execute(statement).mappings()]

    def forget(self, before_s: float) -> int:
        """Delete a batch of what is older; returns how many went."""
        old = select(shadow_ticks.c.id).where(shadow_ticks.c.at < timestamp(before_s)).limit(FORGET_BATCH)
        with transaction(self._engine) as connection:
            gone = connection.execute(delete(shadow_ticks).where(shadow_ticks.c.id.in_(old)))
            return gone.rowcount


def _stored(row: RowMapping) -> StoredShadowTick:
    tick = ShadowTick(
        version_id=str(row["version_id"]),
        target=row["target"],
        at_s=row["at"].timestamp(),
        tick_id=row["tick_id"],
        verdict=Verdict(row["verdict"]),
        reason=row["reason"],
        desired=row["desired"],
        usd_per_hour=row["usd_per_hour"],
        planned_requests_per_s=row["planned_requests_per_s"],
        live_desired=row["body"].get("live_desired", {}),
        feasible=row["body"].get("feasible", True),
    )
    return StoredShadowTick(row["id"], tick)
