"""Binary heaps in parallel arrays; the caller keeps their lengths."""

from __future__ import annotations

from controlplane.simulation.core.jit import jit
from controlplane.simulation.core.state import Floats, Ints


@jit
def push_key(keys: Ints, values: Ints, size: int, key: int, value: int) -> None:
    """Add an entry to a heap of `size` entries, smallest key first."""
    place = size
    while place > 0:
        above = (place - 1) >> 1
        if keys[above] <= key:
            break
        keys[place], values[place] = keys[above], values[above]
        place = above
    keys[place], values[place] = key, value


@jit
def pop_key(keys: Ints, values: Ints, size: int) -> int:
    """Take the value of the smallest key from a heap of `size` entries."""
    top = values[0]
    key, value = keys[size - 1], values[size - 1]
    _sink(keys, values, size - 1, 0, key, value)
    return int(top)


@jit
def _sink(keys: Ints, values: Ints, size: int, place: int, key: int, value: int) -> None:
    while True:
        below = 2 * place + 1
        if below >= size:
            break
        if below + 1 < size and keys[below + 1] < keys[below]:
            below += 1
        if keys[below] >= key:
            break
        keys[place], values[place] = keys[below], values[below]
        place = below
    if size > 0:
        keys[place], values[place] = key, value


@jit
def remove_value(keys: Ints, values: Ints, size: int, value: int) -> None:
    """Take one value out of a heap of `size` entries, wherever it is, and make it a heap again."""
    place = 0
    while values[place] != value:
        place += 1
    last = size - 1
    keys[place], values[place] = keys[last], values[last]
    for start in range((last >> 1) - 1, -1, -1):
        _sink(keys, values, last, start, keys[start], values[start])


@jit
def _before(times: Floats, entries: Ints, one: int, other: int) -> bool:
    if times[one] != times[other]:
        return bool(times[one] < times[other])
    return bool(entries[one, 0] < entries[other, 0])


@jit
def push_timed(times: Floats, entries: Ints, size: int, time_s: float, number: int, value: int) -> None:
    """Add an entry to a heap of `size` entries, earliest first, then by number."""
    times[size], entries[size, 0], entries[size, 1] = time_s, number, value
    place = size
    while place > 0:
        above = (place - 1) >> 1
        if not _before(times, entries, place, above):
            break
        _swap(times, entries, place, above)
        place = above


@jit
def pop_timed(times: Floats, entries: Ints, size: int) -> int:
    """Take the value of the earliest entry from a heap of `size` entries."""
    top = entries[0, 1]
    last = size - 1
    _swap(times, entries, 0, last)
    place = 0
    while True:
        below = 2 * place + 1
        if below >= last:
            break
        if below + 1 < last and _before(times, entries, below + 1, below):
            below += 1
        if not _before(times, entries, below, place):
            break
        _swap(times, entries, place, below)
        place = below
    return int(top)


@jit
def _swap(times: Floats, entries: Ints, one: int, other: int) -> None:
    times[one], times[other] = times[other], times[one]
    for column in range(2):
        entries[one, column], entries[other, column] = entries[other, column], entries[one, column]
