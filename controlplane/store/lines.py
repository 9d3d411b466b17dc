"""What lists and charts show of ticks, from columns alone: no tick is read whole for them.

Every statement names its target by number and its times, so that PostgreSQL steps down one index of the few days asked
for, and joins the dictionary of texts to a page, not to a history.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Row,
    ScalarSelect,
    Select,
    column,
    func,
    literal,
    literal_column,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP

from controlplane.domain.decision import Verdict
from controlplane.store.codec import timestamp
from controlplane.store.tables import tick_rows, tick_targets, tick_texts
from controlplane.store.tables.ticks import VERDICTS
from controlplane.store.tick_columns import VariantCount, fleet_of, unpack_ids

CHART = (
    "planned_requests_per_s",
    "forecast_ahead_s",
    "forecast_p10",
    "forecast_p50",
    "forecast_p90",
    "waiting",
    "running",
    "kv_usage",
    "ttft_p50_s",
    "ttft_p99_s",
    "tpot_p50_s",
    "tpot_p99_s",
)
"""Columns that charts draw beside those of lists."""
_IDS = ("sequence", "chain", "target_id", "at", "ids", "text_id", "fleet_id")
_SHOWN = (*_IDS, "verdict", "applied", "numbers", "fleet", "requests_per_s", "attainment", "usd_per_hour")


class BadCursor(ValueError):
    """A cursor that this API did not give."""

    def __init__(self, value: str) -> None:
        super().__init__(f"cursor is {value!r}; allowed: next_cursor of a page before")
        self.value = value


@dataclass(frozen=True, slots=True)
class TickFilter:
    """Which ticks of a target; times are unix seconds, `until_s` is not included."""

    target: str
    verdicts: tuple[Verdict, ...] = ()
    since_s: float | None = None
    until_s: float | None = None


@dataclass(frozen=True, slots=True)
class TickLine:
    """What a list shows of a tick."""

    id: str
    target: str
    at_s: float
    verdict: Verdict
    reason: str
    fleet: Mapping[str, VariantCount]
    requests_per_s: float | None
    attainment: float | None
    usd_per_hour: float
    applied: bool


@dataclass(frozen=True, slots=True)
class ChartPoint:
    """What charts draw of a tick beside its line. The forecast is of the peak of requests/s until `forecast_at_s`."""

    planned_requests_per_s: float | None
    forecast_at_s: float | None
    forecast_p10: float | None
    forecast_p50: float | None
    forecast_p90: float | None
    waiting: float | None
    running: float | None
    kv_usage: float | None
    ttft_p50_s: float | None
    ttft_p99_s: float | None
    tpot_p50_s: float | None
    tpot_p99_s: float | None


@dataclass(frozen=True, slots=True)
class ChartPage:
    """A stretch of a target's ticks, oldest first: a line and a point for each."""

    lines: tuple[TickLine, ...]
    charts: tuple[ChartPoint, ...]


def target_number(key: str) -> ScalarSelect[int]:
    """The number of a target's rows."""
    return select(tick_targets.c.id).where(tick_targets.c.key == key).scalar_subquery()


def conditions(wanted: TickFilter) -> list[ColumnElement[bool]]:
    """Which rows of the ledger are wanted."""
    found: list[ColumnElement[bool]] = [tick_rows.c.target_id == target_number(wanted.target)]
    if wanted.since_s is not None:
        found.append(tick_rows.c.at >= timestamp(wanted.since_s))
    if wanted.until_s is not None:
        found.append(tick_rows.c.at < timestamp(wanted.until_s))
    return found + (_of_verdicts(wanted.verdicts) if wanted.verdicts else [])


def _of_verdicts(verdicts: Sequence[Verdict]) -> list[ColumnElement[bool]]:
    """Written out, not as parameters, so that PostgreSQL sees that the index of changes has them all."""
    numbers = sorted({VERDICTS.index(v.value) for v in verdicts})
    verdict = tick_rows.c.verdict
    found = [verdict != literal_column("0")] if numbers[0] else []
    if numbers == list(range(numbers[0], numbers[-1] + 1)):
        return [*found, verdict >= literal_column(str(numbers[0])), verdict <= literal_column(str(numbers[-1]))]
    return [*found, verdict.in_([literal_column(str(number)) for number in numbers])]


def page_of(columns: Sequence[ColumnElement[Any]], wanted: TickFilter, cursor: str | None, limit: int) -> Select[Any]:
    """Rows newest first, one more than `limit` where there are more.

    Raises:
        BadCursor: if `cursor` is not one of ours.
    """
    row = tick_rows.c
    statement = select(*columns).where(*conditions(wanted))
    if cursor is not None:
        at, sequence = _place(cursor)
        # The first condition is what partitions and indexes are chosen by.
        statement = statement.where(row.at <= at, tuple_(row.at, row.sequence) < tuple_(at, sequence))
    return statement.order_by(row.at.desc(), row.sequence.desc()).limit(limit + 1)


def line_page(connection: Connection, wanted: TickFilter, cursor: str | None, limit: int) -> list[Row[Any]]:
    """Rows for `line_of`, newest first, one more than `limit` where there are more."""
    page = page_of([tick_rows.c[name] for name in _SHOWN], wanted, cursor, limit).subquery("page")
    return list(connection.execute(_spoken(page).order_by(page.c.at.desc(), page.c.sequence.desc())))


def lines_since(connection: Connection, sequence: int, limit: int) -> list[Row[Any]]:
    """Rows for `line_of` that were recorded after a sequence, in the order of arrival."""
    page = select(*(tick_rows.c[name] for name in _SHOWN)).where(tick_rows.c.sequence > sequence)
    newer = page.order_by(tick_rows.c.sequence).limit(limit).subquery("page")
    statement = (
        _spoken(newer).add_columns(tick_targets.c.key).join(tick_targets, tick_targets.c.id == newer.c.target_id)
    )
    return list(connection.execute(statement.order_by(newer.c.sequence)))


def chart_page(connection: Connection, wanted: TickFilter, points: int) -> ChartPage:
    """At most `points` ticks, oldest first: the last of each of so many stretches of equal length."""
    columns = [tick_rows.c[name] for name in (*_SHOWN, *CHART)]
    page = thinned_rows(connection, columns, wanted, points).subquery("page")
    rows = connection.execute(_spoken(page).order_by(page.c.at, page.c.sequence)).all()
    return ChartPage(tuple(line_of(row, wanted.target) for row in rows), tuple(_point(row) for row in rows))


def thinned_rows(
    connection: Connection, columns: Sequence[ColumnElement[Any]], wanted: TickFilter, points: int
) -> Select[Any]:
    """All rows where there are no more than `points`; else the last of each of so many stretches of equal length."""
    row, inside = tick_rows.c, conditions(wanted)
    some = select(literal_column("1")).where(*inside).limit(points + 1).subquery()
    if connection.execute(select(func.count()).select_from(some)).scalar_one() <= points:
        return select(*columns).where(*inside)
    oldest, newest = (select(row.at).where(*inside).order_by(order).limit(1) for order in (row.at, row.at.desc()))
    first, last = connection.execute(select(oldest.scalar_subquery(), newest.scalar_subquery())).one()
    stretch = _stretches(first, last + timedelta(microseconds=1), points)
    last_of = (
        select(*columns)
        .where(*inside, row.at >= first, row.at <= last, row.at >= stretch.c.since, row.at < stretch.c.until)
        .order_by(row.at.desc(), row.sequence.desc())
        .limit(1)
        .lateral("last_of")
    )
    return select(*last_of.c).select_from(stretch.join(last_of, true()))


def _stretches(first: datetime, end: datetime, points: int) -> FromClause:
    """`points` stretches from `first` to `end`, as rows `since` and `until`."""
    edges = [first + (end - first) * (place / points) for place in range(points)] + [end]
    times = ARRAY(TIMESTAMP(timezone=True))
    columns = (column(name, TIMESTAMP(timezone=True)) for name in ("since", "until"))
    rows = func.unnest(literal(edges[:-1], times), literal(edges[1:], times))
    return rows.table_valued(*columns, name="stretch").render_derived()


def line_of(row: Row[Any], target: str) -> TickLine:
    """A row of `line_page` or `lines_since`."""
    numbers = tuple(row.numbers.split(" ")) if row.numbers else ()
    return TickLine(
        id=unpack_ids(bytes(row.ids))[1],
        target=target,
        at_s=row.at.timestamp(),
        verdict=Verdict(VERDICTS[row.verdict]),
        reason=row.words % numbers,
        fleet=fleet_of(row.fleet_words, row.fleet),
        requests_per_s=row.requests_per_s,
        attainment=row.attainment,
        usd_per_hour=row.usd_per_hour,
        applied=row.applied,
    )


def following(rows: Sequence[Row[Any]], limit: int) -> str | None:
    """The cursor of the next page, where there is one."""
    if len(rows) <= limit:
        return None
    last = rows[limit - 1]
    at_us = round((last.at - _EPOCH) / timedelta(microseconds=1))
    return base64.urlsafe_b64encode(f"{at_us}.{last.sequence}".encode()).decode().rstrip("=")


def _spoken(page: FromClause) -> Select[Any]:
    """A page's columns with the words of its reasons and fleets."""
    reason, fleet = tick_texts.alias("reason"), tick_texts.alias("fleet_text")
    columns = (*page.c, reason.c.text.label("words"), fleet.c.text.label("fleet_words"))
    joined = page.join(reason, reason.c.id == page.c.text_id).join(fleet, fleet.c.id == page.c.fleet_id)
    return select(*columns).select_from(joined)


def _point(row: Row[Any]) -> ChartPoint:
    ahead_s = row.forecast_ahead_s
    rest = {name: getattr(row, name) for name in CHART if name != "forecast_ahead_s"}
    return ChartPoint(forecast_at_s=None if ahead_s is None else row.at.timestamp() + ahead_s, **rest)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_SEQUENCE = 2**63 - 1
"""The column's largest number; the database refuses a larger one."""
_LAST_US = 253_402_300_799_000_000
"""The end of the year 9999, of which Python's calendar knows no more."""


def _place(cursor: str) -> tuple[datetime, int]:
    try:
        at_us, _, sequence = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition(".")
        place = int(at_us), int(sequence)
    except (ValueError, binascii.Error) as error:
        raise BadCursor(cursor) from error
    if not (0 <= place[0] <= _LAST_US and 0 <= place[1] <= _MAX_SEQUENCE):
        raise BadCursor(cursor)
    return _EPOCH + timedelta(microseconds=place[0]), place[1]
