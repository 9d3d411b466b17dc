"""Tables as files: CSV that a spreadsheet takes for text, and Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

CHUNK_BYTES = 64 * 1024


def csv_lines(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """A header and a line for each row; None is an empty cell."""
    yield csv_line(list(columns))
    for row in rows:
        yield csv_line([harmless("" if value is None else str(value)) for value in row])


def csv_line(values: Sequence[str]) -> str:
    """One line."""
    out = io.StringIO()
    csv.writer(out).writerow(values)
    return out.getvalue()


def harmless(cell: str) -> str:
    """A cell that a spreadsheet would run as a formula is shown as text (OWASP: CSV injection)."""
    risky = cell[:1] in ("=", "+", "@", "\t", "\r") or (cell[:1] == "-" and not cell[1:2].isdigit())
    return f"'{cell}" if risky else cell


def chunks(body: bytes) -> Iterator[bytes]:
    """A file in pieces, so that no proxy holds it whole."""
    for start in range(0, len(body), CHUNK_BYTES):
        yield body[start : start + CHUNK_BYTES]
