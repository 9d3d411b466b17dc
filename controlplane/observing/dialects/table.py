"""The columns of a dialect's table: what an engine calls each field of a `Sample`, in which unit, since when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MILLISECOND_S = 1e-3


@dataclass(frozen=True, slots=True)
class Source:
    """One family on a page, or the part of it that has given labels.

    `name` is the family's as OpenMetrics has it, without a counter's `_total`: both forms are read.
    """

    name: str
    where: tuple[tuple[str, str], ...] = ()
    """Labels that a series must have to count."""
    totals_of: str = ""
    """A label by which the engine breaks the family down beside its total: only series where it is empty count."""
    label: str = ""
    """The number is not the series' value but this label's: how engines print their configuration."""
    scale: float = 1.0
    """What a value is multiplied by: to seconds, to tokens, to a share."""

    def formula(self) -> str:
        """As it stands in the documentation's table."""
        conditions = [f'{name}="{value}"' for name, value in self.where]
        conditions += [f'{self.totals_of}=""'] if self.totals_of else []
        text = self.name + (f"{{{','.join(conditions)}}}" if conditions else "")
        text += f"[{self.label}]" if self.label else ""
        return text if self.scale == 1.0 else f"{self.scale:g} * {text}"


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to get a field: the sum of `plus`, and of what there is of `also`, less `minus`, by `times` over `per`.

    All but `also` must be there. `old` marks names that the engine has given up: they are read, and named as a fault.
    """

    plus: tuple[Source, ...]
    also: tuple[Source, ...] = ()
    minus: tuple[Source, ...] = ()
    times: Source | None = None
    per: Source | None = None
    old: bool = False

    def sources(self) -> tuple[Source, ...]:
        """All that it may look at."""
        factors = tuple(source for source in (self.times, self.per) if source is not None)
        return (*self.plus, *self.also, *self.minus, *factors)

    def formula(self) -> str:
        """As it stands in the documentation's table."""
        text = " + ".join([*(one.formula() for one in self.plus), *(f"({one.formula()})" for one in self.also)])
        text += "".join(f" - {one.formula()}" for one in self.minus)
        text += f" * {self.times.formula()}" if self.times else ""
        return text + (f" / {self.per.formula()}" if self.per else "")


@dataclass(frozen=True, slots=True)
class LoraFamily:
    """A family of which every series is a state of adapters in use, and its value when that was last so (unix seconds):
    labels hold the number of slots, and the adapters' names with commas between."""

    source: Source
    slots: str
    running: str
    waiting: str

    def formula(self) -> str:
        """As it stands in the documentation's table."""
        return f"{self.source.formula()}[{self.slots}, {self.running}, {self.waiting}]"


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one engine prints. Fields are those of `Sample` (of `PoolSample` for routers), each with its readings, best
    first. What several engines behind one page say is added up, save for `means`."""

    engine: str
    marks: tuple[str, ...]
    """Starts of the names of its metrics, by which its pages are known."""
    evidence: str
    """Where the names are from."""
    scalars: Mapping[str, tuple[Reading, ...]]
    histograms: Mapping[str, tuple[Source, ...]]
    """Families, newest first."""
    required: tuple[str, ...]
    """Without these little can be said; each one's absence is a fault of its own."""
    means: frozenset[str] = field(default_factory=frozenset)
    """Shares and times: averaged over the engines behind one page."""
    old: frozenset[str] = field(default_factory=frozenset)
    """Histograms' names that the engine has given up."""
    lora: LoraFamily | None = None

    def sources(self) -> tuple[Source, ...]:
        """All that scalars are made of."""
        return tuple(source for readings in self.scalars.values() for one in readings for source in one.sources())

    def names(self, field_name: str) -> tuple[str, ...]:
        """What a field's first source is called, newest first."""
        if field_name in self.histograms:
            return tuple(source.name for source in self.histograms[field_name])
        return tuple(reading.plus[0].name for reading in self.scalars[field_name])


def read(*names: str, totals_of: str = "", **where: str) -> tuple[Reading, ...]:
    """A field that is one family, by its names, the newest first and the others given up."""
    made = (Source(name, tuple(where.items()), totals_of) for name in names)
    return tuple(Reading((source,), old=place > 0) for place, source in enumerate(made))


def either(*names: str, **where: str) -> tuple[Reading, ...]:
    """A field that is one of several families, the better first, none of them given up."""
    return tuple(Reading((Source(name, tuple(where.items())),)) for name in names)


START = read("process_start_time_seconds")
"""Of the client libraries of Python, Go and others, not of an engine."""
MEANS = frozenset({"kv_usage", "started_at_s"})
