"""`Tasks` over a Celery broker, and its fake."""

from __future__ import annotations

import logging

from celery import Celery
from kombu.exceptions import ChannelError, OperationalError

_log = logging.getLogger(__name__)
BROKER_TIMEOUT_S = 2.0
"""Real seconds that a request waits for a broker that is away: the sweep sends what it could not."""


class CeleryTasks:
    """See `Tasks`. Connects at the first task."""

    def __init__(self, broker_url: str) -> None:
        self._app = Celery("tidegate-sender", broker=broker_url, set_as_current=False)
        self._app.conf.update(
            task_ignore_result=True,
            broker_connection_timeout=BROKER_TIMEOUT_S,
            broker_transport_options={"socket_connect_timeout": BROKER_TIMEOUT_S, "socket_timeout": BROKER_TIMEOUT_S},
        )

    def send(self, name: str, *arguments: str) -> bool:
        """See `Tasks`."""
        try:
            self._app.send_task(name, args=arguments, retry=False)
        except (OperationalError, OSError) as error:
            _log.warning("the broker does not answer, so task %s waits for the sweep: %s", name, error)
            return False
        return True

    def waiting(self) -> int | None:
        """See `Tasks`."""
        queue = self._app.amqp.queues[self._app.conf.task_default_queue]
        with self._app.connection_for_read() as connection:
            try:
                connection.ensure_connection(max_retries=1, timeout=BROKER_TIMEOUT_S)
                return int(queue(connection.default_channel).queue_declare(passive=True).message_count)
            except ChannelError:
                return 0  # a queue that nothing waits in is not there
            except (OperationalError, *connection.connection_errors) as error:
                _log.warning("the broker does not answer: %s", error)
                return None


class NoTasks:
    """`Tasks` where there is no broker: everything waits for a sweep."""

    def send(self, name: str, *arguments: str) -> bool:  # noqa: ARG002 (the port's)
        """See `Tasks`."""
        return False

    def waiting(self) -> int | None:
        """See `Tasks`."""
        return None


class RecordedTasks:
    """`Tasks` that only notes what was sent; set `away` to refuse it."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, ...]] = []
        self.away = False

    def send(self, name: str, *arguments: str) -> bool:
        """See `Tasks`."""
        if not self.away:
            self.sent.append((name, *arguments))
        return not self.away

    def waiting(self) -> int | None:
        """See `Tasks`."""
        return None if self.away else len(self.sent)
