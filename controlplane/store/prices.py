"""Prices that people said over the catalog's, each with an end or until it is taken back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from uuid import uuid4

from sqlalchemy import Connection, Engine, RowMapping, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import distinct_on

from controlplane.domain.directives import PriceKind
from controlplane.store.codec import timestamp
from controlplane.store.engine import transaction
from controlplane.store.tables import catalog_overrides
from controlplane.store.unit import Unit, VersionMismatch


@dataclass(frozen=True, slots=True)
class StoredPrice:
    """The price of one thing that was said last, and its life. Money is exact.

    `version` counts what was said of this thing, so that an ETag never names two prices.
    """

    kind: PriceKind
    name: str
    usd_per_hour: Decimal | None
    spot_usd_per_hour: Decimal | None
    actor: str
    reason: str
    created_at_s: float
    expires_at_s: float | None
    ended_at_s: float | None
    version: int

    def active(self, now_s: float) -> bool:
        """Whether it holds at that time."""
        return self.ended_at_s is None and (self.expires_at_s is None or now_s < self.expires_at_s)


@dataclass(frozen=True, slots=True)
class NewPrice:
    """What a person says. An amount of None leaves the catalog's."""

    usd_per_hour: Decimal | None
    spot_usd_per_hour: Decimal | None
    expires_at_s: float | None
    actor: str
    reason: str


class Prices:
    """Reads and writes prices; writes are made within a `Unit`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def newest(self, kind: PriceKind) -> Mapping[str, StoredPrice]:
        """What was said last of every thing of a kind, by name; whether it still holds is for the reader to ask."""
        table = catalog_overrides
        statement = select(table).where(table.c.kind == kind.value).ext(distinct_on(table.c.name))
        statement = statement.order_by(table.c.name, table.c.version.desc())
        with transaction(self._engine) as connection:
            return {row["name"]: _stored(row) for row in connection.execute(statement).mappings()}

    def get(self, kind: PriceKind, name: str) -> StoredPrice | None:
        """What was said last of one; None where nothing was."""
        with transaction(self._engine) as connection:
            return _newest(connection, kind, name)

    @staticmethod
    def say(unit: Unit, kind: PriceKind, name: str, version: int, new: NewPrice) -> StoredPrice:
        """A new price instead of the one before; `version` is the one that was read, 0 where there never was one.

        Raises:
            VersionMismatch: if somebody said another since.
        """
        _close(unit, kind, name, version)
        amounts = {"usd_per_hour": new.usd_per_hour, "spot_usd_per_hour": new.spot_usd_per_hour}
        row = {
            "id": uuid4(),
            "kind": kind.value,
            "name": name,
            "body": {field: str(usd) for field, usd in amounts.items() if usd is not None},
            "actor": new.actor,
            "reason": new.reason,
            "created_at": timestamp(unit.now_s),
            "expires_at": None if new.expires_at_s is None else timestamp(new.expires_at_s),
            "version": version + 1,
        }
        statement = insert(catalog_overrides).values(row).returning(catalog_overrides)
        return _stored(unit.connection.execute(statement).mappings().one())

    @staticmethod
    def take_back(unit: Unit, kind: PriceKind, name: str, version: int) -> StoredPrice | None:
        """The catalog's price again; None where no price is in force.

        Raises:
            VersionMismatch: if somebody said another since.
        """
        before = _close(unit, kind, name, version, raised=1)
        return before if before is not None and before.active(unit.now_s) else None


def _close(unit: Unit, kind: PriceKind, name: str, version: int, raised: int = 0) -> StoredPrice | None:
    """Lock what is said of one thing, check what was read, end what is in force; returns it as it was."""
    lock = func.pg_advisory_xact_lock(func.hashtextextended(f"price/{kind.value}/{name}", 0))
    unit.connection.execute(select(lock))
    before = _newest(unit.connection, kind, name)
    current = 0 if before is None else before.version
    if current != version:
        raise VersionMismatch(f"the price of {name}", version, current)
    table = catalog_overrides
    values = {
        "ended_at": timestamp(unit.now_s),
        "ended_by": unit.request.principal.id,
        "version": version + raised,
    }
    mine = (table.c.kind == kind.value) & (table.c.name == name) & table.c.ended_at.is_(None)
    # One that has expired is left to the sweep, which tells the auditor.
    mine &= or_(table.c.expires_at.is_(None), table.c.expires_at > timestamp(unit.now_s))
    unit.connection.execute(update(table).where(mine).values(values))
    return before


def _newest(connection: Connection, kind: PriceKind, name: str) -> StoredPrice | None:
    table = catalog_overrides
    statement = select(table).where(table.c.kind == kind.value, table.c.name == name)
    row = connection.execute(statement.order_by(table.c.version.desc()).limit(1)).mappings().first()
    return None if row is None else _stored(row)


def _stored(row: RowMapping) -> StoredPrice:
    body: Mapping[str, str] = row["body"]
    expires, ended = row["expires_at"], row["ended_at"]
    return StoredPrice(
        kind=PriceKind(row["kind"]),
        name=row["name"],
        usd_per_hour=_decimal(body.get("usd_per_hour")),
        spot_usd_per_hour=_decimal(body.get("spot_usd_per_hour")),
        actor=row["actor"],
        reason=row["reason"],
        created_at_s=row["created_at"].timestamp(),
        expires_at_s=None if expires is None else expires.timestamp(),
        ended_at_s=None if ended is None else ended.timestamp(),
        version=row["version"],
    )


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
