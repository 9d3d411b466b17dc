"""The admin API: reads the ledger, answers with views. It changes no replicas and, in this version, no policies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import JSONResponse, Response

from controlplane import __version__
from controlplane.adapters.clock import real_now_s
from controlplane.adapters.task_sender import NoTasks
from controlplane.api import (
    catalog,
    channels,
    explain,
    freeze_ticks,
    freezes,
    health,
    job_events,
    jobs,
    overrides,
    prices,
    reports,
    settings,
    variants,
)
from controlplane.api.access import audit, sessions, tokens
from controlplane.api.access.authenticate import DatabaseAuthenticator
from controlplane.api.doors import Doors
from controlplane.api.events import TickFeed
from controlplane.api.guards import Guards
from controlplane.api.metrics import render_metrics
from controlplane.api.policies import approvals, documents, imports, regret, stages
from controlplane.api.principals import demand, principal_of
from controlplane.api.problems import add_problem_handlers
from controlplane.api.routes import router
from controlplane.api.views import Health, Problem
from controlplane.api.web import mount_web
from controlplane.domain.access import AccessRole
from controlplane.domain.ports import Clock, LedgerUnavailable, Tasks
from controlplane.store.access import Access
from controlplane.store.engine import make_engine
from controlplane.store.migrate import is_current
from controlplane.store.queries import Queries
from controlplane.store.unit import Writer

POLICIES = (imports.router, documents.router, stages.router, approvals.router, regret.router)


def create_app(
    database_url: str,
    clock: Clock,
    web_dir: Path | None = None,
    doors: Doors = Doors(),
    real_s: Callable[[], float] = real_now_s,
    tasks: Tasks = NoTasks(),
) -> FastAPI:
    """The API over that database; with `web_dir` it serves the built web UI too. Work for workers goes to `tasks`."""
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
            401: {"model": Problem, "description": "Nobody, or a token that is forged, expired or revoked"},
            403: {"model": Problem, "description": "A role that does not suffice"},
            413: {"model": Problem, "description": "A body that is too long"},
            422: {"model": Problem, "description": "A value that is not allowed"},
            429: {"model": Problem, "description": "Too many requests"},
            503: {"model": Problem, "description": "The ledger does not answer"},
        },
    )
    access = Access(engine)
    state = app.state
    state.feed, state.queries, state.clock, state.writer = feed, queries, clock, Writer(engine)
    state.access, state.real_s, state.provider, state.public_url = access, real_s, doors.provider, doors.public_url
    state.authenticator = doors.authenticator or DatabaseAuthenticator(access, doors.provider, real_s)
    state.tasks, state.notify_local = tasks, doors.notify_local
    app.add_middleware(GZipMiddleware, minimum_size=2048)
    app.add_middleware(Guards, limited=doors.limited)
    add_problem_handlers(app)
    directives = (overrides.router, freezes.router, freeze_ticks.router)
    governance = (*directives, catalog.router, prices.router, variants.router, settings.router)
    work = (health.router, explain.router, jobs.router, job_events.router, reports.router, channels.router)
    for part in (router, *governance, *POLICIES, *work, sessions.router, tokens.router, audit.router):
        app.include_router(part)
    _add_health(app, lambda: is_current(engine))
    _add_metrics(app, queries, clock, doors.public_metrics)
    mount_web(app, web_dir)
    return app


def _add_health(app: FastAPI, schema_current: Callable[[], bool]) -> None:
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


def _add_metrics(app: FastAPI, queries: Queries, clock: Clock, public: bool) -> None:
    @app.get("/metrics", tags=["health"], response_class=Response)
    def metrics(request: Request) -> Response:
        """Tidegate's own metrics, in Prometheus' text format. They name every target: closed, unless a setting opens
        them."""
        if not public:
            demand(principal_of(request), AccessRole.VIEWER, None)
        body, kind = render_metrics(queries, clock)
        return Response(body, media_type=kind)
