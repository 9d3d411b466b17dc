"""Signs of life of processes, in the database's own time: their clocks may differ."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta

from sqlalchemy import Engine, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from controlplane.domain.presence import GONE_AFTER_S, Process, ProcessKind
from controlplane.store.engine import transaction
from controlplane.store.tables import processes

KEPT_S = 600.0
"""Real seconds for which one that is gone is still shown: long enough to be missed, short enough that pods of before an
update do not fill the page."""


@dataclass(frozen=True, slots=True)
class SeenProcess:
    """One and how long it has been silent, and there; real seconds."""

    process: Process
    silent_s: float
    age_s: float

    @property
    def alive(self) -> bool:
        """Whether it may be taken to be there."""
        return self.silent_s <= GONE_AFTER_S


class Processes:
    """Keeps and reads them; a `Roll`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def say(self, process: Process) -> None:
        """See `Roll`. Those that are long gone are forgotten with it."""
        row = {**asdict(process), "kind": process.kind.value}
        made = insert(processes).values(row)
        kept = made.on_conflict_do_update(index_elements=["name"], set_={**row, "seen_at": func.now()})
        long_gone = processes.c.seen_at < func.now() - timedelta(seconds=KEPT_S)
        with transaction(self._engine) as connection:
            connection.execute(kept)
            connection.execute(delete(processes).where(long_gone))

    def all(self) -> list[SeenProcess]:
        """By kind, those that were seen last first."""
        silent = func.extract("epoch", func.now() - processes.c.seen_at).label("silent_s")
        age = func.extract("epoch", func.now() - processes.c.first_seen_at).label("age_s")
        ordered = select(processes, silent, age).order_by(processes.c.kind, processes.c.seen_at.desc())
        with transaction(self._engine) as connection:
            rows = connection.execute(ordered).all()
        return [
            SeenProcess(
                Process(row.name, ProcessKind(row.kind), row.version, row.leads, row.busy, row.spooled),
                max(0.0, float(row.silent_s)),
                max(0.0, float(row.age_s)),
            )
            for row in rows
        ]
