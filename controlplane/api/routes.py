"""What the API answers: one function a path, over the reader and the clock that the application holds."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse

from controlplane.api import present
from controlplane.api.events import event_stream
from controlplane.api.problems import MISSING, NotFound, bad_value
from controlplane.api.views import Fleet, TargetSeries, TargetSummary, TickDetail, TickPage
from controlplane.domain.decision import Verdict
from controlplane.domain.ports import Clock
from controlplane.store.queries import Queries, TargetRow, TickFilter

DEFAULT_RANGE_S = 6 * 3600.0
"""The charts' range where none is asked for."""
YEAR_10000_S = 253_402_300_800.0
"""The first moment that a datetime cannot hold, unix seconds."""

router = APIRouter(prefix="/api/v1")


def _queries(request: Request) -> Queries:
    found: Queries = request.app.state.queries
    return found


def _clock(request: Request) -> Clock:
    found: Clock = request.app.state.clock
    return found


Reader = Annotated[Queries, Depends(_queries)]
TheClock = Annotated[Clock, Depends(_clock)]


def _moment(value: str | None, field: str) -> float | None:
    """Unix seconds or RFC 3339."""
    if value is None:
        return None
    try:
        number = float(value)
    except ValueError:
        pass
    else:
        if not 0 <= number < YEAR_10000_S:
            raise bad_value(field, value, f"unix seconds from 0 to {YEAR_10000_S:.0f}, or RFC 3339")
        return number
    try:
        moment = datetime.fromisoformat(value.replace(" ", "+"))
    except ValueError:
        raise bad_value(field, value, "unix seconds, or RFC 3339 with a time zone") from None
    if moment.tzinfo is None:
        raise bad_value(field, value, "RFC 3339 with a time zone, e.g. ending in Z")
    return moment.timestamp()


class _Range:
    """`since` and `until` of a request."""

    def __init__(
        self,
        since: Annotated[str | None, Query(description="unix seconds or RFC 3339; included")] = None,
        until: Annotated[str | None, Query(description="unix seconds or RFC 3339; not included")] = None,
    ) -> None:
        self.since_s = _moment(since, "since")
        self.until_s = _moment(until, "until")
        if self.since_s is not None and self.until_s is not None and self.since_s >= self.until_s:
            raise bad_value("since", str(since), "a time before `until`")


def _row(queries: Queries, clock: Clock, namespace: str, name: str) -> TargetRow:
    key = f"{namespace}/{name}"
    found = next((row for row in queries.target_rows(clock.now_s()) if row.target.key == key), None)
    if found is None:
        raise NotFound(f"there is no target {key}")
    return found


@router.get("/fleet", tags=["fleet"])
def fleet(queries: Reader, clock: TheClock) -> Fleet:
    """Every target with its newest decision, and the sums over all."""
    return present.fleet(queries.target_rows(clock.now_s()), clock)


@router.get("/targets", tags=["targets"])
def targets(queries: Reader, clock: TheClock) -> list[TargetSummary]:
    """Every target, by namespace and name."""
    return [present.target_summary(row) for row in queries.target_rows(clock.now_s())]


@router.get("/targets/{namespace}/{name}", tags=["targets"], responses=MISSING)
def target(namespace: str, name: str, queries: Reader, clock: TheClock) -> TargetSummary:
    """One target."""
    return present.target_summary(_row(queries, clock, namespace, name))


@router.get("/targets/{namespace}/{name}/ticks", tags=["ticks"], responses=MISSING)
def ticks(
    namespace: str,
    name: str,
    queries: Reader,
    clock: TheClock,
    between: Annotated[_Range, Depends()],
    verdict: Annotated[list[Verdict] | None, Query(description="may be repeated")] = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> TickPage:
    """Decisions of a target, newest first."""
    key = _row(queries, clock, namespace, name).target.key
    wanted = TickFilter(key, tuple(verdict or ()), between.since_s, between.until_s)
    found, following = queries.tick_page(wanted, cursor, limit)
    return TickPage(tuple(present.tick_summary(tick) for tick in found), following)


@router.get("/targets/{namespace}/{name}/series", tags=["targets"], responses=MISSING)
def series(
    namespace: str,
    name: str,
    queries: Reader,
    clock: TheClock,
    between: Annotated[_Range, Depends()],
    points: Annotated[int, Query(ge=2, le=5000)] = 1000,
) -> TargetSeries:
    """Columns for charts; the last six hours where no range is given."""
    row = _row(queries, clock, namespace, name)
    until_s = clock.now_s() + 1.0 if between.until_s is None else between.until_s
    since_s = until_s - DEFAULT_RANGE_S if between.since_s is None else between.since_s
    found = queries.thinned(TickFilter(row.target.key, (), since_s, until_s), points)
    return present.target_series(row.target, found)


@router.get("/ticks/{tick_id}", tags=["ticks"], responses=MISSING)
def tick(tick_id: str, queries: Reader) -> TickDetail:
    """One decision with every input, its trail, and what became of it."""
    found = queries.tick(tick_id)
    if found is None:
        raise NotFound(f"there is no tick {tick_id}")
    return present.tick_detail(found)


@router.get("/events", tags=["events"], response_class=StreamingResponse)
async def events(request: Request, clock: TheClock) -> StreamingResponse:
    """Server-sent events: `tick` with a TickSummary, and `heartbeat` with the controller's clock."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Content-Encoding": "identity"}
    stream = event_stream(request.app.state.feed, clock)
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)
