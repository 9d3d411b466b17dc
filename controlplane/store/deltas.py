"""A JSON value as its difference from one that is much like it, in bits.

What is the same costs one bit, whatever its size. A changed number costs about as many bits as its last digits: numbers
are taken as decimals, as their text says them, so that rounded values are small and every value comes back exactly.
A list that lost some at its front and gained some at its end (a memory of the last minutes) costs what it gained.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from controlplane.store.bits import BitReader, BitWriter

Json = Any
"""What `json` reads and writes."""
_NUMBER = re.compile(r"(?<![\w.])(?:0|[1-9]\d*)(?:\.\d+)?(?![\w.])")
"""A number within words; one that is part of a name is none."""
_MOST_DECIMALS = 30


class NotADelta(ValueError):
    """Bytes that are no difference from this base."""


def encode(base: Json, new: Json) -> bytes:
    """`new` as the difference from `base`."""
    writer = DeltaWriter()
    writer.value(base, new)
    return writer.to_bytes()


def decode(base: Json, data: bytes) -> Json:
    """The value that `encode` was given with the same `base`.

    Raises:
        NotADelta: if it cannot be read.
    """
    with unreadable():
        return DeltaReader(data).value(base)


@contextmanager
def unreadable() -> Iterator[None]:
    """Turns whatever bytes that are no difference lead to into `NotADelta`."""
    try:
        yield
    except (IndexError, ValueError, zlib.error, EOFError, KeyError, TypeError, AttributeError) as error:
        raise NotADelta(str(error)) from error


class DeltaWriter:
    """Collects the differences of several values, in the order in which they are read again."""

    def __init__(self) -> None:
        self.bits = BitWriter()
        self.words: list[Json] = []

    def value(self, base: Json, new: Json) -> None:
        """One value more."""
        if base == new:
            self.bits.put(0, 1)
            return
        self.bits.put(1, 1)
        if isinstance(base, dict) and isinstance(new, dict) and list(base) == list(new):
            self.bits.put(1, 1)
            for key, before in base.items():
                self.value(before, new[key])
        elif isinstance(base, list) and isinstance(new, list) and base:
            self.bits.put(1, 1)
            self._list(base, new)
        elif _is_number(base) and _is_number(new) and isinstance(base, float) == isinstance(new, float):
            self.bits.put(1, 1)
            self._number(_decimal(base), _decimal(new))
        elif isinstance(base, str) and isinstance(new, str) and _alike(base, new):
            self.bits.put(1, 1)
            self._text(base, new)
        else:
            self.bits.put(0, 1)
            self.words.append(new)

    def to_bytes(self) -> bytes:
        """Two bytes with the length of the bits, the bits, and deflated what no bits could say."""
        bits = self.bits.to_bytes()
        words = b""
        if self.words:
            deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
            words = deflate.compress(json.dumps(self.words, separators=(",", ":")).encode()) + deflate.flush()
        return len(bits).to_bytes(2, "big") + bits + words

    def _list(self, base: list[Json], new: list[Json]) -> None:
        dropped = _dropped(base, new)
        if dropped is None:
            self.bits.put(0, 1)
            self.bits.number(len(new))
            for place, value in enumerate(new):
                self.value(base[min(place, len(base) - 1)], value)
            return
        self.bits.put(1, 1)
        self.bits.number(dropped)
        added = new[len(base) - dropped :]
        self.bits.number(len(added))
        before = base[-1]
        for value in added:
            self.value(before, value)
            before = value

    def _text(self, base: str, new: str) -> None:
        for before, after in zip(_NUMBER.findall(base), _NUMBER.findall(new), strict=True):
            same = before == after
            self.bits.put(int(not same), 1)
            if not same:
                self._number(_split(before), _split(after))

    def _number(self, base: tuple[int, int], new: tuple[int, int]) -> None:
        """Digits and decimals: the decimals where they differ, then the difference of the digits."""
        self.bits.put(int(base[1] != new[1]), 1)
        if base[1] != new[1]:
            self.bits.number(new[1])
        before = _scaled(base, new[1])
        self.bits.number(_zigzag(new[0] - before))


class DeltaReader:
    """Gives back what a `DeltaWriter` collected; to be used within `unreadable`."""

    def __init__(self, data: bytes) -> None:
        size = int.from_bytes(data[:2], "big")
        self.bits = BitReader(data[2 : 2 + size])
        rest = data[2 + size :]
        self.words: list[Json] = list(reversed(json.loads(zlib.decompress(rest, -15)))) if rest else []

    def value(self, base: Json) -> Json:
        """The next value."""
        if not self.bits.get(1):
            return base
        if not self.bits.get(1):
            return self.words.pop()
        if isinstance(base, dict):
            return {key: self.value(before) for key, before in base.items()}
        if isinstance(base, list):
            return self._list(base)
        if isinstance(base, str):
            return self._text(base)
        digits, decimals = self._number(_decimal(base))
        return float(f"{digits}e-{decimals}") if isinstance(base, float) else digits

    def _list(self, base: list[Json]) -> list[Json]:
        if not self.bits.get(1):
            count = self.bits.read_number()
            return [self.value(base[min(place, len(base) - 1)]) for place in range(count)]
        found, before = base[self.bits.read_number() :], base[-1]
        for _ in range(self.bits.read_number()):
            before = self.value(before)
            found.append(before)
        return found

    def _text(self, base: str) -> str:
        def one(match: re.Match[str]) -> str:
            if not self.bits.get(1):
                return match.group()
            digits, decimals = self._number(_split(match.group()))
            text = str(digits).rjust(decimals + 1, "0")
            return f"{text[:-decimals]}.{text[-decimals:]}" if decimals else text

        return _NUMBER.sub(one, base)

    def _number(self, base: tuple[int, int]) -> tuple[int, int]:
        decimals = self.bits.read_number() if self.bits.get(1) else base[1]
        return _scaled(base, decimals) + _unzigzag(self.bits.read_number()), decimals


def _is_number(value: Json) -> bool:
    """Whether it is a number that a decimal of a few digits says."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, int) or (value == value and abs(value) < 1e16 and _decimal(value)[1] <= _MOST_DECIMALS)


def _decimal(value: float) -> tuple[int, int]:
    """Digits and decimals of a number's shortest text: 1.25 is (125, 2), 3.0 is (3, 0)."""
    text = repr(value)
    if "e" in text:
        text = f"{value:.{_MOST_DECIMALS + 20}f}" if abs(value) >= 1 else _plain(text)
    whole, _, decimals = text.partition(".")
    decimals = decimals.rstrip("0")
    return int(whole + decimals), len(decimals)


def _plain(text: str) -> str:
    """A small number's text without an exponent."""
    mantissa, _, exponent = text.partition("e")
    sign, mantissa = ("-", mantissa[1:]) if mantissa.startswith("-") else ("", mantissa)
    digits = mantissa.replace(".", "")
    return f"{sign}0.{'0' * (-int(exponent) - 1)}{digits}"


def _split(text: str) -> tuple[int, int]:
    whole, _, decimals = text.partition(".")
    return int(whole + decimals), len(decimals)


def _scaled(number: tuple[int, int], decimals: int) -> int:
    """The digits at another number of decimals, cut."""
    digits, have = number
    if decimals >= have:
        return digits * int(10 ** (decimals - have))
    cut = abs(digits) // int(10 ** (have - decimals))
    return cut if digits >= 0 else -cut


def _alike(base: str, new: str) -> bool:
    """Whether two texts differ in nothing but numbers."""
    return _NUMBER.sub("#", base) == _NUMBER.sub("#", new)


def _dropped(base: Sequence[Json], new: Sequence[Json]) -> int | None:
    """How many of the first of `base` are gone where `new` is the rest and more; None where it is not."""
    if not isinstance(base[0], dict):
        return None
    for count in range(len(base)):
        kept = len(base) - count
        if kept <= len(new) and base[count] == new[0] and list(base[count:]) == list(new[:kept]):
            return count
    return None


def _zigzag(value: int) -> int:
    return value * 2 if value >= 0 else -value * 2 - 1


def _unzigzag(value: int) -> int:
    return -(value + 1) // 2 if value & 1 else value // 2
