"""The Pareto picture as a file, drawn with matplotlib, which the extra `plot` brings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from controlplane.planning.pareto import Point, frontier

HEADROOM = 1.12
"""Of the axes, so that the outermost label is inside."""
FORMATS = (".svg", ".png", ".pdf")


class PlotError(ValueError):
    """A picture that cannot be drawn; the message says what is missing or allowed."""


def check_plot(path: Path) -> None:
    """Refuse before anything is measured what could not be drawn afterwards.

    Raises:
        PlotError: if the format is not known, the folder is absent, or matplotlib is not installed.
    """
    if path.suffix.lower() not in FORMATS or not path.absolute().parent.is_dir():
        raise PlotError(f"--plot is {str(path)!r}; allowed: a {', '.join(FORMATS)} file in a directory that exists")
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise PlotError("--plot needs matplotlib: pip install 'tidegate[plot]'") from error


def draw_pareto(found: Sequence[Point], path: Path, title: str, attainment: float) -> None:
    """Write the picture: every run, labelled with its load (hollow where fewer than `attainment` of its requests met
    the SLO), and the line of those that no other beats."""
    # The figure's own canvas, not pyplot: no display, no state of the whole process.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 5.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    best = frontier(found)
    axes.plot([p.per_user for p in best], [p.per_gpu for p in best], color="tab:blue", zorder=1)
    for point in found:
        share = point.measurement.attainment
        missed = share is not None and share < attainment
        axes.scatter(
            point.per_user, point.per_gpu, edgecolor="tab:blue", color="white" if missed else "tab:blue", zorder=2
        )
        axes.annotate(_label(point), (point.per_user, point.per_gpu), textcoords="offset points", xytext=(6, 4))
    axes.set(xlabel="output tokens/s per user (1 / mean TPOT)", ylabel="output tokens/s per GPU", title=title)
    axes.set_xlim(0, HEADROOM * max((p.per_user for p in found), default=1.0))
    axes.set_ylim(0, HEADROOM * max((p.per_gpu for p in found), default=1.0))
    axes.grid(alpha=0.3)
    figure.savefig(path)


def _label(point: Point) -> str:
    run = point.measurement
    if run.rate_rps is not None:
        return f"{run.rate_rps:.3g}/s"
    return "" if run.concurrency is None else f"c={run.concurrency:.3g}"
