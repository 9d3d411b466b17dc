"""The admin API: reads the ledger, answers with views. It changes no replicas and, in this version, no policies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import JSONResponse, Response

from controlplane import __version__
from controlplane.api import overrides
from controlplane.api.events import TickFeed
from controlplane.api.metrics import render_metrics
from controlplane.api.principals import Authenticator, Everybody
from controlplane.api.problems import add_problem_handlers
from controlplane.api.routes import router
from controlplane.api.views import Health, Problem
from controlplane.api.web import mount_web
from controlplane.domain.ports import Clock, LedgerUnavailable
from controlplane.store.engine import make_engine
from controlplane.store.migrate import is_current
from controlplane.store.queries import Queries
from controlplane.store.unit import Writer


def create_app(
    database_url: str, clock: Clock, web_dir: Path | None = None, authenticator: Authenticator | None = None
) -> FastAPI:
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
    app.state.queries, app.state.clock, app.state.writer = queries, clock, Writer(engine)
    app.state.authenticator = authenticator or Everybody()
    for part in (router, overrides.router):
        app.include_router(part)
    _add_health(app, queries, clock, lambda: is_current(engine))
    mount_web(app, web_dir)
    return app


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
