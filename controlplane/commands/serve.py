"""The commands `worker`, `beat` and `migrate`: each is what a container runs as its only process, without a shell."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Annotated

import typer

from controlplane.domain.ports import LedgerUnavailable

RETRY_S = 2.0
"""Real seconds between attempts at a database that does not answer."""
QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat")
"""Workers do not watch one another: nothing in Tidegate asks for it, and it is traffic that grows with their square."""


def register(app: typer.Typer) -> None:
    """Add them."""
    app.command()(worker)
    app.command()(beat)
    app.command()(migrate)


def worker(
    concurrency: Annotated[
        int, typer.Option(min=1, help="Tasks at once, each in a process.", envvar="TIDEGATE_WORKER_CONCURRENCY")
    ] = 2,
) -> None:
    """Run a Celery worker over TIDEGATE_BROKER_URL and TIDEGATE_DATABASE_URL."""
    from controlplane.settings import settings_from

    settings_from(os.environ)
    _celery("worker", "--pool", "prefork", "--concurrency", str(concurrency), "--loglevel", "INFO", *QUIET)


def beat() -> None:
    """Run Celery's clock over TIDEGATE_BROKER_URL: one of it, or tasks are asked for twice."""
    scheduler = "controlplane.workers.heartbeat:BeatingScheduler"
    _celery("beat", "--scheduler", scheduler, "--pidfile=", "--loglevel", "INFO")


def _celery(*arguments: str) -> None:
    """In this process: as PID 1 of a container it gets SIGTERM itself, and ends as Celery does."""
    from controlplane.settings import broker_url_from

    broker_url_from(os.environ)
    from controlplane.workers.app import app
    from controlplane.workers.heartbeat import install

    install(app).start([*arguments])


def migrate(
    wait: Annotated[float, typer.Option(min=0, help="Seconds to go on trying while the database is away.")] = 60.0,
    check: Annotated[bool, typer.Option("--check", help="Only look: exit 1 unless the schema is current.")] = False,
    app_role: Annotated[
        str | None,
        typer.Option(help="Give this role what the application needs, and no more.", envvar="TIDEGATE_APP_ROLE"),
    ] = None,
) -> None:
    """Bring the database of TIDEGATE_OWNER_DATABASE_URL, or else TIDEGATE_DATABASE_URL, to this version's schema.
    Several at once wait for one another."""
    from controlplane.adapters.clock import monotonic_s
    from controlplane.settings import settings_from
    from controlplane.store.migrate import bring_up, is_current_at
    from controlplane.store.roles import grant_application

    owners = os.environ.get("TIDEGATE_OWNER_DATABASE_URL") or os.environ.get("TIDEGATE_DATABASE_URL", "")
    url = settings_from({**os.environ, "TIDEGATE_DATABASE_URL": owners}).database_url
    if check:
        if not patiently(lambda: is_current_at(url), wait, monotonic_s, time.sleep):
            print("the schema is not this version's: run `tidegate migrate`", file=sys.stderr)
            raise typer.Exit(1)
        print("the schema is current")
        return
    changed = patiently(lambda: bring_up(url), wait, monotonic_s, time.sleep)
    print("the schema was brought up to date" if changed else "the schema is current")
    if app_role:
        grant_application(url, app_role)
        print(f"{app_role} may do what the application does")


def patiently(
    attempt: Callable[[], bool], wait_s: float, now_s: Callable[[], float], sleep: Callable[[float], None]
) -> bool:
    """What `attempt` answers, tried again while the database is away.

    Raises:
        LedgerUnavailable: if it is still away after `wait_s` real seconds.
    """
    until_s = now_s() + wait_s
    while True:
        try:
            return attempt()
        except LedgerUnavailable as error:
            if now_s() + RETRY_S > until_s:
                raise LedgerUnavailable(f"no database within {wait_s:g} s: {error}") from error
            print(f"waiting for the database: {error}", file=sys.stderr, flush=True)
            sleep(RETRY_S)
