"""A case of the league as a picture: cost against attainment, drawn with matplotlib, which the extra `plot` brings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from controlplane.commands.options import OptionError
from controlplane.simulation.league.rows import Row, by_case, frontier

LEAST_ATTAINMENT_SHOWN = 0.8
"""Worse ones are at the lower edge, with their number: drawn to scale they would press all others together."""
WIDE = 5.0
"""Times the cheapest cost from which on the axis is logarithmic."""


def check_plot_folder(folder: Path) -> None:
    """Refuse before anything is played what could not be drawn afterwards; make the folder.

    Raises:
        OptionError: if its parent is absent, it is a file, or matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise OptionError("--plot needs matplotlib: pip install 'tidegate[plot]'") from error
    if folder.is_file() or not folder.absolute().parent.is_dir():
        raise OptionError(f"--plot is {str(folder)!r}; allowed: a folder, or a new one in a folder that exists")
    folder.mkdir(exist_ok=True)


def draw_cases(rows: Sequence[Row], folder: Path) -> list[Path]:
    """One SVG a case; their paths."""
    return [_draw(found, folder / f"{t}_{s}_{cold:g}s.svg") for (t, s, cold), found in by_case(rows).items()]


def _draw(rows: Sequence[Row], path: Path) -> Path:
    # The figure's own canvas, not pyplot: no display, no state of the whole process.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 5.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    first = rows[0]
    axes.axvline(first.fluid_usd, color="tab:gray", linestyle=":", label="the work alone (fluid bound)")
    axes.axhline(first.slo_attainment, color="tab:red", linewidth=0.8, label=f"SLO {first.slo_attainment:g}")
    best = frontier(rows)
    axes.plot([r.cost_usd for r in best], [_height(r) for r in best], color="tab:blue", label="Pareto frontier")
    _points(axes, rows)
    axes.set(
        xlabel="cost, $", ylabel="attainment", title=f"{first.trace} · {first.scenario} · {first.cold_start_s:g} s"
    )
    if max(r.cost_usd for r in rows) > WIDE * first.cost_usd > 0:
        axes.set_xscale("log")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", fontsize=8)
    figure.savefig(path)
    return path


def _height(row: Row) -> float:
    return max(row.attainment, LEAST_ATTAINMENT_SHOWN)


def _points(axes: Any, rows: Sequence[Row]) -> None:
    """Dots, hollow where the SLO is missed; labels above and below by turns, since neighbours cost alike."""
    for place, row in enumerate(rows):
        color = "tab:orange" if row.policy == "tidegate" else "tab:blue"
        axes.scatter(row.cost_usd, _height(row), edgecolor=color, color=color if row.attained else "white", zorder=3)
        low = row.attainment < LEAST_ATTAINMENT_SHOWN
        label = f"{row.policy} ({row.attainment:.2f})" if low else row.policy
        axes.annotate(
            label,
            (row.cost_usd, _height(row)),
            textcoords="offset points",
            xytext=(3, 7 if low or place % 2 else -7),
            rotation=60 if low else (30 if place % 2 else -30),
            fontsize=7,
            va="bottom" if low or place % 2 else "top",
        )
