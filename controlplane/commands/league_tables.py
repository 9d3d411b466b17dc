"""The league's rows as tables on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from controlplane.commands.fit import PLAIN_WIDTH, shown
from controlplane.simulation.league.rows import ORACLE, Row, Summary, by_case, summaries

COLUMNS = ("$", "VS ORACLE", "ATTAINED", "SLO", "WORST HOUR", "GOODPUT/S", "GPU-H", "UPS", "DOWNS", "FLAPS", "WALL S")


def print_league(rows: Sequence[Row]) -> None:
    """A table for each case, cheapest first, and one of all policies. What holds the SLO is bold and says yes."""
    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    for case in by_case(rows).values():
        console.print(_case_table(case))
    console.print(_summary_table(summaries(rows)))


def _table(title: str, columns: Sequence[str], last: str | None = None) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("POLICY", no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    if last is not None:
        table.add_column(last)
    return table


def _case_table(rows: Sequence[Row]) -> Table:
    first = rows[0]
    title = (
        f"\n{first.trace} · {first.scenario} · cold start {first.cold_start_s:g} s · "
        f"{first.requests} requests scored · the work alone: ${first.fluid_usd:.2f}"
    )
    if any(row.policy == ORACLE and not row.attained for row in rows):
        title += "\nnote: the oracle's search misses the SLO here, so its cost is no yardstick"
    table = _table(title, COLUMNS, "SETTING")
    for row in rows:
        table.add_row(*_cells(row), style="bold" if row.attained else "")
    return table


def _cells(row: Row) -> list[str]:
    return [
        row.policy,
        f"{row.cost_usd:.2f}",
        shown(row.cost_vs_oracle, ".2f"),
        f"{row.attainment:.4f}",
        "yes" if row.attained else "no",
        shown(row.worst_hour, ".4f"),
        f"{row.goodput_rps:.2f}",
        f"{row.gpu_hours:.1f}",
        str(row.scale_ups),
        str(row.scale_downs),
        str(row.flaps),
        f"{row.wall_s:.1f}",
        _setting(row),
    ]


def _setting(row: Row) -> str:
    """What a search found; nothing where there was none."""
    if row.settings is None:
        return ""
    return ", ".join(f"{name}={value}" for name, value in row.settings.items()) or "the defaults"


def _summary_table(found: Sequence[Summary]) -> Table:
    columns = ("CASES", "ATTAINED 0.99", "LEAST ATTAINED", "MEDIAN VS ORACLE", "MAX VS ORACLE", "MEDIAN WHERE ATTAINED")
    table = _table("\nall cases", columns)
    for one in found:
        table.add_row(
            one.policy,
            str(one.cases),
            str(one.attained),
            f"{one.least_attainment:.4f}",
            shown(one.median_vs_oracle, ".2f"),
            shown(one.max_vs_oracle, ".2f"),
            shown(one.median_where_attained, ".2f"),
            style="bold" if one.attained == one.cases else "",
        )
    return table
