"""What a scalable object says of itself, for the fields of a variant that its user left out."""

from __future__ import annotations

from dataclasses import dataclass

from controlplane.domain.target import CapacityType, Role


@dataclass(frozen=True, slots=True)
class Discovered:
    """Fields of a variant that were found in its pods' template and their nodes; None: they do not say."""

    accelerator: str | None = None
    gpus_per_replica: int | None = None
    capacity_type: CapacityType | None = None
    role: Role | None = None
