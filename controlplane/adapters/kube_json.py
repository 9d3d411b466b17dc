"""Reads JSON that others wrote: what is missing or of another kind is empty, never an exception.

API servers check built-in objects, but custom resources, and objects that a cache holds half, may say anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from kubernetes.utils.quantity import parse_quantity

Json = dict[str, Any]
"""A decoded JSON object of the API server."""

LARGEST_EXPONENT = 24
"""Quantities of 10^25 and more are junk: Kubernetes' own largest is 2^63-1, and turning 1e999999 into an int never
ends."""


def mapping(value: object) -> Json:
    """`value` where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def objects(value: object) -> list[Json]:
    """The objects of a list; whatever else is in it is left out."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list | tuple) else []


def strings(value: object) -> list[str]:
    """The strings of a list; whatever else is in it is left out."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list | tuple) else []


def text(value: object) -> str:
    """`value` where it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def at(value: object, *path: str) -> Any:
    """What lies at `path` below `value`, None where the way ends early."""
    for name in path:
        value = mapping(value).get(name)
    return value


def labels(thing: object) -> dict[str, str]:
    """`metadata.labels`."""
    return texts(at(thing, "metadata", "labels"))


def notes(thing: object) -> dict[str, str]:
    """`metadata.annotations`."""
    return texts(at(thing, "metadata", "annotations"))


def texts(value: object) -> dict[str, str]:
    """The fields of an object that are strings."""
    return {name: said for name, said in mapping(value).items() if isinstance(said, str)}


def name_of(thing: object) -> str:
    """`metadata.name`."""
    return text(at(thing, "metadata", "name"))


def key_of(thing: object) -> str:
    """`namespace/name`."""
    return f"{text(at(thing, 'metadata', 'namespace'))}/{name_of(thing)}"


def whole(value: object) -> int | None:
    """A whole number, also one written as a string; None for anything else."""
    amount = quantity(value)
    return int(amount) if amount is not None and amount == amount.to_integral_value() else None


def quantity(value: object) -> Decimal | None:
    """A Kubernetes quantity ("4", "4000m", "1k", "2Gi") of nought or more; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    return _quantity(value)


@lru_cache(maxsize=4096)
def _quantity(value: float | str) -> Decimal | None:
    """Kept, since thousands of Pods ask for the same few amounts."""
    try:
        amount = parse_quantity(value)  # type: ignore[no-untyped-call]
    except (ValueError, ArithmeticError):
        return None
    if not isinstance(amount, Decimal) or not amount.is_finite() or amount < 0 or amount.adjusted() > LARGEST_EXPONENT:
        return None
    return amount


def quantities(value: object) -> dict[str, Decimal]:
    """The quantities of a resource list, e.g. `resources.limits`; what is none is left out."""
    read = {name: quantity(said) for name, said in mapping(value).items() if isinstance(name, str)}
    return {name: amount for name, amount in read.items() if amount is not None}


def unix_s(timestamp: object) -> float | None:
    """RFC 3339 -> unix seconds; a time without a zone is in UTC. None for anything else."""
    if not isinstance(timestamp, str):
        return None
    try:
        read = datetime.fromisoformat(timestamp)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def condition(status: object, kind: str) -> Json:
    """The condition of that type, empty where there is none."""
    return next((c for c in objects(mapping(status).get("conditions")) if c.get("type") == kind), {})


def owner_kinds(thing: object) -> dict[str, str]:
    """Names of the owners in `metadata.ownerReferences` by their kinds."""
    owners = objects(at(thing, "metadata", "ownerReferences"))
    return {text(owner.get("kind")): text(owner.get("name")) for owner in owners if owner.get("kind")}


def total(parts: Iterable[Mapping[str, Decimal]]) -> dict[str, Decimal]:
    """The sum of resource lists, resource by resource."""
    summed: dict[str, Decimal] = {}
    for part in parts:
        for name, amount in part.items():
            summed[name] = summed.get(name, Decimal(0)) + amount
    return summed


def largest(one: Mapping[str, Decimal], other: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """The larger of two resource lists, resource by resource."""
    names = [*one, *(name for name in other if name not in one)]
    return {name: max(one.get(name, Decimal(0)), other.get(name, Decimal(0))) for name in names}
