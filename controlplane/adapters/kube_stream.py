"""A stream of bytes -> lines, however the bytes are cut and however long a line is."""

from __future__ import annotations


class Lines:
    """Gathers chunks into lines. aiohttp's own reader of lines refuses those above its buffer, and one Node with a
    thousand images, or a Pod with large annotations, may be above it."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that this chunk ends, without their ends; empty ones are left out."""
        first, *rest = chunk.split(b"\n")
        self._parts.append(first)
        if not rest:
            return []
        *whole, last = [b"".join(self._parts), *rest]
        self._parts = [last]
        return [line for line in whole if line.strip()]
