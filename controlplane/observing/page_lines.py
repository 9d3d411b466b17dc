"""Lines of the text exposition format -> the few series that are read. The rest of a page, nine tenths of it, is not
parsed: thirty pages of 60 kB are to be read within a fraction of a second, at every step.

TYPE lines are not needed, since each series is known by its full name: pages without them are read as well.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping


def series(text: str, names: Collection[str]) -> Iterator[tuple[str, str, float]]:
    """Name, labels as they are written (empty: none) and value of every series whose name is in `names`.

    Raises:
        ValueError: at a line that no metrics page has, or a value that is no number.
    """
    for line in text.split("\n"):
        if not line or line[0] == "#":
            continue
        brace = line.find("{")
        name = line[:brace] if brace >= 0 else line.partition(" ")[0]
        if name not in names:
            if brace < 0 and " " not in line and line.strip():
                raise ValueError(f"not a metrics page: {line[:80]!r}")
            continue
        if brace < 0:
            yield name, "", _number(line[len(name) :])
        else:
            line = line.partition(" # ")[0]  # an exemplar has labels of its own
            end = line.rfind("}")
            yield name, line[brace + 1 : end], _number(line[end + 1 :])


def label(labels: str, name: str) -> str | None:
    """The value of one label whose values hold no quotes; None where it is absent."""
    start = -1
    while (start := labels.find(f'{name}="', start + 1)) >= 0:
        if start == 0 or labels[start - 1] in ", ":
            start += len(name) + 2
            return labels[start : labels.index('"', start)]
    return None


def labels_of(labels: str, names: Collection[str]) -> Mapping[str, str]:
    """Those labels that are there."""
    return {name: value for name in names if (value := label(labels, name)) is not None}


def _number(text: str) -> float:
    """The value; a time stamp may follow it."""
    words = text.split()
    if not words:
        raise ValueError("a series has no value")
    return float(words[0])
