"""`tidegate league`: Tidegate and its peers on the same cases, resumable, on all cores."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from controlplane.commands.league_plot import check_plot_folder, draw_cases
from controlplane.commands.league_pool import Outcome, played
from controlplane.commands.league_tables import print_league
from controlplane.commands.options import OptionError, numbers
from controlplane.simulation.league.cases import MEAN_REPLICAS, Case, trace_name
from controlplane.simulation.league.rows import Row, RowsError, compared, rows_from_json, rows_to_json
from controlplane.simulation.league.runner import Task, check_policy, compile_core, policy_names, tasks_of
from controlplane.simulation.scenario import load_scenario, shipped
from controlplane.simulation.traffic import COPIES_WITHIN_S, DAY_S


def default_scenarios() -> list[str]:
    """The league's own."""
    return [name for name in shipped() if name.startswith("league-")]


def default_policies() -> list[str]:
    """All; the constant fleet is as large as the work's mean, which is what a case is scaled to."""
    return policy_names(f"static:{MEAN_REPLICAS:g}")


class LeagueError(ValueError):
    """Something could not be played; the message says what and why. The rows of all else are kept."""


@dataclass(frozen=True, slots=True)
class LeagueOptions:
    """As typed. `requests` bounds a case's window; None plays whole traces. `copies_within_s`: see `Trace`."""

    traces: Sequence[Path]
    scenarios: Sequence[str]
    cold_starts: str
    policies: Sequence[str]
    tuned: bool
    requests: int | None
    jobs: int | None
    again: Sequence[str]
    json_path: Path | None
    plot_path: Path | None
    copies_within_s: float = COPIES_WITHIN_S


def run_league(options: LeagueOptions) -> None:
    """Play what is not in the file yet, write every row as it comes, and print the tables.

    Raises:
        ValueError: naming the option that cannot be used and what is allowed, or the plays that failed.
    """
    _check(options)
    tasks = tasks_of(_cases(options), options.policies, options.tuned)
    book = _Book(options.json_path, {task.key: place for place, task in enumerate(tasks)})
    book.read(options)
    left = [task for task in tasks if task.key not in book.rows or task.policy in options.again]
    if len(left) < len(tasks):
        print(f"{len(tasks) - len(left)} of {len(tasks)} rows are in {options.json_path} already", file=sys.stderr)
    failures = _play(left, options.jobs or os.cpu_count() or 1, book)
    rows = book.asked()
    if rows:
        print_league(rows)
    if options.plot_path is not None and rows:
        print(f"{len(draw_cases(rows, options.plot_path))} pictures in {options.plot_path}")
    if failures:
        raise LeagueError(f"{len(failures)} of {len(tasks)} rows could not be played:\n" + "\n".join(failures))


def _check(options: LeagueOptions) -> None:
    for policy in options.policies:
        check_policy(policy)
    for path in options.traces:
        if not path.is_file():
            raise OptionError(f"--trace is {str(path)!r}; allowed: a .csv or .csv.gz file")
    for one, other in itertools.combinations(dict.fromkeys(options.traces), 2):
        if trace_name(one) == trace_name(other):
            raise OptionError(f"--trace is {str(one)!r} and {str(other)!r}; allowed: files of different names")
    for option, value in (("--jobs", options.jobs), ("--requests", options.requests)):
        if value is not None and value < 1:
            raise OptionError(f"{option} is {value}; allowed: an integer of 1 or more")
    if not 0.0 < options.copies_within_s <= DAY_S:
        raise OptionError(
            f"--copies-within is {options.copies_within_s:g}; allowed: seconds above 0, at most {DAY_S:g}"
        )
    if options.json_path is not None and not options.json_path.absolute().parent.is_dir():
        raise OptionError(f"--json is {str(options.json_path)!r}; allowed: a file in a directory that exists")
    if options.plot_path is not None:
        check_plot_folder(options.plot_path)


def _cases(options: LeagueOptions) -> list[Case]:
    """Every combination; the cold starts of a trace and scenario together."""
    for scenario in options.scenarios:
        load_scenario(scenario)
    starts = dict.fromkeys(numbers("--cold-start", options.cold_starts))
    grid = itertools.product(dict.fromkeys(options.traces), dict.fromkeys(options.scenarios), starts)
    within_s = options.copies_within_s
    return [Case(trace, scenario, s, options.requests, copies_within_s=within_s) for trace, scenario, s in grid]


class _Book:
    """The rows so far, in memory and, where a path is given, in a file that is always whole."""

    def __init__(self, path: Path | None, order: dict[tuple[str, str, float, str], int]) -> None:
        self.rows: dict[tuple[str, str, float, str], Row] = {}
        self._path, self._order = path, order

    def read(self, options: LeagueOptions) -> None:
        """What the file has; a row that is played again is replaced when that is done, and not before.

        Raises:
            RowsError: if it has no rows, or rows of other windows.
        """
        if self._path is None or not self._path.exists():
            return
        source = f"--json {self._path}"
        for row in rows_from_json(self._path.read_text(encoding="utf-8"), source):
            if row.window_requests != options.requests:
                raise RowsError(
                    f"{source}: window_requests is {row.window_requests}, and {options.requests} is asked for (None: "
                    "whole traces); allowed: the same windows in one file"
                )
            if row.copies_within_s != options.copies_within_s:
                raise RowsError(
                    f"{source}: copies_within_s is {row.copies_within_s:g}, and {options.copies_within_s:g} is asked "
                    "for; allowed: copies shifted by as much in one file"
                )
            self.rows[row.key] = row

    def add(self, row: Row) -> None:
        """Keep it; the file is replaced at once, so that a kill leaves the one or the other."""
        self.rows[row.key] = row
        if self._path is None:
            return
        fresh = self._path.with_name(f".{self._path.name}.new")
        fresh.write_text(rows_to_json(compared(list(self.rows.values()))), encoding="utf-8")
        os.replace(fresh, self._path)

    def asked(self) -> list[Row]:
        """Those of this call, in order of its cases."""
        found = compared([row for row in self.rows.values() if row.key in self._order])
        return sorted(found, key=lambda row: self._order[row.key])


def _play(tasks: Sequence[Task], jobs: int, book: _Book) -> list[str]:
    """Play them; what could not be played, in words."""
    failures: list[str] = []
    if not tasks:
        return failures
    compile_core(load_scenario(tasks[0].case.scenario))
    with _progress(tasks) as heard:
        for task, outcome in played(tasks, jobs):
            if isinstance(outcome, BaseException):
                failures.append(f"{task.case.name} · {task.policy}: {type(outcome).__name__}: {outcome}")
            else:
                book.add(outcome)
            heard((task, outcome))
    return failures


@contextmanager
def _progress(tasks: Sequence[Task]) -> Iterator[Callable[[Outcome], None]]:
    """A bar on a terminal, counted in plays; elsewhere a line for each row."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("plays,"),
        TimeElapsedColumn(),
        TextColumn("gone,"),
        TimeRemainingColumn(),
        TextColumn("to go"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        rows = bar.add_task(f"0 of {len(tasks)} rows", total=sum(task.plays for task in tasks))
        count = itertools.count(1)

        def heard(outcome: Outcome) -> None:
            done = f"{next(count)} of {len(tasks)} rows"
            bar.update(rows, description=done, advance=outcome[0].plays)
            if not console.is_terminal:
                print(f"{done}: {_line(*outcome)}", file=sys.stderr, flush=True)

        yield heard


def _line(task: Task, outcome: Row | BaseException) -> str:
    words = "failed"
    if isinstance(outcome, Row):
        words = f"{outcome.attainment:.4f} for ${outcome.cost_usd:.2f}, in {outcome.wall_s:.1f} s"
    return f"{task.case.name} · {task.policy}: {words}"
