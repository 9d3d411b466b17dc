"""Kubernetes' label selectors: `a=b`, `a!=b`, `a in (b, c)`, `a notin (b)`, `a`, `!a`, with commas between."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

Labels = Mapping[str, str]
Selector = Callable[[Labels], bool]

_NAME = r"[A-Za-z0-9](?:[-A-Za-z0-9_./]*[A-Za-z0-9])?"
_SET = re.compile(rf"({_NAME})\s+(in|notin)\s*\(([^()]*)\)")
_EQUAL = re.compile(rf"({_NAME})\s*(==|=|!=)\s*({_NAME})?")
_EXISTS = re.compile(rf"(!)?\s*({_NAME})")
_BETWEEN = re.compile(r",(?![^()]*\))")


class SelectorError(ValueError):
    """A selector that cannot be read; the message names it and what is allowed."""


def selector(text: str) -> Selector:
    """What the selector selects; an empty one selects everything.

    Raises:
        SelectorError: if it cannot be read.
    """
    wanted = [_requirement(part.strip(), text) for part in _BETWEEN.split(text)] if text.strip() else []
    return lambda labels: all(one(labels) for one in wanted)


def _requirement(part: str, whole: str) -> Selector:
    if found := _SET.fullmatch(part):
        values = {value.strip() for value in found[3].split(",")}
        return _any_of(found[1], values, found[2] == "in")
    if found := _EQUAL.fullmatch(part):
        return _any_of(found[1], {found[3] or ""}, found[2] != "!=")
    if found := _EXISTS.fullmatch(part):
        return _present(found[2], found[1] is None)
    raise SelectorError(f"labelSelector is {whole!r}; allowed: a=b, a!=b, a in (b,c), a notin (b,c), a, !a")


def _any_of(name: str, values: set[str], inside: bool) -> Selector:
    """A label that is missing is in no set; `!=` and `notin` select it, as in Kubernetes."""
    return lambda labels: (labels.get(name) in values) == inside


def _present(name: str, there: bool) -> Selector:
    return lambda labels: (name in labels) == there
