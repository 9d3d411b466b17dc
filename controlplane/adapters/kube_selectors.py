"""Label selectors, as a string or as an object, and the pods that they select. Pure.

https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from controlplane.adapters.kube_http import Json

_KEY = r"[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?"
_SET = re.compile(rf"(?P<key>{_KEY})\s+(?P<how>in|notin)\s*\((?P<values>[^()]*)\)")
_EQUAL = re.compile(rf"(?P<key>{_KEY})\s*(?P<how>==|=|!=)\s*(?P<value>[-A-Za-z0-9_.]*)")
_EXISTS = re.compile(rf"(?P<how>!?)\s*(?P<key>{_KEY})")
_OPERATORS = {"In": True, "NotIn": False, "Exists": True, "DoesNotExist": False}


class SelectorError(ValueError):
    """A selector that cannot be read; the message names it and what is allowed."""


class _How(Enum):
    IN = "in"
    NOT_IN = "notin"
    EXISTS = "exists"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term. As Kubernetes has it, `!=` and `notin` also hold where the label is missing."""

    key: str
    how: _How
    values: frozenset[str] = frozenset()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels satisfy it."""
        value = labels.get(self.key)
        match self.how:
            case _How.IN:
                return value in self.values
            case _How.NOT_IN:
                return value not in self.values
            case _How.EXISTS:
                return value is not None
            case _How.MISSING:
                return value is None


@dataclass(frozen=True, slots=True)
class Selector:
    """All terms together. With no terms it selects nothing: `/scale` leaves it empty where it does not know."""

    terms: tuple[Requirement, ...]

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected."""
        return bool(self.terms) and all(term.holds(labels) for term in self.terms)

    @property
    def anchor(self) -> tuple[str, frozenset[str]] | None:
        """A label and the values of which a selected object must have one; None where no term says so."""
        return next(((term.key, term.values) for term in self.terms if term.how is _How.IN), None)


def parse(text: str) -> Selector:
    """The selector that a string such as `app=chat,tier!=test,zone in (a,b),!old` is.

    Raises:
        SelectorError: if it cannot be read.
    """
    return Selector(tuple(_term(part, text) for part in _split(text)))


def of_object(selector: Json) -> Selector:
    """The selector that a LabelSelector (matchLabels, matchExpressions) is.

    Raises:
        SelectorError: if an expression has an operator that there is not.
    """
    terms = [
        Requirement(key, _How.IN, frozenset((value,))) for key, value in (selector.get("matchLabels") or {}).items()
    ]
    for expression in selector.get("matchExpressions") or []:
        operator = expression.get("operator")
        if operator not in _OPERATORS:
            raise SelectorError(f"operator {operator!r} of a label selector; allowed: {', '.join(_OPERATORS)}")
        values = frozenset(expression.get("values") or ())
        by_value, by_key = (_How.IN, _How.EXISTS) if _OPERATORS[operator] else (_How.NOT_IN, _How.MISSING)
        terms.append(Requirement(str(expression.get("key")), by_value if values else by_key, values))
    return Selector(tuple(terms))


def _split(text: str) -> list[str]:
    """At commas that are not within parentheses."""
    parts = re.split(r",(?![^()]*\))", text)
    return [part.strip() for part in parts if part.strip()]


def _term(part: str, whole: str) -> Requirement:
    if found := _SET.fullmatch(part):
        values = frozenset(value.strip() for value in found["values"].split(","))
        return Requirement(found["key"], _How.IN if found["how"] == "in" else _How.NOT_IN, values)
    if found := _EQUAL.fullmatch(part):
        how = _How.NOT_IN if found["how"] == "!=" else _How.IN
        return Requirement(found["key"], how, frozenset((found["value"],)))
    if found := _EXISTS.fullmatch(part):
        return Requirement(found["key"], _How.MISSING if found["how"] else _How.EXISTS)
    raise SelectorError(
        f"{part!r} in the label selector {whole!r}; allowed: k=v, k!=v, k in (a,b), k notin (a,b), k, !k"
    )


class PodIndex:
    """Pods of many namespaces, found by selector without looking at each for every variant."""

    def __init__(self, pods: Iterable[Json]) -> None:
        self._by_namespace: dict[str, list[Json]] = defaultdict(list)
        self._by_label: dict[tuple[str, str], dict[str, list[Json]]] = {}
        for pod in pods:
            self._by_namespace[pod["metadata"].get("namespace", "")].append(pod)

    def __iter__(self) -> Iterator[Json]:
        for pods in self._by_namespace.values():
            yield from pods

    def select(self, namespace: str, selector: Selector) -> list[Json]:
        """The pods of a namespace that the selector selects."""
        candidates: Iterable[Json] = self._by_namespace.get(namespace, ())
        if selector.anchor is not None:
            key, values = selector.anchor
            by_value = self._labelled(namespace, key)
            candidates = [pod for value in sorted(values) for pod in by_value.get(value, ())]
        return [pod for pod in candidates if selector.matches(pod["metadata"].get("labels") or {})]

    def _labelled(self, namespace: str, key: str) -> Mapping[str, list[Json]]:
        index = self._by_label.get((namespace, key))
        if index is None:
            index = defaultdict(list)
            for pod in self._by_namespace.get(namespace, ()):
                value = (pod["metadata"].get("labels") or {}).get(key)
                if value is not None:
                    index[value].append(pod)
            self._by_label[namespace, key] = index
        return index
