"""A case of the league as a picture: cost against attainment, drawn with matplotlib, which the extra `plot` brings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from controlplane.commands.options import OptionError
from controlplane.simulation.league.rows import Row, by_case, frontier

LEAST_ATTAINMENT_SHOWN = 0.8
"""Worse ones are named below the picture: drawn to scale they would press all others together."""
WORDS_A_LINE = 6
WIDE = 5.0
"""Times the fluid bound from which on the axis is logarithmic."""


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
    shown = [row for row in rows if row.attainment >= LEAST_ATTAINMENT_SHOWN]
    first, best = rows[0], frontier(shown)
    axes.axvline(first.fluid_usd, color="tab:gray", linestyle=":", label="the work alone (fluid bound)")
    axes.axhline(first.slo_attainment, color="tab:red", linewidth=0.8, label=f"SLO {first.slo_attainment:g}")
    axes.plot([r.cost_usd for r in best], [r.attainment for r in best], color="tab:green", label="Pareto frontier")
    _points(axes, shown)
    axes.margins(0.12)
    title = f"{first.trace} · {first.scenario} · cold start {first.cold_start_s:g} s"
    axes.set(xlabel=f"cost, $\n{_left_out(rows)}", ylabel="attainment", title=title)
    if max(r.cost_usd for r in shown or rows) > WIDE * first.fluid_usd > 0:
        axes.set_xscale("log")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    figure.savefig(path)
    return path


def _left_out(rows: Sequence[Row]) -> str:
    """Those that are not drawn, some to a line."""
    words = [f"{r.policy} {r.attainment:.2f}" for r in rows if r.attainment < LEAST_ATTAINMENT_SHOWN]
    lines = [", ".join(words[k : k + WORDS_A_LINE]) for k in range(0, len(words), WORDS_A_LINE)]
    return "\n".join([f"below {LEAST_ATTAINMENT_SHOWN:g}: {lines[0]}", *lines[1:]]) if lines else ""


def _points(axes: Any, rows: Sequence[Row]) -> None:
    """Dots, hollow where the SLO is missed; labels above and below by turns, since neighbours cost alike."""
    for place, row in enumerate(rows):
        own, above = row.policy == "tidegate", bool(place % 2)
        color = "tab:orange" if own else "tab:blue"
        fill = color if row.attained else "white"
        axes.scatter(row.cost_usd, row.attainment, edgecolor=color, color=fill, zorder=4 if own else 3)
        axes.annotate(
            row.policy,
            (row.cost_usd, row.attainment),
            textcoords="offset points",
            xytext=(3, 6 if above else -6),
            rotation=30 if above else -30,
            fontsize=8,
            weight="bold" if own else "normal",
            va="bottom" if above else "top",
        )
