"""The variants of a manifest -> `Variant`: the resource's own words, then what the workload says, then defaults."""

from __future__ import annotations

from pydantic import Field, field_validator

from controlplane.domain import catalog
from controlplane.domain.discovered import Discovered
from controlplane.domain.manifest_base import (
    MAX_LATENCY_S,
    AtLeastOne,
    Count,
    DnsLabel,
    LabelValue,
    ManifestError,
    Name,
    Part,
    known,
)
from controlplane.domain.target import CapacityType, Preference, PriceSource, Role, ScaleTargetRef, Variant


class RefPart(Part):
    """What is scaled, as in a HorizontalPodAutoscaler."""

    api_version: str = Field(default="apps/v1", min_length=1, max_length=317)
    kind: str = Field(default="Deployment", min_length=1, max_length=63)
    name: Name

    def to_domain(self) -> ScaleTargetRef:
        """As the cluster's readers have it."""
        return ScaleTargetRef(self.api_version, self.kind, self.name)


class Described(Part):
    """What may be said of a variant, in the list or beside a single `scaleTargetRef`; what is not is discovered."""

    role: Role | None = None
    accelerator: str | None = Field(default=None, min_length=1, max_length=63)
    accelerators_per_replica: int | None = Field(default=None, ge=1, le=64)
    capacity_type: CapacityType | None = None
    price_per_replica_hour: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    drain_seconds: float | None = Field(default=None, ge=0, le=MAX_LATENCY_S)
    failure_domain: LabelValue | None = None

    @field_validator("accelerator")
    @classmethod
    def _is_in_the_catalog(cls, name: str | None) -> str | None:
        return None if name is None else known(catalog.accelerator, name)


class VariantPart(Described):
    """One of `variants`."""

    name: DnsLabel
    scale_target_ref: RefPart
    min_replicas: Count = 1
    max_replicas: AtLeastOne
    preference: Preference = Preference.NEUTRAL

    def to_domain(self, where: str, found: Discovered) -> Variant:
        """The variant; `where` is its path in the manifest.

        Raises:
            ManifestError: if neither the resource nor its workload says which accelerator it is on.
        """
        accelerator = self.accelerator or self._discovered(where, found.accelerator)
        gpus = self.accelerators_per_replica or found.gpus_per_replica or 1
        capacity_type = self.capacity_type or found.capacity_type or CapacityType.ON_DEMAND
        return Variant(
            name=self.name,
            ref=self.scale_target_ref.to_domain(),
            role=self.role or found.role or Role.BOTH,
            accelerator=accelerator,
            gpus_per_replica=gpus,
            capacity_type=capacity_type,
            usd_per_replica_hour=self._price(accelerator, gpus, capacity_type),
            min_replicas=self.min_replicas,
            max_replicas=self.max_replicas,
            preference=self.preference,
            drain_s=self.drain_seconds,
            priced_by=PriceSource.CATALOG if self.price_per_replica_hour is None else PriceSource.RESOURCE,
            failure_domain=self.failure_domain,
        )

    def _discovered(self, where: str, name: str | None) -> str:
        workload = f"{self.scale_target_ref.kind} {self.scale_target_ref.name}"
        field, allowed = f"{where}.accelerator", ", ".join(catalog.ACCELERATORS)
        if name is None:
            raise ManifestError(
                field,
                f"is absent, and the pod template of {workload} names no GPU; give it here, or give the pods a node "
                f"selector such as nvidia.com/gpu.product; allowed: {allowed}",
            )
        try:
            return known(catalog.accelerator, name)
        except ValueError as error:
            raise ManifestError(field, f"{workload} asks for {name!r}, which is not in the catalog; {error}") from error

    def _price(self, accelerator: str, gpus: int, capacity_type: CapacityType) -> float:
        """Of one whole replica, dollars an hour. One that is given wins, 0 too: a free replica costs nothing."""
        if self.price_per_replica_hour is not None:
            return self.price_per_replica_hour
        gpu = catalog.accelerator(accelerator)
        return gpus * (gpu.usd_per_hour if capacity_type is CapacityType.ON_DEMAND else gpu.spot_usd_per_hour)
