"""Channels, and the messages that are owed to them.

A message is owed in the transaction of what it tells of, and sent after it by a worker: a service that is away loses
nothing, and a transaction that fails tells nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, Engine, RowMapping, and_, delete, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql

from controlplane.domain.ports import NotificationEvent
from controlplane.store.codec import timestamp
from controlplane.store.engine import transaction
from controlplane.store.tables import deliveries, notification_channels
from controlplane.store.unit import Unit, VersionMismatch

WINDOW_S = {NotificationEvent.BUDGET: 86_400.0}
DEFAULT_WINDOW_S = 3600.0
"""Seconds of the controller's clock in which the same event of the same subject is told once: an hour, as alert
managers repeat; a budget once a day."""
MAX_ATTEMPTS = 6
FIRST_RETRY_S = 30.0
"""Real seconds, doubled each time: the last attempt is a quarter of an hour after the first."""
TEST = "Test"
"""The event of a test message."""


@dataclass(frozen=True, slots=True)
class StoredChannel:
    """One way to tell people. `namespaces` None: of every one. `url` holds secrets."""

    id: UUID
    name: str
    url: str
    events: tuple[NotificationEvent, ...]
    namespaces: tuple[str, ...] | None
    enabled: bool
    created_at_s: float
    created_by: str
    version: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one channel. `sent_at_s` is real, `at_s` on the controller's clock."""

    id: int
    event: str
    subject: str
    message: str
    at_s: float
    attempts: int
    sent_at_s: float | None
    error: str | None


@dataclass(frozen=True, slots=True)
class NewChannel:
    """What a person says of a channel."""

    name: str
    url: str
    events: tuple[NotificationEvent, ...]
    namespaces: tuple[str, ...] | None
    enabled: bool

    @property
    def columns(self) -> dict[str, Any]:
        """As a row's."""
        return {
            "name": self.name,
            "url": self.url,
            "events": [event.value for event in self.events],
            "namespaces": None if self.namespaces is None else list(self.namespaces),
            "enabled": self.enabled,
        }


class Channels:
    """Reads and writes channels."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def all(self) -> list[StoredChannel]:
        """Every one, by name."""
        with transaction(self._engine) as connection:
            rows = connection.execute(select(notification_channels).order_by(notification_channels.c.name)).mappings()
            return [_channel(row) for row in rows]

    def get(self, channel_id: UUID) -> StoredChannel | None:
        """One; None where there is none of that id."""
        return next((one for one in self.all() if one.id == channel_id), None)

    def deliveries(self, channel_id: UUID, limit: int) -> list[Delivery]:
        """A channel's newest messages."""
        statement = select(deliveries).where(deliveries.c.channel_id == channel_id)
        with transaction(self._engine) as connection:
            rows = connection.execute(statement.order_by(deliveries.c.id.desc()).limit(limit)).mappings()
            return [_delivery(row) for row in rows]

    @staticmethod
    def create(unit: Unit, new: NewChannel) -> StoredChannel | None:
        """A new one; None where the name is taken."""
        made = {"id": uuid4(), "created_at": timestamp(unit.now_s), "created_by": unit.request.principal.id}
        statement = postgresql.insert(notification_channels).values(**new.columns, **made)
        statement = statement.on_conflict_do_nothing(index_elements=["name"])
        row = unit.connection.execute(statement.returning(notification_channels)).mappings().first()
        return None if row is None else _channel(row)

    @staticmethod
    def change(unit: Unit, channel_id: UUID, version: int, new: NewChannel) -> StoredChannel:
        """Make it another.

        Raises:
            VersionMismatch, KeyError: see `Unit.changed`.
        """
        where = f"notification-channels/{channel_id}"
        return _channel(unit.changed(notification_channels, where, channel_id, version, new.columns))

    @staticmethod
    def delete(unit: Unit, channel: StoredChannel, version: int) -> None:
        """Take it away, with what it was owed.

        Raises:
            VersionMismatch: if somebody else changed it since.
        """
        own = (notification_channels.c.id == channel.id, notification_channels.c.version == version)
        gone = unit.connection.execute(delete(notification_channels).where(*own).returning(notification_channels.c.id))
        if gone.first() is None:
            raise VersionMismatch(f"notification-channels/{channel.id}", version, channel.version)

    @staticmethod
    def name_is_taken(unit: Unit, name: str, but: UUID) -> bool:
        """Whether another channel has that name."""
        other = (notification_channels.c.name == name, notification_channels.c.id != but)
        return unit.connection.execute(select(notification_channels.c.id).where(*other)).first() is not None


class OwedNotifier:
    """`Notifier` within a transaction: what is told stands or falls with it. `now_s` is on the controller's clock."""

    def __init__(self, connection: Connection, now_s: float) -> None:
        self._connection, self._now_s = connection, now_s

    def notify(self, event: NotificationEvent, subject: str, namespace: str | None, message: str) -> int:
        """See `Notifier`."""
        # Two who tell the same at once wait for one another, so that the second sees the first's rows.
        self._connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"{event}:{subject}"))))
        told = self._told(event, subject)
        rows = [
            self._row(c.id, event.value, subject, message) for c in self._wanting(event, namespace) if c.id not in told
        ]
        if rows:
            self._connection.execute(insert(deliveries), rows)
        return len(rows)

    def test(self, channel_id: UUID, message: str) -> None:
        """Owe one channel a test message, whatever it wants to know."""
        self._connection.execute(insert(deliveries), [self._row(channel_id, TEST, str(uuid4()), message)])

    def _told(self, event: NotificationEvent, subject: str) -> set[UUID]:
        since = timestamp(max(0.0, self._now_s - WINDOW_S.get(event, DEFAULT_WINDOW_S)))
        same = (deliveries.c.event == event.value, deliveries.c.subject == subject, deliveries.c.at > since)
        return set(self._connection.execute(select(deliveries.c.channel_id).where(*same)).scalars())

    def _wanting(self, event: NotificationEvent, namespace: str | None) -> Sequence[StoredChannel]:
        rows = self._connection.execute(select(notification_channels).where(notification_channels.c.enabled)).mappings()
        found = [_channel(row) for row in rows]
        return [c for c in found if event in c.events and (c.namespaces is None or namespace in c.namespaces)]

    def _row(self, channel_id: UUID, event: str, subject: str, message: str) -> dict[str, Any]:
        at = timestamp(self._now_s)
        return {"channel_id": channel_id, "event": event, "subject": subject[:512], "message": message, "at": at}


def owe(engine: Engine, now_s: float, told: Sequence[tuple[NotificationEvent, str, str | None, str]]) -> int:
    """Owe messages (event, subject, namespace, words), each in a transaction of its own; how many are new."""
    new = 0
    for event, subject, namespace, message in told:
        with transaction(engine) as connection:
            new += OwedNotifier(connection, now_s).notify(event, subject, namespace, message)
    return new


def deliver_one(engine: Engine, send: Callable[[str, str, str], str | None]) -> bool:
    """Send the oldest message that is due; False where none is.

    The row is locked while it is sent, and other workers pass it by: each message is sent once, unless a worker dies
    between the service's answer and the commit.
    """
    due = and_(
        deliveries.c.sent_at.is_(None),
        deliveries.c.attempts < MAX_ATTEMPTS,
        or_(deliveries.c.retry_at.is_(None), deliveries.c.retry_at <= func.now()),
    )
    joined = deliveries.join(notification_channels, notification_channels.c.id == deliveries.c.channel_id)
    statement = select(deliveries, notification_channels.c.url).select_from(joined).where(due).order_by(deliveries.c.id)
    with transaction(engine) as connection:
        locked = statement.limit(1).with_for_update(of=deliveries, skip_locked=True)
        row = connection.execute(locked).mappings().first()
        if row is None:
            return False
        error = send(row["url"], f"Tidegate: {row['event']}", row["message"])
        connection.execute(update(deliveries).where(deliveries.c.id == row["id"]).values(_tried(row, error)))
    return True


def _tried(row: RowMapping, error: str | None) -> Mapping[str, Any]:
    attempts = row["attempts"] + 1
    if error is None:
        return {"attempts": attempts, "sent_at": func.clock_timestamp(), "error": None, "retry_at": None}
    wait = timedelta(seconds=FIRST_RETRY_S * 2 ** row["attempts"])
    return {"attempts": attempts, "error": error, "retry_at": func.clock_timestamp() + wait}


def _channel(row: RowMapping) -> StoredChannel:
    return StoredChannel(
        id=row["id"],
        name=row["name"],
        url=row["url"],
        events=tuple(NotificationEvent(name) for name in row["events"]),
        namespaces=None if row["namespaces"] is None else tuple(row["namespaces"]),
        enabled=row["enabled"],
        created_at_s=row["created_at"].timestamp(),
        created_by=row["created_by"],
        version=row["version"],
    )


def _delivery(row: RowMapping) -> Delivery:
    return Delivery(
        id=row["id"],
        event=row["event"],
        subject=row["subject"],
        message=row["message"],
        at_s=row["at"].timestamp(),
        attempts=row["attempts"],
        sent_at_s=None if row["sent_at"] is None else row["sent_at"].timestamp(),
        error=row["error"],
    )
