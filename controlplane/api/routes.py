"""What the API answers: one function a path, over the reader and the clock that the application holds."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse

from controlplane.api import present
from controlplane.api.events import HEADERS, event_stream
from controlplane.api.principals import Who, demand
from controlplane.api.problems import MISSING, NotFound
from controlplane.api.ranges import Range
from controlplane.api.views import Fleet, TargetSeries, TargetSummary, TickDetail, TickNeighbours, TickPage
from controlplane.domain.access import AccessRole, Principal
from controlplane.domain.decision import Verdict
from controlplane.domain.ports import Clock
from controlplane.store.queries import Queries, TargetRow, TickFilter

DEFAULT_RANGE_S = 6 * 3600.0
"""The charts' range where none is asked for."""
router = APIRouter(prefix="/api/v1")


def _queries(request: Request) -> Queries:
    found: Queries = request.app.state.queries
    return found


def _clock(request: Request) -> Clock:
    found: Clock = request.app.state.clock
    return found


Reader = Annotated[Queries, Depends(_queries)]
TheClock = Annotated[Clock, Depends(_clock)]


def seen_rows(queries: Queries, clock: Clock, who: Principal) -> list[TargetRow]:
    """The targets that they may see."""
    where = who.namespaces(AccessRole.VIEWER)
    rows = queries.target_rows(clock.now_s())
    return rows if where is None else [row for row in rows if row.target.namespace in where]


def _row(queries: Queries, clock: Clock, who: Principal, namespace: str, name: str) -> TargetRow:
    demand(who, AccessRole.VIEWER, namespace)
    key = f"{namespace}/{name}"
    found = next((row for row in queries.target_rows(clock.now_s()) if row.target.key == key), None)
    if found is None:
        raise NotFound(f"there is no target {key}")
    return found


@router.get("/fleet", tags=["fleet"])
def fleet(queries: Reader, clock: TheClock, who: Who) -> Fleet:
    """Every target that you may see with its newest decision, and the sums over them."""
    return present.fleet(seen_rows(queries, clock, who), clock)


@router.get("/targets", tags=["targets"])
def targets(queries: Reader, clock: TheClock, who: Who) -> list[TargetSummary]:
    """Every target that you may see, by namespace and name."""
    return [present.target_summary(row) for row in seen_rows(queries, clock, who)]


@router.get("/targets/{namespace}/{name}", tags=["targets"], responses=MISSING)
def target(namespace: str, name: str, queries: Reader, clock: TheClock, who: Who) -> TargetSummary:
    """One target."""
    return present.target_summary(_row(queries, clock, who, namespace, name))


@router.get("/targets/{namespace}/{name}/ticks", tags=["ticks"], responses=MISSING)
def ticks(
    namespace: str,
    name: str,
    queries: Reader,
    clock: TheClock,
    who: Who,
    between: Annotated[Range, Depends()],
    verdict: Annotated[list[Verdict] | None, Query(description="may be repeated")] = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> TickPage:
    """Decisions of a target, newest first."""
    key = _row(queries, clock, who, namespace, name).target.key
    wanted = TickFilter(key, tuple(verdict or ()), between.since_s, between.until_s)
    found, following = queries.tick_page(wanted, cursor, limit)
    return TickPage(tuple(present.tick_summary(tick) for tick in found), following)


@router.get("/targets/{namespace}/{name}/series", tags=["targets"], responses=MISSING)
def series(
    namespace: str,
    name: str,
    queries: Reader,
    clock: TheClock,
    who: Who,
    between: Annotated[Range, Depends()],
    points: Annotated[int, Query(ge=2, le=5000)] = 1000,
) -> TargetSeries:
    """Columns for charts; the last six hours where no range is given."""
    row = _row(queries, clock, who, namespace, name)
    until_s = clock.now_s() + 1.0 if between.until_s is None else between.until_s
    since_s = until_s - DEFAULT_RANGE_S if between.since_s is None else between.since_s
    found = queries.thinned(TickFilter(row.target.key, (), since_s, until_s), points)
    return present.target_series(row.target, found)


@router.get("/ticks/{tick_id}", tags=["ticks"], responses=MISSING)
def tick(tick_id: str, queries: Reader, who: Who) -> TickDetail:
    """One decision with every input, its trail, and what became of it."""
    found = queries.tick(tick_id)
    # One that they may not see is one that is not there: its id must tell nothing.
    if found is None or not who.may(AccessRole.VIEWER, found.inputs.target.namespace):
        raise NotFound(f"there is no tick {tick_id}")
    return present.tick_detail(found)


@router.get("/ticks/{tick_id}/neighbours", tags=["ticks"], responses=MISSING)
def neighbours(tick_id: str, queries: Reader, who: Who) -> TickNeighbours:
    """The decisions of the same target just before and after one. The newest has no next one yet."""
    found = queries.tick(tick_id)
    if found is None or not who.may(AccessRole.VIEWER, found.inputs.target.namespace):
        raise NotFound(f"there is no tick {tick_id}")
    return TickNeighbours(*queries.neighbours(found))


@router.get("/events", tags=["events"], response_class=StreamingResponse)
async def events(request: Request, clock: TheClock, who: Who) -> StreamingResponse:
    """Server-sent events of the targets that you may see: `tick` with a TickSummary, and `heartbeat` with the
    controller's clock."""
    stream = event_stream(request.app.state.feed, clock, who.namespaces(AccessRole.VIEWER))
    return StreamingResponse(stream, media_type="text/event-stream", headers=HEADERS)
