"""When a schedule's window is open: cron expressions in a time zone, days of daylight saving time included.

An expression that names an hour fires once on each local day, as Debian's cron does: a time that a clock's change
leaves out fires right after the gap, one that comes twice fires the first time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from controlplane.domain.target import Schedule

CLOCK_CHANGE_S = 3 * 3600.0
"""No clock is put forward or back by more. Searches begin so far beyond `now`, lest they begin within an hour that
comes twice, where a local time does not say which of the two it is."""


class ScheduleError(ValueError):
    """A schedule that cannot be read; the message names its field, the value and what is allowed."""


@dataclass(frozen=True, slots=True)
class Window:
    """`opened_at_s` is when the open window began, None: it is shut; `opens_at_s` when the next one begins, None: never
    (unix seconds)."""

    opened_at_s: float | None
    opens_at_s: float | None


def window(schedule: Schedule, now_s: float) -> Window:
    """The schedule's window at `now_s`: open from the last `start` until the next `end`. Both at once: shut.

    Raises:
        ScheduleError: if an expression or the time zone cannot be read.
    """
    started_s = last_fire(schedule.start, schedule.time_zone, now_s, "start")
    ended_s = last_fire(schedule.end, schedule.time_zone, now_s, "end")
    is_open = started_s is not None and (ended_s is None or started_s > ended_s)
    opens_s = next_fire(schedule.start, schedule.time_zone, now_s, "start")
    return Window(started_s if is_open else None, opens_s)


def last_fire(expression: str, time_zone: str, now_s: float, field: str = "cron") -> float | None:
    """When the expression fired last, `now_s` included, unix seconds; None where it has not in fifty years.

    Raises:
        ScheduleError: as `window`.
    """
    fires = _fires(expression, time_zone, now_s + CLOCK_CHANGE_S, True, field)
    return next((at_s for at_s in fires if at_s <= now_s), None)


def next_fire(expression: str, time_zone: str, now_s: float, field: str = "cron") -> float | None:
    """When it fires next, after `now_s`; None where it does not in fifty years.

    Raises:
        ScheduleError: as `window`.
    """
    fires = _fires(expression, time_zone, now_s - CLOCK_CHANGE_S, False, field)
    return next((at_s for at_s in fires if at_s > now_s), None)


def local_words(at_s: float, time_zone: str) -> str:
    """A time as people in the zone say it, e.g. `08:00 Europe/Berlin`."""
    return f"{datetime.fromtimestamp(at_s, _zone(time_zone)):%H:%M} {time_zone}"


def _fires(expression: str, time_zone: str, from_s: float, backwards: bool, field: str) -> Iterator[float]:
    start = datetime.fromtimestamp(int(from_s), _zone(time_zone))
    try:
        fires = CronSim(expression, start, reverse=backwards)
    except CronSimError as error:
        raise ScheduleError(
            f"{field} is {expression!r} ({error}); allowed: a cron expression of five fields"
        ) from error
    return (at.timestamp() for at in fires)


def _zone(time_zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ScheduleError(f"timeZone is {time_zone!r}; allowed: a name as Europe/Berlin or UTC") from error
