"""What the parts of a manifest have in common: how they are read, and how they are refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from controlplane.domain import catalog

ONLY_VARIANT = "default"
"""What the variant is called whose `scaleTargetRef` is given beside the model instead of in a list."""
MAX_REPLICAS = 100_000
"""More than any cluster runs of one model; what is above it is a slip of the hand."""
MAX_LATENCY_S = 86_400.0
"""A day: the deadline of the slowest batch that providers offer."""


class ManifestError(ValueError):
    """A manifest that cannot be used. `field` is its path, e.g. `spec.variants[0].maxReplicas`."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class Part(BaseModel):
    """An object of the manifest: camelCase names, no others than these, and no value of another type."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


DnsLabel = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
LabelValue = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$")]
Name = Annotated[str, Field(min_length=1, max_length=253)]
VariantName = Annotated[str, Field(min_length=1, max_length=63)]
Count = Annotated[int, Field(ge=0, le=MAX_REPLICAS)]
AtLeastOne = Annotated[int, Field(ge=1, le=MAX_REPLICAS)]
Share = Annotated[float, Field(ge=0, le=1)]
PositiveShare = Annotated[float, Field(gt=0, le=1)]


def known(look_up: Callable[[str], object], name: str) -> str:
    """`name`, which the catalog must hold.

    Raises:
        ValueError: with the names that it holds.
    """
    try:
        look_up(name)
    except catalog.UnknownName as error:
        raise ValueError(str(error)) from error
    return name


@lru_cache(maxsize=1024)
def quantity(text: str) -> float:
    """The number that a Kubernetes quantity below a thousand says: `0.05`, `50m`, `5e-2`.

    Raises:
        ValueError: if it is none.
    """
    scale = {"m": 1e-3, "u": 1e-6, "n": 1e-9}.get(text[-1:], 1.0)
    digits = text if scale == 1.0 else text[:-1]
    if not digits or digits.strip("0123456789.eE+-"):
        raise ValueError("allowed: a number from 0 to 1, or a quantity such as 50m")
    try:
        return float(digits) * scale
    except ValueError as error:
        raise ValueError("allowed: a number from 0 to 1, or a quantity such as 50m") from error
