"""`tidegate dialects`: the engines' tables as Markdown, straight from the tables that pages are read by."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import typer

from controlplane.observing.dialects import ENGINES, EPP, Dialect, Source

BEGIN, END = "<!-- begin: tidegate dialects -->", "<!-- end: tidegate dialects -->"


def run_dialects(into: Path | None) -> None:
    """Print the tables, or put them between the marks of a file."""
    if into is None:
        typer.echo(tables())
        return
    text = into.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise typer.BadParameter(f"{into} has no line {BEGIN!r} or no line {END!r}", param_hint="--into")
    before, _, rest = text.partition(BEGIN)
    into.write_text(f"{before}{BEGIN}\n\n{tables()}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")


def tables() -> str:
    """All of them: which engine tells which field, and then each engine in its own words."""
    return "\n".join([*_overview(), *(line for dialect in (*ENGINES, EPP) for line in _own(dialect))])


def _overview() -> Iterator[str]:
    fields = dict.fromkeys(field for dialect in ENGINES for field in (*dialect.scalars, *dialect.histograms))
    yield "| field | " + " | ".join(dialect.engine for dialect in ENGINES) + " |"
    yield "| --- |" + " --- |" * len(ENGINES)
    for field in fields:
        yield f"| `{field}` | " + " | ".join(_mark(dialect, field) for dialect in ENGINES) + " |"
    yield "| `lora` | " + " | ".join("yes" if dialect.lora else "-" for dialect in ENGINES) + " |"


def _mark(dialect: Dialect, field: str) -> str:
    if field in dialect.required:
        return "needed"
    return "yes" if field in dialect.scalars or field in dialect.histograms else "-"


def _own(dialect: Dialect) -> Iterator[str]:
    yield f"\n### {dialect.engine}\n"
    yield f"Known by {', '.join(f'`{mark}*`' for mark in dialect.marks)}. Names from: {dialect.evidence}.\n"
    yield "| field | read from | given up, still read |"
    yield "| --- | --- | --- |"
    for field, readings in dialect.scalars.items():
        now, old = ([f"`{r.formula()}`" for r in readings if r.old is given_up] for given_up in (False, True))
        yield f"| `{field}` | {', else '.join(now)} | {', '.join(old)} |"
    for field, sources in dialect.histograms.items():
        now = [_family(source) for source in sources if source.name not in dialect.old]
        old = [_family(source) for source in sources if source.name in dialect.old]
        yield f"| `{field}` (histogram) | {', else '.join(now)} | {', '.join(old)} |"
    if dialect.lora is not None:
        yield f"| `lora` | `{dialect.lora.formula()}` |  |"


def _family(source: Source) -> str:
    return f"`{source.formula()}`"
