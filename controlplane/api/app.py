"""The admin API: reads the ledger, answers with views. It changes no replicas and, in this version, no policies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import JSONResponse, Response, StreamingResponse

from controlplane import __version__
from controlplane.api import present
from controlplane.api.events import TickFeed, event_stream
from controlplane.api.metrics import render_metrics
from controlplane.api.problems import NotFound, add_problem_handlers, bad_value
from controlplane.api.views import Fleet, Health, Problem, TargetSeries, TargetSummary, TickDetail, TickPage
from controlplane.api.web import mount_web
from controlplane.domain.decision import Verdict
from controlplane.domain.ports import Clock, LedgerUnavailable
from controlplane.store.engine import make_engine
from controlplane.store.migrate import is_current
from controlplane.store.queries import Queries, TargetRow, TickFilter

DEFAULT_RANGE_S = 6 * 3600.0
"""The charts' range where none is asked for."""
YEAR_10000_S = 253_402_300_800.0
"""The first moment that a datetime cannot hold, unix seconds."""


def create_app(database_url: str, clock: Clock, web_dir: Path | None = None) -> FastAPI:
    """The API over that database; with `web_dir` it serves the built web UI too."""
    engine = make_engine(database_url)
    queries = Queries(engine)
    feed = TickFeed(queries)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        reading = asyncio.create_task(feed.run())
        yield
        reading.cancel()
        engine.dispose()

    app = FastAPI(
        title="Tidegate",
        version=__version__,
        description="What was seen, expected, decided and done. Times are unix seconds on the controller's clock.",
        lifespan=lifespan,
        responses={
            422: {"model": Problem, "description": "A value that is not allowed"},
            503: {"model": Problem, "description": "The ledger does not answer"},
        },
    )
    app.state.feed = feed
    app.add_middleware(GZipMiddleware, minimum_size=2048)
    add_problem_handlers(app)
    _add_reads(app, queries, clock)
    _add_health(app, queries, clock, lambda: is_current(engine))
    mount_web(app, web_dir)
    return app


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


def _add_reads(app: FastAPI, queries: Queries, clock: Clock) -> None:
    missing: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "There is none of that name"}}

    def rows() -> list[TargetRow]:
        return queries.target_rows(clock.now_s())

    def row_of(namespace: str, name: str) -> TargetRow:
        key = f"{namespace}/{name}"
        found = next((row for row in rows() if row.target.key == key), None)
        if found is None:
            raise NotFound(f"there is no target {key}")
        return found

    @app.get("/api/v1/fleet", tags=["fleet"])
    def fleet() -> Fleet:
        """Every target with its newest decision, and the sums over all."""
        return present.fleet(rows(), clock)

    @app.get("/api/v1/targets", tags=["targets"])
    def targets() -> list[TargetSummary]:
        """Every target, by namespace and name."""
        return [present.target_summary(row) for row in rows()]

    @app.get("/api/v1/targets/{namespace}/{name}", tags=["targets"], responses=missing)
    def target(namespace: str, name: str) -> TargetSummary:
        """One target."""
        return present.target_summary(row_of(namespace, name))

    @app.get("/api/v1/targets/{namespace}/{name}/ticks", tags=["ticks"], responses=missing)
    def ticks(
        namespace: str,
        name: str,
        between: Annotated[_Range, Depends()],
        verdict: Annotated[list[Verdict] | None, Query(description="may be repeated")] = None,
        cursor: str | None = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> TickPage:
        """Decisions of a target, newest first."""
        key = row_of(namespace, name).target.key
        wanted = TickFilter(key, tuple(verdict or ()), between.since_s, between.until_s)
        found, following = queries.tick_page(wanted, cursor, limit)
        return TickPage(tuple(present.tick_summary(tick) for tick in found), following)

    @app.get("/api/v1/targets/{namespace}/{name}/series", tags=["targets"], responses=missing)
    def series(
        namespace: str,
        name: str,
        between: Annotated[_Range, Depends()],
        points: Annotated[int, Query(ge=2, le=5000)] = 1000,
    ) -> TargetSeries:
        """Columns for charts; the last six hours where no range is given."""
        row = row_of(namespace, name)
        until_s = clock.now_s() + 1.0 if between.until_s is None else between.until_s
        since_s = until_s - DEFAULT_RANGE_S if between.since_s is None else between.since_s
        found = queries.thinned(TickFilter(row.target.key, (), since_s, until_s), points)
        return present.target_series(row.target, found)

    @app.get("/api/v1/ticks/{tick_id}", tags=["ticks"], responses=missing)
    def tick(tick_id: str) -> TickDetail:
        """One decision with every input, its trail, and what became of it."""
        found = queries.tick(tick_id)
        if found is None:
            raise NotFound(f"there is no tick {tick_id}")
        return present.tick_detail(found)

    @app.get("/api/v1/events", tags=["events"], response_class=StreamingResponse)
    async def events(request: Request) -> StreamingResponse:
        """Server-sent events: `tick` with a TickSummary, and `heartbeat` with the controller's clock."""
        feed: TickFeed = request.app.state.feed
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Content-Encoding": "identity"}
        return StreamingResponse(event_stream(feed, clock), media_type="text/event-stream", headers=headers)


def _add_health(app: FastAPI, queries: Queries, clock: Clock, schema_current: Callable[[], bool]) -> None:
    @app.get("/healthz", tags=["health"])
    def healthz() -> Health:
        """Whether this process serves."""
        return Health(True, {"process": "ok"})

    @app.get("/readyz", tags=["health"], responses={503: {"model": Health}})
    def readyz() -> JSONResponse:
        """Whether the ledger answers and has this version's schema."""
        try:
            checks = {"ledger": "ok", "schema": "ok" if schema_current() else "not migrated"}
        except LedgerUnavailable as error:
            checks = {"ledger": str(error)}
        ok = all(word == "ok" for word in checks.values())
        return JSONResponse({"ok": ok, "checks": checks}, 200 if ok else 503)

    @app.get("/metrics", tags=["health"], response_class=Response)
    def metrics() -> Response:
        """Tidegate's own metrics, in Prometheus' text format."""
        body, kind = render_metrics(queries, clock)
        return Response(body, media_type=kind)
