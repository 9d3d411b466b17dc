"""What the heads of a page mean in a dialect: where each number of interest stands. Made once for a set of heads, then
taken from a cache, since scrape after scrape, and replica after replica, they are the same."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from controlplane.observing.dialects import ENGINES, ROUTERS, Dialect, Source
from controlplane.observing.page_lines import NotAPage, labels_of, name_and_labels

KEPT = 256
"""Layouts that are kept, of about 100 kB each: pages differ by model, engine number and what has happened yet."""
_DIALECTS = {dialect.engine: dialect for dialect in (*ENGINES, *ROUTERS)}


@dataclass(frozen=True, slots=True)
class Buckets:
    """Where a histogram's numbers stand. `places[i]` are those of the bucket up to `bounds[i]`, one per engine."""

    bounds: tuple[float, ...]
    places: tuple[tuple[int, ...], ...]
    sums: tuple[int, ...]
    counts: tuple[int, ...]
    plain: bool
    """One engine behind the page: a bucket is one number."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Places are in `needed`, which are places on the page."""

    needed: tuple[int, ...]
    names: tuple[str, ...]
    """Series' names of what is needed: for faults."""
    owners: tuple[Source, ...]
    """And the sources that they belong to."""
    scalars: Mapping[Source, tuple[int, ...]]
    constants: Mapping[Source, tuple[float, ...]]
    """What labels say."""
    histograms: Mapping[Source, Buckets]
    twice: Mapping[Source, str]
    """Sources of which a series stands on the page twice, and its name: neither of the two is to be believed."""
    own: bool
    """Whether anything of the engine's own is there."""


class NotPlain(Exception):
    """A line holds more than a head and a value: it is to be split with care."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A needed series: its place on the page, its part of the family and the bound of its bucket."""

    place: int
    name: str
    part: str
    bound: float
    source: Source


@lru_cache(maxsize=KEPT)
def layout_of(engine: str, heads: tuple[bytes, ...]) -> Layout:
    """The layout of a page with those heads in one engine's dialect.

    Raises:
        NotPlain: where a head is not one.
        NotAPage: where the labels of a needed series cannot be read.
    """
    dialect = _DIALECTS[engine]
    parts = _parts(engine)
    rows: list[_Row] = []
    constants: dict[Source, list[float]] = defaultdict(list)
    for place, head in enumerate(heads):
        split = name_and_labels(head)
        if split is None:
            raise NotPlain
        wanted = parts.get(split[0])
        if wanted:
            _take(rows, constants, wanted, place, split)
    return _layout(dialect, _one_form(rows), constants, _twice(rows, heads))


@lru_cache
def _parts(engine: str) -> Mapping[bytes, Sequence[tuple[Source, str]]]:
    """Sources and their part by series' name."""
    dialect = _DIALECTS[engine]
    parts: dict[bytes, list[tuple[Source, str]]] = defaultdict(list)
    for source in dict.fromkeys(dialect.sources()):
        for name in (source.name, f"{source.name}_total"):
            parts[name.encode()].append((source, "label" if source.label else "value"))
    for family in (source for sources in dialect.histograms.values() for source in sources):
        for part in ("bucket", "sum", "count"):
            parts[f"{family.name}_{part}".encode()].append((family, part))
    return dict(parts)


def _take(
    rows: list[_Row],
    constants: dict[Source, list[float]],
    wanted: Sequence[tuple[Source, str]],
    place: int,
    split: tuple[bytes, bytes],
) -> None:
    name = split[0].decode()
    labels = labels_of(split[1])
    if labels is None:
        raise NotAPage(f"the labels of {name} cannot be read: {split[1][:80].decode('utf-8', 'replace')!r}")
    for source, part in wanted:
        if not _counts(source, labels):
            continue
        if part == "label":
            text = labels.get(source.label, "")
            constants[source].extend([float(text)] if text.isascii() and text.isdigit() else [])
        else:
            rows.append(_Row(place, name, part, _bound(name, labels) if part == "bucket" else math.nan, source))


def _counts(source: Source, labels: Mapping[str, str]) -> bool:
    return all(labels.get(name) == value for name, value in source.where) and not labels.get(source.totals_of)


def _bound(name: str, labels: Mapping[str, str]) -> float:
    try:
        bound = float(labels["le"])
    except (KeyError, ValueError):
        raise NotAPage(f"a series of {name} has no le that is a number") from None
    if math.isnan(bound):
        raise NotAPage(f"a series of {name} has no le that is a number")
    return bound


def _one_form(rows: list[_Row]) -> list[_Row]:
    """Of a source that stands there with and without `_total` the counter alone: they are one and the same."""
    counters = {row.source for row in rows if row.part == "value" and row.name == f"{row.source.name}_total"}
    return [row for row in rows if row.part != "value" or row.source not in counters or row.name.endswith("_total")]


def _twice(rows: Sequence[_Row], heads: Sequence[bytes]) -> dict[Source, str]:
    seen: set[tuple[Source, bytes]] = set()
    twice = {}
    for row in rows:
        key = (row.source, heads[row.place])
        if key in seen:
            twice[row.source] = row.name
        seen.add(key)
    return twice


def _layout(
    dialect: Dialect, rows: Sequence[_Row], constants: Mapping[Source, list[float]], twice: Mapping[Source, str]
) -> Layout:
    scalars: dict[Source, list[int]] = defaultdict(list)
    families: dict[Source, list[tuple[int, _Row]]] = defaultdict(list)
    for number, row in enumerate(rows):
        if row.part == "value":
            scalars[row.source].append(number)
        else:
            families[row.source].append((number, row))
    named = [row.source.name for row in rows] + [source.name for source, there in constants.items() if there]
    return Layout(
        needed=tuple(row.place for row in rows),
        names=tuple(row.name for row in rows),
        owners=tuple(row.source for row in rows),
        scalars={source: tuple(places) for source, places in scalars.items()},
        constants={source: tuple(there) for source, there in constants.items() if there},
        histograms={source: _buckets(parts) for source, parts in families.items()},
        twice=twice,
        own=any(name.startswith(dialect.marks) for name in named),
    )


def _buckets(parts: Sequence[tuple[int, _Row]]) -> Buckets:
    by_bound: dict[float, list[int]] = defaultdict(list)
    for number, row in parts:
        if row.part == "bucket" and math.isfinite(row.bound):
            by_bound[row.bound].append(number)
    bounds = tuple(sorted(by_bound))
    places = tuple(tuple(by_bound[bound]) for bound in bounds)
    sums, counts = (tuple(n for n, row in parts if row.part == part) for part in ("sum", "count"))
    return Buckets(bounds, places, sums, counts, all(len(one) == 1 for one in places))
