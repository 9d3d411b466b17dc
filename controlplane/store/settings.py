"""The installation's settings, as people left them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Engine, RowMapping, select
from sqlalchemy.dialects.postgresql import insert

from controlplane.domain.governance import SETTINGS, JsonValue
from controlplane.store.codec import timestamp
from controlplane.store.engine import transaction
from controlplane.store.tables import settings
from controlplane.store.unit import Unit, VersionMismatch


@dataclass(frozen=True, slots=True)
class StoredSetting:
    """One setting's value. `version` 0: nobody changed it, and it has its default."""

    name: str
    value: JsonValue
    version: int = 0
    changed_at_s: float | None = None
    changed_by: str | None = None


class GovernedSettings:
    """Reads and writes settings; writes are made within a `Unit`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def all(self) -> Mapping[str, StoredSetting]:
        """Every setting by name, in the order of `SETTINGS`."""
        with transaction(self._engine) as connection:
            rows = {row["name"]: _stored(row) for row in connection.execute(select(settings)).mappings()}
        return {name: rows.get(name, StoredSetting(name, one.default)) for name, one in SETTINGS.items()}

    def get(self, name: str) -> StoredSetting:
        """One.

        Raises:
            KeyError: if there is none of that name.
        """
        return self.all()[name]

    @staticmethod
    def change(unit: Unit, name: str, version: int, value: JsonValue) -> StoredSetting:
        """Another value, checked by the caller; `version` is the one that was read.

        Raises:
            VersionMismatch: if somebody changed it since.
        """
        values = {"value": value, "changed_at": timestamp(unit.now_s), "changed_by": unit.request.principal.id}
        if version:
            try:
                return _stored(unit.changed(settings, f"settings/{name}", name, version, values))
            except KeyError:
                raise VersionMismatch(f"settings/{name}", version, 0) from None
        first = insert(settings).values({"name": name, **values}).on_conflict_do_nothing().returning(settings)
        row = unit.connection.execute(first).mappings().first()
        if row is None:
            current = unit.connection.execute(select(settings.c.version).where(settings.c.name == name)).scalar_one()
            raise VersionMismatch(f"settings/{name}", version, current)
        return _stored(row)


def _stored(row: RowMapping) -> StoredSetting:
    return StoredSetting(row["name"], row["value"], row["version"], row["changed_at"].timestamp(), row["changed_by"])
