"""What the heads of a page mean in a dialect: where each number of interest stands. Made once for a set of heads, then
taken from a cache, since scrape after scrape, and replica after replica, they are the same."""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from controlplane.observing.dialects import ENGINES, ROUTERS, Dialect, LoraFamily, Source
from controlplane.observing.page_lines import NotAPage, labels_of, name_and_labels

KEPT = 256
"""Layouts that are kept, of about 100 kB each: pages differ by model, engine number and what has happened yet."""
KEPT_HEADS = 1 << 15
"""Heads whose meaning is kept, of about 300 B each: where a label changes all the time (the adapters at work), a new
layout is then made of heads that are known but for one."""
MOST_DIGITS = 6
MOST_ADAPTERS = 1024
"""A batch has at most a few hundred requests: a page that lists more than so many adapters of one has not met them."""
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
class LoraState:
    """Adapters in use together, and where it stands when that was last so."""

    place: int
    slots: int
    running: tuple[str, ...]
    waiting: tuple[str, ...]


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
    lora: tuple[LoraState, ...]
    twice: Mapping[Source, str]
    """Sources of which a series stands on the page twice, and its name: neither of the two is to be believed."""
    own: bool
    """Whether anything of the engine's own is there."""


class NotPlain(Exception):
    """A line holds more than a head and a value: it is to be split with care."""


@dataclass(frozen=True, slots=True, eq=False)
class _Meaning:
    """What a series is to one source: its part of the family, and the number that its labels hold."""

    name: str
    part: str
    number: float
    """Of a bucket its bound, of a label its value, of a state of adapters the slots."""
    source: Source
    running: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    """Of a state of adapters, those of requests that run, and of requests that wait."""


_Row = tuple[int, _Meaning]
"""A needed series: its place on the page and its meaning."""


@lru_cache(maxsize=KEPT)
def layout_of(engine: str, heads: tuple[bytes, ...]) -> Layout:
    """The layout of a page with those heads in one engine's dialect.

    Raises:
        NotPlain: where a head is not one.
        NotAPage: where the labels of a needed series cannot be read.
    """
    rows: list[_Row] = []
    constants: dict[Source, list[float]] = defaultdict(list)
    for place, head in enumerate(heads):
        for meaning in _meanings(engine, head):
            if meaning.part == "label":
                constants[meaning.source].append(meaning.number)
            else:
                rows.append((place, meaning))
    rows = _one_form(rows)
    return _layout(_DIALECTS[engine], rows, constants, _twice(rows, heads))


@lru_cache(maxsize=KEPT_HEADS)
def _meanings(engine: str, head: bytes) -> tuple[_Meaning, ...]:
    """What a head means to the dialect's sources; empty: nothing. Raises as `layout_of`."""
    split = name_and_labels(head)
    if split is None:
        raise NotPlain
    wanted = _parts(engine).get(split[0])
    if not wanted:
        return ()
    name, labels = split[0].decode(), labels_of(split[1])
    if labels is None:
        raise NotAPage(f"the labels of {name} cannot be read: {split[1][:80].decode('utf-8', 'replace')!r}")
    return tuple(_found(engine, name, labels, wanted))


def _found(
    engine: str, name: str, labels: Mapping[str, str], wanted: Sequence[tuple[Source, str]]
) -> Iterator[_Meaning]:
    for source, part in wanted:
        if not _counts(source, labels):
            continue
        if part == "lora":
            yield from _lora(_DIALECTS[engine].lora, name, labels)
        elif part != "label":
            yield _Meaning(name, part, _bound(name, labels) if part == "bucket" else math.nan, source)
        elif (text := labels.get(source.label, "")).isascii() and text.isdigit():
            yield _Meaning(name, part, float(text), source)


def _lora(family: LoraFamily | None, name: str, labels: Mapping[str, str]) -> Iterator[_Meaning]:
    """A state of adapters; nothing where the slots are no number. Names are kept once for all pages."""
    slots = "" if family is None else labels.get(family.slots, "")
    if family is None or not (slots.isascii() and slots.isdigit() and len(slots) <= MOST_DIGITS and int(slots)):
        return
    running, waiting = (_adapters(labels.get(label, "")) for label in (family.running, family.waiting))
    yield _Meaning(name, "lora", float(slots), family.source, running, waiting)


def _adapters(listed: str) -> tuple[str, ...]:
    names = dict.fromkeys(one.strip() for one in listed.split(","))
    return tuple(islice((sys.intern(one) for one in names if one), MOST_ADAPTERS))


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
    if dialect.lora is not None:
        parts[dialect.lora.source.name.encode()].append((dialect.lora.source, "lora"))
    return dict(parts)


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
    values = [meaning for _, meaning in rows if meaning.part == "value"]
    both = {m.source for m in values if m.name != m.source.name} & {m.source for m in values if m.name == m.source.name}
    return [(n, m) for n, m in rows if m.part != "value" or m.source not in both or m.name != m.source.name]


def _twice(rows: Sequence[_Row], heads: Sequence[bytes]) -> dict[Source, str]:
    if len({heads[place] for place, _ in rows}) == len({place for place, _ in rows}):
        return {}
    first: dict[bytes, int] = {}
    return {m.source: m.name for place, m in rows if first.setdefault(heads[place], place) != place}


def _layout(
    dialect: Dialect, rows: Sequence[_Row], constants: Mapping[Source, list[float]], twice: Mapping[Source, str]
) -> Layout:
    scalars: dict[Source, list[int]] = defaultdict(list)
    families: dict[Source, list[_Row]] = defaultdict(list)
    lora: list[LoraState] = []
    for number, (_, meaning) in enumerate(rows):
        if meaning.part == "value":
            scalars[meaning.source].append(number)
        elif meaning.part == "lora":
            lora.append(LoraState(number, int(meaning.number), meaning.running, meaning.waiting))
        else:
            families[meaning.source].append((number, meaning))
    own = any(meaning.name.startswith(dialect.marks) for _, meaning in rows)
    return Layout(
        needed=tuple(place for place, _ in rows),
        names=tuple(meaning.name for _, meaning in rows),
        owners=tuple(meaning.source for _, meaning in rows),
        scalars={source: tuple(places) for source, places in scalars.items()},
        constants={source: tuple(there) for source, there in constants.items()},
        histograms={source: _buckets(parts) for source, parts in families.items()},
        lora=tuple(lora),
        twice=twice,
        own=own or any(source.name.startswith(dialect.marks) for source in constants),
    )


def _buckets(parts: Sequence[_Row]) -> Buckets:
    by_bound: dict[float, list[int]] = defaultdict(list)
    for number, meaning in parts:
        if meaning.part == "bucket" and math.isfinite(meaning.number):
            by_bound[meaning.number].append(number)
    bounds = tuple(sorted(by_bound))
    places = tuple(tuple(by_bound[bound]) for bound in bounds)
    sums, counts = (tuple(n for n, meaning in parts if meaning.part == part) for part in ("sum", "count"))
    return Buckets(bounds, places, sums, counts, all(len(one) == 1 for one in places))
