"""One page -> fields by name, in whichever dialect it is written. All dialects are read by this one code."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from controlplane.domain.observation import Fault, FaultKind, Histogram, LoraPage
from controlplane.observing.adapter_use import lora_page
from controlplane.observing.dialects import Dialect, Reading, Source
from controlplane.observing.layout import Buckets, Layout, NotPlain, layout_of
from controlplane.observing.page_lines import NotAPage, careful_heads_and_values, heads_and_values


@dataclass(frozen=True, slots=True)
class Fields:
    """What a page says. A field that it does not say, or not in a number that can be, is None."""

    dialect: Dialect
    scalars: dict[str, float | None]
    histograms: dict[str, Histogram | None]
    lora: LoraPage | None
    faults: tuple[Fault, ...]


@dataclass(slots=True)
class _Page:
    """A page's numbers by their place in the layout."""

    dialect: Dialect
    layout: Layout
    values: list[float]
    replica: str
    faults: list[Fault] = field(default_factory=list)
    spoiled: set[Source] = field(default_factory=set)


def read_fields(body: bytes, replica: str, dialects: Sequence[Dialect]) -> Fields:
    """What the page says in the first of `dialects` that it is written in; faults are `replica`'s.

    Raises:
        NotAPage: if it is no metrics page, breaks off, or is in none of them; the message names what was looked for.
    """
    if not body.rstrip(b"\r").endswith(b"\n"):
        raise NotAPage("the page breaks off: its last line has no end" if body else "the page is empty")
    for dialect in dialects:
        if _is_marked(body, dialect):
            layout, raw = _laid_out(body, dialect)
            if layout.own:
                page = _Page(dialect, layout, _numbers(layout, raw), replica)
                _check(page)
                return _fields(page)
    careful_heads_and_values(body)
    sought = ", ".join(f"{dialect.engine} ({dialect.marks[0]}*)" for dialect in dialects)
    raise NotAPage(f"the page holds metrics of none of {sought}")


def _is_marked(body: bytes, dialect: Dialect) -> bool:
    marks = [mark.encode() for mark in dialect.marks]
    return any(mark in body for mark in marks)


def _laid_out(body: bytes, dialect: Dialect) -> tuple[Layout, tuple[bytes, ...]]:
    heads, values = heads_and_values(body)
    try:
        return layout_of(dialect.engine, heads), values
    except NotPlain:
        heads, values = careful_heads_and_values(body)
        return layout_of(dialect.engine, heads), values


def _numbers(layout: Layout, raw: tuple[bytes, ...]) -> list[float]:
    """The needed values.

    Raises:
        NotAPage: at one that is no number of this format.
    """
    needed = [raw[place] for place in layout.needed]
    try:
        values = list(map(float, needed))
    except ValueError as error:
        raise NotAPage(f"a value is no number: {error}"[:200]) from None
    if b"_" in b" ".join(needed):  # Python's numbers may hold them, a page's may not
        raise NotAPage("a value is no number: it holds an underscore")
    return values


def _check(page: _Page) -> None:
    """Name what cannot be, and spoil the family that it is of: a sum with one part missing would be a wrong number."""
    for source, name in page.layout.twice.items():
        page.spoiled.add(source)
        page.faults.append(Fault(FaultKind.DUPLICATE, page.replica, name, "stands on the page twice"))
    if page.values and min(page.values) >= 0.0 and all(map(math.isfinite, page.values)):
        return
    for value, name, source in zip(page.values, page.layout.names, page.layout.owners, strict=True):
        if not math.isfinite(value):
            page.faults.append(Fault(FaultKind.NOT_FINITE, page.replica, name, f"is {value}"))
        elif value < 0:
            page.faults.append(Fault(FaultKind.NEGATIVE, page.replica, name, f"is {value}"))
        else:
            continue
        page.spoiled.add(source)


def _fields(page: _Page) -> Fields:
    dialect = page.dialect
    scalars = {name: _scalar(page, readings, name in dialect.means) for name, readings in dialect.scalars.items()}
    histograms = {name: _histogram(page, sources, name) for name, sources in dialect.histograms.items()}
    known = {**scalars, **histograms}
    told = {fault.metric for fault in page.faults if fault.kind is FaultKind.MISSING}
    for name in dialect.required:
        metric = dialect.names(name)[0]
        if known[name] is None and metric not in told:
            page.faults.append(Fault(FaultKind.MISSING, page.replica, metric))
    # A series that two fields are made of is named once.
    return Fields(dialect, scalars, histograms, _lora(page), tuple(dict.fromkeys(page.faults)))


def _scalar(page: _Page, readings: tuple[Reading, ...], mean: bool) -> float | None:
    """By the first of the readings that is there."""
    for reading in readings:
        if not all(_is_there(page.layout, source) for source in _musts(reading)):
            continue
        value = _by(page, reading, mean)
        if value is not None and reading.old:
            _name_old(page, reading.plus[0].name, readings[0].plus[0].name)
        return value
    return None


def _musts(reading: Reading) -> tuple[Source, ...]:
    factors = tuple(source for source in (reading.times, reading.per) if source is not None)
    return (*reading.plus, *reading.minus, *factors)


def _is_there(layout: Layout, source: Source) -> bool:
    return source in layout.scalars or source in layout.constants


def _by(page: _Page, reading: Reading, mean: bool) -> float | None:
    layout = page.layout
    terms = (*reading.plus, *(source for source in reading.also if _is_there(layout, source)))
    plus = [_value(page, source, mean) for source in terms]
    minus = [_value(page, source, mean) for source in reading.minus]
    times = _value(page, reading.times, True) if reading.times else 1.0
    per = _value(page, reading.per, mean) if reading.per else 1.0
    if None in plus or None in minus or times is None or not per:
        return None
    # The two of a difference are not read at one moment: there are not less than none.
    return max(0.0, sum(x for x in plus if x is not None) - sum(x for x in minus if x is not None)) * times / per


def _value(page: _Page, source: Source, mean: bool) -> float | None:
    """A source's value over the engines behind the page; None where one of them cannot be believed."""
    if source in page.spoiled:
        return None
    places = page.layout.scalars.get(source)
    values = page.layout.constants.get(source, ()) if places is None else [page.values[place] for place in places]
    if not values:
        return None
    total = sum(values) * source.scale
    if not math.isfinite(total):
        return None
    return total / len(values) if mean else total


def _lora(page: _Page) -> LoraPage | None:
    """Nothing where a moment that it tells cannot be believed: it may be the newest."""
    family, states = page.dialect.lora, page.layout.lora
    if family is None or not states or family.source in page.spoiled:
        return None
    return lora_page([(page.values[one.place], one.slots, one.running, one.waiting) for one in states])


def _histogram(page: _Page, sources: tuple[Source, ...], name: str) -> Histogram | None:
    """By the first of the sources that is there; None where a part of it is not: what is made with nought would lie."""
    for source in sources:
        buckets = page.layout.histograms.get(source)
        if buckets is None:
            continue
        if source in page.spoiled:
            return None
        if not buckets.bounds or not buckets.sums or len(buckets.sums) != len(buckets.counts):
            words = "it does not have its buckets, its sum and its count"
            page.faults.append(Fault(FaultKind.MISSING, page.replica, source.name, words))
            return None
        if source.name in page.dialect.old:
            _name_old(page, source.name, page.dialect.names(name)[0])
        return _made(page.values, buckets, source.scale)
    return None


def _made(values: list[float], buckets: Buckets, scale: float) -> Histogram | None:
    if buckets.plain:
        inside = [values[place] for (place,) in buckets.places]
    else:
        inside = [sum(values[place] for place in places) for places in buckets.places]
    # Engines with unlike bounds behind one page: where one of them does not say, there is no less than before.
    cumulative = tuple(accumulate(inside, max))
    count = max(sum(values[place] for place in buckets.counts), cumulative[-1])
    total = sum(values[place] for place in buckets.sums)
    if not math.isfinite(count + total):
        return None
    if scale == 1.0:
        return Histogram(buckets.bounds, cumulative, total, count)
    return Histogram(tuple(bound * scale for bound in buckets.bounds), cumulative, total * scale, count)


def _name_old(page: _Page, old: str, new: str) -> None:
    page.faults.append(Fault(FaultKind.RENAMED, page.replica, old, f"now called {new}"))
