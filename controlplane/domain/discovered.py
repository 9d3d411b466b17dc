"""What a workload itself says of a variant, so that a custom resource need not."""

from __future__ import annotations

from dataclasses import dataclass

from controlplane.domain.target import CapacityType, Role


@dataclass(frozen=True, slots=True)
class Discovered:
    """Read from one variant's workload: its pod template's node selector, limits and labels. None: it does not say.

    `accelerator` is a name of the catalog; `gpus_per_replica` counts the GPUs of one whole replica.
    """

    accelerator: str | None = None
    gpus_per_replica: int | None = None
    capacity_type: CapacityType | None = None
    role: Role | None = None
