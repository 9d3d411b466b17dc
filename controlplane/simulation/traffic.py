"""Where requests come from: a recorded trace, or a generated day that can be taken up at any time."""

from __future__ import annotations

import csv
import gzip
import io
import math
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

DAY_S = 86_400.0
MINUTE_S = 60.0
COPY_SHIFT = (math.sqrt(5) - 1) / 2
COPIES_WITHIN_S = 300.0
"""Copies of a trace are shifted by multiples of the golden section of five minutes, wrapped: never onto one another,
and near enough that days, hours and ramps keep their shape. Within seconds, requests come in clumps of as many as there
are copies, and minutes differ as much as those of the trace itself."""


@dataclass(frozen=True, slots=True, eq=False)
class Arrivals:
    """Requests by arrival (unix seconds, ascending); columns of equal length. `cached_tokens` of the prompt are in
    some replica's prefix cache."""

    at_s: np.ndarray
    input_tokens: np.ndarray
    output_tokens: np.ndarray
    cached_tokens: np.ndarray

    @classmethod
    def of(
        cls, at_s: np.ndarray, inputs: np.ndarray, outputs: np.ndarray, cached: np.ndarray | None = None
    ) -> Arrivals:
        """With columns of the types that the core takes; nothing is cached unless it is said."""
        whole = [np.asarray(c, np.int64) for c in (inputs, outputs, np.zeros(len(at_s)) if cached is None else cached)]
        return cls(np.asarray(at_s, np.float64), *whole)

    @classmethod
    def none(cls) -> Arrivals:
        """No request."""
        return cls.of(*(np.empty(0) for _ in range(3)))

    def then(self, others: Arrivals) -> Arrivals:
        """These, and later ones after them."""
        columns = [np.concatenate((mine, theirs)) for mine, theirs in zip(self.columns, others.columns, strict=True)]
        return Arrivals(*columns)

    @property
    def columns(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Times, prompts, answers, cached tokens."""
        return self.at_s, self.input_tokens, self.output_tokens, self.cached_tokens

    def __len__(self) -> int:
        return len(self.at_s)


class Traffic(Protocol):
    """One target's requests in time."""

    def arrivals(self, from_s: float, until_s: float) -> Arrivals:
        """Those in `[from_s, until_s)`, in order; the same for the same times, always."""
        ...


class TraceError(ValueError):
    """A trace that cannot be read; the message names the file, the line, the column and what is allowed."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Requests by seconds since the trace's start; columns of equal length, times ascending."""

    at_s: np.ndarray
    input_tokens: np.ndarray
    output_tokens: np.ndarray
    cached_tokens: np.ndarray | None = None
    """Prompt tokens that a prefix cache holds; None where the trace does not say."""
    copies_within_s: float = COPIES_WITHIN_S
    """By how much the copies of `scaled` are shifted at most."""

    @property
    def duration_s(self) -> float:
        """From the start to just after the last request."""
        return float(self.at_s[-1]) + 1e-6

    def __len__(self) -> int:
        return len(self.at_s)

    def scaled(self, rate: float) -> Trace:
        """`rate` times the requests: time-shifted copies, wrapped around; the last one thinned to the fraction."""
        return self._merged(list(self.copies(rate)))

    def copies(self, rate: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """What `scaled` puts together: times and rows of each copy, times not in order. For those who need a part of
        it, since the whole of a long trace may not fit into memory."""
        if not 0 < rate <= 1000:
            raise TraceError(f"rate scale is {rate!r}; allowed: above 0, at most 1000")
        return (self._copy(index, min(1.0, rate - index)) for index in range(math.ceil(rate - 1e-9)))

    def scaled_window(self, rate: float, from_s: float, length_s: float) -> Trace:
        """`scaled(rate).window(from_s, length_s)`, in the memory that the window takes."""
        pieces = []
        for at_s, rows in self.copies(rate):
            inside = (at_s >= from_s) & (at_s < from_s + length_s)
            pieces.append((at_s[inside], rows[inside]))
        found = self._merged(pieces)
        return found.window(from_s, length_s)

    def _merged(self, pieces: list[tuple[np.ndarray, np.ndarray]]) -> Trace:
        at_s, rows = (np.concatenate(columns) for columns in zip(*pieces, strict=True))
        order = np.argsort(at_s, kind="stable")
        return self._picked(at_s[order], rows[order])

    def window(self, from_s: float, length_s: float) -> Trace:
        """The requests of `[from_s, from_s + length_s)`, times from its start."""
        low, high = np.searchsorted(self.at_s, (from_s, from_s + length_s))
        if low == high:
            raise TraceError(f"the window from {from_s:g} s of {length_s:g} s has no requests; allowed: at least one")
        return self._picked(self.at_s[low:high] - from_s, np.arange(low, high))

    def _picked(self, at_s: np.ndarray, rows: np.ndarray) -> Trace:
        cached = None if self.cached_tokens is None else self.cached_tokens[rows]
        return Trace(at_s, self.input_tokens[rows], self.output_tokens[rows], cached)

    def _copy(self, index: int, share: float) -> tuple[np.ndarray, np.ndarray]:
        shift_s = self.copies_within_s * (index * COPY_SHIFT % 1.0)
        at_s = (self.at_s + shift_s) % self.duration_s
        # Keep every request whose place in the sequence crosses a whole number at this share: evenly thinned.
        places = np.floor(np.arange(1, len(self) + 1) * share) > np.floor(np.arange(len(self)) * share)
        return at_s[places], np.flatnonzero(places)


def read_trace(path: Path) -> Trace:
    """A `.csv` or `.csv.gz` with columns `arrival_s`, `input_tokens`, `output_tokens` and, where it is known,
    `prefix_cached_tokens`; others are left out.

    Raises:
        TraceError: if the file, a column or a value cannot be used.
    """
    try:
        with _open_text(path) as file:
            rows = _plain_columns(file)
        if rows is None:
            with _open_text(path) as file:
                rows = np.array(list(_rows(path, csv.DictReader(file))), dtype=float)
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise TraceError(f"trace {path} cannot be read: {error}") from error
    if not len(rows):
        raise TraceError(f"trace {path} has no requests; allowed: at least one row")
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    cached = rows[:, 3].astype(int) if rows[:, 3].any() else None
    return Trace(rows[:, 0] - rows[0, 0], rows[:, 1].astype(int), rows[:, 2].astype(int), cached)


def _open_text(path: Path) -> io.TextIOBase:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


_COLUMNS = (("arrival_s", 0.0), ("input_tokens", 1.0), ("output_tokens", 1.0))
"""Column names and the least value each may have."""
_CACHED = "prefix_cached_tokens"


def _plain_columns(file: io.TextIOBase) -> np.ndarray | None:
    """The four columns of a file in which every value is plainly a number that is allowed; None for another, which is
    read again line by line, to say which one is not or to take what numpy does not. Five times as fast."""
    names = next(csv.reader([file.readline()]), [])
    wanted = [name for name, _ in _COLUMNS] + [_CACHED] * (_CACHED in names)
    if any(names.count(name) != 1 for name in wanted):
        return None
    try:
        places = [names.index(name) for name in wanted]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a file without rows, which is said by the caller
            read = np.loadtxt(file, delimiter=",", comments=None, quotechar='"', usecols=places, ndmin=2)
    except ValueError:
        return None
    rows = np.zeros((len(read), 4))
    rows[:, : len(wanted)] = read
    if not np.isfinite(rows).all() or (rows[:, 0] < 0.0).any():
        return None
    return np.maximum(rows, [least for _, least in _COLUMNS] + [0.0])


def _rows(path: Path, reader: csv.DictReader[str]) -> Iterator[tuple[float, ...]]:
    missing = [name for name, _ in _COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise TraceError(
            f"trace {path} has no column {', '.join(missing)}; it has {', '.join(reader.fieldnames or ())}"
        )
    cached = _CACHED if _CACHED in (reader.fieldnames or ()) else None
    for row in reader:
        asked = tuple(_number(path, reader.line_num, name, row[name], least) for name, least in _COLUMNS)
        yield (*asked, _number(path, reader.line_num, cached, row[cached] or "0", 0.0) if cached else 0.0)


def _number(path: Path, line: int, column: str, text: str | None, least: float) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and (value >= least or column != "arrival_s")):
        raise TraceError(f"trace {path} line {line}: {column} is {text!r}; allowed: a number of at least {least:g}")
    # A request of no tokens is one of one token: engines answer at least one, and read at least one.
    return max(value, least)


@dataclass(frozen=True, slots=True)
class TraceTraffic:
    """A trace from `origin_s` on; with `repeat` it begins again when it ends."""

    trace: Trace
    origin_s: float
    repeat: bool = False

    def arrivals(self, from_s: float, until_s: float) -> Arrivals:
        """See `Traffic`."""
        first = math.floor((from_s - self.origin_s) / self.trace.duration_s)
        last = math.floor((until_s - self.origin_s) / self.trace.duration_s)
        found = Arrivals.none()
        for lap in range(max(first, 0), (last if self.repeat else min(last, 0)) + 1):
            found = found.then(self._lap(self.origin_s + lap * self.trace.duration_s, from_s, until_s))
        return found

    def _lap(self, start_s: float, from_s: float, until_s: float) -> Arrivals:
        trace = self.trace
        low, high = (self._first_from(start_s, at_s) for at_s in (from_s, until_s))
        cached = None if trace.cached_tokens is None else trace.cached_tokens[low:high]
        return Arrivals.of(
            trace.at_s[low:high] + start_s, trace.input_tokens[low:high], trace.output_tokens[low:high], cached
        )

    def _first_from(self, start_s: float, at_s: float) -> int:
        """The first request at or after `at_s`. Compared as absolute times, so that neighbouring calls never both take
        or both leave a request."""
        times = self.trace.at_s
        place = int(np.searchsorted(times, at_s - start_s))
        while place > 0 and times[place - 1] + start_s >= at_s:
            place -= 1
        while place < len(times) and times[place] + start_s < at_s:
            place += 1
        return place


@dataclass(frozen=True, slots=True)
class DayShape:
    """A generated day: lognormal lengths, and a rate with a daily wave, a quiet night, a step and bursts."""

    mean_rps: float
    input_tokens: float
    output_tokens: float
    input_sigma: float = 0.9
    output_sigma: float = 0.7
    wave: float = 0.5
    """Amplitude of the daily sine; its top is at 14:00 UTC."""
    night: float = 0.15
    """Factor on the rate from 01:00 to 05:00 UTC."""
    step: float = 1.6
    """Factor on the rate from 10:00 to 12:00 UTC: a customer's launch."""
    burst: float = 2.0
    """Factor on the rate in a burst; one begins in a quarter of the hours and lasts eight minutes."""
    max_tokens: int = 16_000


@dataclass(frozen=True, slots=True)
class GeneratedTraffic:
    """A seeded Poisson process whose minutes are drawn apart, so that it can be taken up at any time."""

    shape: DayShape
    seed: int
    key: str

    def arrivals(self, from_s: float, until_s: float) -> Arrivals:
        """See `Traffic`."""
        found = Arrivals.none()
        for minute in range(math.floor(from_s / MINUTE_S), math.ceil(until_s / MINUTE_S)):
            drawn = self._minute(minute)
            inside = (drawn.at_s >= from_s) & (drawn.at_s < until_s)
            found = found.then(Arrivals(*(column[inside] for column in drawn.columns)))
        return found

    def rate_rps(self, at_s: float) -> float:
        """The mean rate at a time, requests/s."""
        shape = self.shape
        hour = at_s % DAY_S / 3600.0
        rate = shape.mean_rps * (1.0 + shape.wave * math.cos((hour - 14.0) / 24.0 * 2.0 * math.pi))
        rate *= shape.night if 1.0 <= hour < 5.0 else 1.0
        rate *= shape.step if 10.0 <= hour < 12.0 else 1.0
        return rate * (shape.burst if self._bursts(at_s) else 1.0)

    def _bursts(self, at_s: float) -> bool:
        hour = math.floor(at_s / 3600.0)
        chance, place = self._random(hour, 1).random(2)
        start_s = hour * 3600.0 + place * (3600.0 - 480.0)
        return bool(chance < 0.25) and start_s <= at_s < start_s + 480.0

    def _minute(self, minute: int) -> Arrivals:
        random = self._random(minute, 0)
        start_s = minute * MINUTE_S
        count = int(random.poisson(self.rate_rps(start_s) * MINUTE_S))
        times = start_s + np.sort(random.random(count)) * MINUTE_S
        inputs = self._lengths(random, count, self.shape.input_tokens, self.shape.input_sigma)
        outputs = self._lengths(random, count, self.shape.output_tokens, self.shape.output_sigma)
        return Arrivals.of(times, inputs, outputs)

    def _lengths(self, random: np.random.Generator, count: int, mean: float, sigma: float) -> np.ndarray:
        drawn = random.lognormal(math.log(mean) - sigma**2 / 2.0, sigma, count)
        return np.clip(np.rint(drawn), 1, self.shape.max_tokens).astype(int)

    def _random(self, index: int, stream: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, zlib.crc32(self.key.encode()), stream, index))
