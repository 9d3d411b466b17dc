"""Lines of the text exposition format (Prometheus 0.0.4 and OpenMetrics) -> heads and values, as bytes.

A head is a series' name with its labels. From one scrape to the next values change and heads do not, so all that can be
known from heads is worked out once (`layout`), and a scrape only splits its lines: nine tenths of the time of a parser
that takes every line apart is saved. TYPE and HELP lines are not needed, since each series is known by its full name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_NAME = rb"[a-zA-Z_:][a-zA-Z0-9_:]*"
# Possessive (++, *+): a page that is no page is refused in one pass, whatever it holds.
_QUOTED = rb'"(?:[^"\\]++|\\.)*+"'
_LABELS = rb"\{(?:[^\"{}]++|" + _QUOTED + rb")*+\}"
_HEAD = re.compile(rb"(" + _NAME + rb")(" + _LABELS + rb")?")
_LABEL = re.compile(rb"\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*\"((?:[^\"\\]++|\\.)*+)\"\s*(?:,|$)")
_STAMP = rb"(?:[ \t]+[-+0-9.eE]+)?"
_EXEMPLAR = rb"(?:[ \t]+#.*)?"
_SERIES = re.compile(
    rb"[ \t]*(" + _NAME + rb")(?:[ \t]*(" + _LABELS + rb")[ \t]*|[ \t]+)([^\s#]+)" + _STAMP + _EXEMPLAR + rb"[ \t\r]*"
)
_ESCAPES = {b"\\n": b"\n", b'\\"': b'"', b"\\\\": b"\\"}
_BOM = b"\xef\xbb\xbf"


class NotAPage(ValueError):
    """The bytes are no metrics page; the message says which line is not."""


def heads_and_values(body: bytes) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Every series' head and value, where each line is `head value` and nothing more; no line is looked into."""
    pairs = [line.rpartition(b" ") for line in body.removeprefix(_BOM).split(b"\n") if line and line[0] != 35]
    heads, _, values = zip(*pairs, strict=True) if pairs else ((), (), ())
    return heads, values


def careful_heads_and_values(body: bytes) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """As `heads_and_values`, for pages with time stamps, exemplars, tabs, carriage returns or odd blanks.

    Raises:
        NotAPage: at a line that is neither a comment nor a series.
    """
    pairs = list(_series(body.removeprefix(_BOM).split(b"\n")))
    heads, values = zip(*pairs, strict=True) if pairs else ((), ())
    return heads, values


def _series(lines: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith(b"#"):
            continue
        found = _SERIES.fullmatch(line)
        if found is None:
            raise NotAPage(f"line {number} is no series: {line[:80].decode('utf-8', 'replace')!r}")
        name, labels, value = found.groups()
        yield name + (labels or b""), value


def name_and_labels(head: bytes) -> tuple[bytes, bytes] | None:
    """A head's name and what is between its braces; None where it is more or less than a head."""
    found = _HEAD.fullmatch(head)
    return None if found is None else (found[1], (found[2] or b"{}")[1:-1])


def labels_of(text: bytes) -> dict[str, str] | None:
    """Labels by name, escapes undone; None where that is not what they are, or one comes twice."""
    labels: dict[str, str] = {}
    place = 0
    while place < len(text) and text[place:].strip():
        found = _LABEL.match(text, place)
        if found is None or (name := found[1].decode()) in labels:
            return None
        labels[name] = _unescaped(found[2]).decode("utf-8", "replace")
        place = found.end()
    return labels


def _unescaped(value: bytes) -> bytes:
    if b"\\" not in value:
        return value
    return re.sub(rb"\\.", lambda found: _ESCAPES.get(found[0], found[0]), value, flags=re.DOTALL)
