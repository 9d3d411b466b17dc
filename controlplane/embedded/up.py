"""`tidegate up`: everything on one machine, in order, until Ctrl-C."""

from __future__ import annotations

import http.client
import json
import math
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from alembic.util import CommandError

from controlplane.adapters.clock import clock_from_anchor, real_now_s, write_anchor
from controlplane.domain.access import AccessRole, Grant
from controlplane.domain.ports import Clock
from controlplane.embedded.children import STOP_GRACE_S, StartError, free_port, port_problem, spawn
from controlplane.embedded.console import Console, live_line
from controlplane.embedded.postgres import APPLICATION, EmbeddedPostgres
from controlplane.embedded.state import (
    CLOCK_AHEAD_S,
    CLOCK_SAVE_EVERY_S,
    Children,
    Lock,
    Paths,
    played_before,
    save_clock,
    save_played,
    saved_clock,
    write_whole,
)
from controlplane.embedded.supervisor import GaveUp, Part, Supervisor
from controlplane.embedded.valkey import EmbeddedValkey
from controlplane.simulation.scenario import ScenarioError, load_scenario
from controlplane.simulation.traffic import TraceError, read_trace
from controlplane.store import migrate
from controlplane.store.first_policies import keep_to
from controlplane.store.keys import new_token, one_time_link
from controlplane.store.roles import grant_application, make_role

SPEED_LIMITS = (0.1, 120.0)
"""Clock seconds per real second: above, ticks of a real second are more than two minutes of load apart."""
SERVERS = ("PostgreSQL", "Valkey")
"""Stopped when those that use them are gone."""
FIRST_HOUR_UTC = 8
"""The first run's clock starts in the morning, when the generated day begins to rise."""


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What a person may choose. None: the default for this machine."""

    data_dir: Path
    port: int = 8080
    speed: float | None = None
    trace: Path | None = None
    scenario: str | None = None
    host: str = "127.0.0.1"
    web_dir: Path | None = None

    @property
    def url(self) -> str:
        """Where the web UI is."""
        return f"http://{self.host}:{self.port}"

    @property
    def chosen_scenario(self) -> str:
        """`chat-8b` for a trace, which is one model's; the demo without."""
        return self.scenario or ("chat-8b" if self.trace else "demo")

    @property
    def played(self) -> str:
        """Scenario and trace, in words."""
        return f"scenario {self.chosen_scenario}" + (f", trace {self.trace}" if self.trace else "")

    @property
    def chosen_speed(self) -> float:
        """As fast as the cores allow: the simulated engines are the load."""
        return self.speed if self.speed is not None else (60.0 if (os.cpu_count() or 1) >= 4 else 30.0)


@dataclass(slots=True)
class _Run:
    options: UpOptions
    console: Console
    paths: Paths
    supervisor: Supervisor
    clock: Clock | None = None
    signals: list[int] = field(default_factory=list)

    saved_at_s: float = -math.inf
    database_url: str = ""
    token: str = ""
    """For the live line, and for commands and scripts beside it: they may pin and freeze, and not say who may what."""

    def interrupted(self) -> bool:
        """Whether to stop. Asked all the time, so it saves the clock as well."""
        now_s = time.monotonic()
        if self.clock is not None and now_s - self.saved_at_s >= CLOCK_SAVE_EVERY_S:
            self.saved_at_s = now_s
            save_clock(self.paths, self.clock.now_s() + CLOCK_AHEAD_S * self.clock.speed)
        return bool(self.signals)


def run_up(options: UpOptions) -> int:
    """Start everything, show the live line, stop everything; the exit code."""
    console, paths = Console(), Paths(options.data_dir)
    lock = Lock(paths)
    try:
        _check(options)
        paths.make()
        warning = lock.take(options.url)
    except (StartError, ScenarioError, TraceError) as error:
        console.say(f"error: {error}")
        return 1
    if warning:
        console.say(warning)
    try:
        return _run(options, console, paths)
    finally:
        lock.release()


def _run(options: UpOptions, console: Console, paths: Paths) -> int:
    children = Children(paths)
    for name in children.stop_orphans():
        console.say(f"stopped {name}, which the run before had left behind")
    # Only now: the port may have been an orphan's, and "already running" says more than "port taken".
    problem = port_problem(options.host, options.port)
    if problem is not None:
        where = f"port {options.port} of {options.host} {problem}"
        console.say(f"error: {where}. Choose another: make run PORT=9000, or --port 9000")
        return 1
    run = _Run(options, console, paths, Supervisor(console.say, children.write))
    handlers = {number: signal.signal(number, _catch(run)) for number in (signal.SIGINT, signal.SIGTERM)}
    code = 0
    try:
        _start(run)
        _stay(run)
    except (StartError, GaveUp) as error:
        console.say(f"error: {error}")
        code = 1
    finally:
        _stop(run)
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return code


def _catch(run: _Run) -> signal._HANDLER:
    def handler(number: int, _: FrameType | None) -> None:
        run.signals.append(number)

    return handler


def _check(options: UpOptions) -> None:
    """Whatever can be known to fail, before anything is started."""
    low, high = SPEED_LIMITS
    if not low <= options.chosen_speed <= high:
        raise StartError(f"speed is {options.chosen_speed:g}; allowed: {low:g} to {high:g}")
    if not 1 <= options.port <= 65535:
        raise StartError(f"port is {options.port}; allowed: 1 to 65535")
    load_scenario(options.chosen_scenario)
    if options.trace is not None:
        read_trace(options.trace)


def _start(run: _Run) -> None:
    options, paths, console = run.options, run.paths, run.console
    _compare_with_before(run)
    run.clock = _start_clock(run)
    postgres = EmbeddedPostgres(paths.root / "postgres")
    valkey = EmbeddedValkey(paths.root / "valkey")
    console.progress(f"starting PostgreSQL and Valkey in {paths.root}")
    fresh = not (paths.root / "postgres" / "data").exists()
    postgres.start()
    assert postgres.process is not None
    database = Part(
        "PostgreSQL", postgres.launch, postgres.answers, str(paths.root / "postgres" / "postgres.log"), signal.SIGINT
    )
    database.process = postgres.process
    run.supervisor.adopt(database)
    broker = Part("Valkey", valkey.launch, valkey.answers, str(paths.root / "valkey" / "valkey.log"))
    run.supervisor.launch(broker)
    console.progress("making the schema" if fresh else "checking the schema")
    try:
        migrate.upgrade(postgres.url)
    except CommandError as error:
        raise StartError(f"the schema of {paths.root} is not one that this Tidegate knows: {error}") from error
    run.supervisor.wait_ready(broker, run.interrupted)
    run.database_url = _application_url(postgres)
    environment = {
        **_environment(run, run.database_url, valkey.url),
        "TIDEGATE_OWNER_DATABASE_URL": postgres.url,
    }
    keep_to(run.database_url, load_scenario(options.chosen_scenario).policies, run.clock.now_s())
    run.token = new_token(run.database_url, "tidegate up", [Grant(AccessRole.OPERATOR)], real_now_s(), days=30.0)
    connection = {"database_url": run.database_url, "server": options.url, "token": run.token}
    write_whole(paths.connection, json.dumps(connection), 0o600)
    _start_parts(run, environment)


def _application_url(postgres: EmbeddedPostgres) -> str:
    """The database as the application's role, which can add to history and not change it; its password is new at each
    start."""
    password = secrets.token_urlsafe(24)
    make_role(postgres.url, APPLICATION, password)
    grant_application(postgres.url, APPLICATION)
    return postgres.url_as(APPLICATION, password)


def _compare_with_before(run: _Run) -> None:
    """Say so when the history is of something else: it stays, and the targets that are gone get no more ticks."""
    before, now = played_before(run.paths), run.options.played
    if before not in (None, now):
        run.console.say(f"the run before played {before}; its history is kept, and goes on with {now}")
    save_played(run.paths, now)


def _start_clock(run: _Run) -> Clock:
    """Go on where the run before was; the first one begins this morning."""
    saved = saved_clock(run.paths)
    if saved is None:
        today = datetime.fromtimestamp(real_now_s(), UTC)
        saved = today.replace(hour=FIRST_HOUR_UTC, minute=0, second=0, microsecond=0).timestamp()
    write_anchor(run.paths.clock, saved, run.options.chosen_speed)
    return clock_from_anchor(run.paths.clock)


def _environment(run: _Run, database_url: str, broker_url: str) -> dict[str, str]:
    paths = run.paths
    web = {"TIDEGATE_WEB_DIR": str(run.options.web_dir)} if run.options.web_dir else {}
    return {
        **os.environ,
        "TIDEGATE_DATABASE_URL": database_url,
        "TIDEGATE_BROKER_URL": broker_url,
        "TIDEGATE_CLOCK": str(paths.clock),
        "TIDEGATE_SPOOL_DIR": str(paths.root / "spool"),
        "KUBECONFIG": str(paths.kubeconfig),
        "TIDEGATE_ALLOW_LOOPBACK": "1",
        "PYTHONUNBUFFERED": "1",
        # One thread per process: several numpy pools on two cores only get in one another's way.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        **web,
    }


def _start_parts(run: _Run, environment: dict[str, str]) -> None:
    options, paths, console = run.options, run.paths, run.console
    paths.kubeconfig.unlink(missing_ok=True)
    console.progress(f"starting the simulated cluster ({options.played}), API, workers")
    trace = ["--trace", str(options.trace)] if options.trace else []
    places = ["--state-dir", str(paths.root / "cluster"), "--kubeconfig", str(paths.kubeconfig)]
    tidegate = [sys.executable, "-m", "controlplane.cli"]
    celery = [sys.executable, "-m", "celery", "-A", "controlplane.workers.app"]
    quiet = ["--loglevel", "INFO", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    schedule = str(paths.run / "beat-schedule")
    # The same port after a restart, so that whoever has read the kubeconfig finds it again.
    what = ["--scenario", options.chosen_scenario, *trace, "--port", str(free_port())]
    cluster = _part(run, "cluster", [*tidegate, "cluster", *what, *places], environment)
    cluster.ready = paths.kubeconfig.exists
    api = _part(run, "api", [*tidegate, "api", "--host", options.host, "--port", str(options.port)], environment)
    api.ready = lambda: _answers(f"{options.url}/healthz")
    worker = _part(run, "worker", [*celery, "worker", "--pool", "solo", *quiet], environment)
    beat = _part(run, "beat", [*celery, "beat", "--schedule", schedule, "--pidfile="], environment)
    for part in (cluster, api, worker, beat):
        run.supervisor.launch(part)
    run.supervisor.wait_ready(cluster, run.interrupted)
    console.progress("starting the controller")
    listen = f"127.0.0.1:{free_port()}"
    controller = _part(
        run, "controller", [*tidegate, "controller"], {**environment, "TIDEGATE_CONTROLLER_LISTEN": listen}
    )
    run.supervisor.launch(controller)
    run.supervisor.wait_ready(api, run.interrupted)
    if run.interrupted():
        return
    console.progress(f"ready: {options.url}")
    console.say(f"  log in:  {one_time_link(run.database_url, options.url, real_now_s())}")
    console.say("           (works once, within an hour; another: tidegate login-link)")
    console.say(f"  kubectl: export KUBECONFIG={paths.kubeconfig}; kubectl get deployments,pods,infas")
    console.say(f"  metrics: http://{listen}/metrics (the controller's)")
    console.say(f"  logs:    {paths.logs}    stop: Ctrl-C")


def _part(run: _Run, name: str, command: Sequence[str], environment: dict[str, str]) -> Part:
    log_path = run.paths.logs / f"{name}.log"
    if log_path.exists():
        os.replace(log_path, log_path.with_suffix(".log.1"))

    def launch() -> subprocess.Popen[bytes]:
        with log_path.open("ab") as log:
            return spawn(command, log, environment)

    return Part(name, launch, lambda: True, str(log_path))


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1.0) as answer:
            return bool(answer.status == 200)
    except (http.client.HTTPException, OSError):
        return False


def _stay(run: _Run) -> None:
    """Until a signal: look after the children, keep the live line."""
    shown_s = 0.0
    while not run.interrupted():
        run.supervisor.watch()
        now_s = time.monotonic()
        if now_s - shown_s >= 1.0:
            shown_s = now_s
            run.console.live(live_line(run.options.url, run.token))
        time.sleep(0.2)


def _stop(run: _Run) -> None:
    run.console.say("stopping (Ctrl-C again to hurry)")
    asked = len(run.signals)
    run.supervisor.stop_all(STOP_GRACE_S, lambda: len(run.signals) > asked, SERVERS)
    if run.clock is not None:
        save_clock(run.paths, run.clock.now_s())  # nobody is left who could record anything later
    run.paths.connection.unlink(missing_ok=True)
    run.console.say("stopped; the history is kept")
