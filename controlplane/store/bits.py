"""Numbers of a few bits, one after the other."""

from __future__ import annotations

_LENGTH_BITS = 4
"""Of a number's own length in bits; the longest says that eight more follow."""
_LONG = (1 << _LENGTH_BITS) - 1


class BitWriter:
    """Collects bits, the first one first."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def put(self, value: int, size: int) -> None:
        """The lowest `size` bits of `value`."""
        if size:
            self._parts.append(f"{value & ((1 << size) - 1):0{size}b}")

    def number(self, value: int) -> None:
        """A number from 0 on, the shorter the smaller: its length, then what follows its leading one."""
        size = value.bit_length()
        if size < _LONG:
            self.put(size, _LENGTH_BITS)
        else:
            self.put(_LONG, _LENGTH_BITS)
            self.put(size, 8)
        if size > 1:
            self.put(value - (1 << (size - 1)), size - 1)

    def to_bytes(self) -> bytes:
        """All of them, filled up with zeros to whole bytes."""
        text = "".join(self._parts)
        count = (len(text) + 7) // 8
        return int(text.ljust(count * 8, "0") or "0", 2).to_bytes(count, "big")


class BitReader:
    """Gives back what a `BitWriter` collected."""

    def __init__(self, data: bytes) -> None:
        self._text = f"{int.from_bytes(data, 'big'):0{len(data) * 8}b}" if data else ""
        self._place = 0

    def get(self, size: int) -> int:
        """The next `size` bits.

        Raises:
            EOFError: if there are not so many.
        """
        end = self._place + size
        if end > len(self._text):
            raise EOFError(f"bit {end} of {len(self._text)}")
        found = int(self._text[self._place : end], 2) if size else 0
        self._place = end
        return found

    def read_number(self) -> int:
        """The next number."""
        size = self.get(_LENGTH_BITS)
        if size == _LONG:
            size = self.get(8)
        if size <= 1:
            return size
        return (1 << (size - 1)) + self.get(size - 1)
