"""What people said through the API and is in force, or will be: overrides, freezes, prices. It ends by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from controlplane.domain.target import Freeze, Override


@dataclass(frozen=True, slots=True)
class ScopedFreeze:
    """A freeze and whom it concerns: one target, a namespace (`target` None), or everything (both None)."""

    namespace: str | None
    target: str | None
    freeze: Freeze

    def concerns(self, namespace: str, target: str) -> bool:
        """Whether that target is meant."""
        return self.namespace in (None, namespace) and self.target in (None, target)


class PriceKind(StrEnum):
    """Whose price: an accelerator's (one GPU an hour), or one variant's (one whole replica an hour)."""

    ACCELERATOR = "Accelerator"
    VARIANT = "Variant"


@dataclass(frozen=True, slots=True)
class PriceOverride:
    """A price over the catalog's, until `expires_at_s` (unix seconds; None: until it is taken back).

    `name` is the accelerator's, or `namespace/target/variant`. `spot_usd_per_hour` None, or `usd_per_hour` None, leaves
    that one as it is.
    """

    kind: PriceKind
    name: str
    usd_per_hour: float | None
    spot_usd_per_hour: float | None
    expires_at_s: float | None
    actor: str
    reason: str
    id: str = ""

    def holds(self, now_s: float) -> bool:
        """Whether it holds at that time."""
        return self.expires_at_s is None or now_s < self.expires_at_s


@dataclass(frozen=True, slots=True)
class DirectiveSet:
    """All of it. `overrides` are by target key (`namespace/name`), in the order in which they were made."""

    overrides: Mapping[str, tuple[Override, ...]] = field(default_factory=dict)
    freezes: tuple[ScopedFreeze, ...] = ()
    prices: tuple[PriceOverride, ...] = ()
    """The one that was made last comes last, and holds."""
