"""The `spec` of a manifest: its fields, and what must hold between them. The resource's schema says the same in CEL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, field_validator

from controlplane.domain import catalog
from controlplane.domain.manifest_base import (
    ONLY_VARIANT,
    AtLeastOne,
    Count,
    Name,
    known,
)
from controlplane.domain.manifest_metrics import MetricsPart
from controlplane.domain.manifest_parts import (
    BehaviorPart,
    CapacityPart,
    CouplingPart,
    ForecastPart,
    HeadroomPart,
    LimitsPart,
    OverridePart,
    ScaleToZeroPart,
    SchedulePart,
)
from controlplane.domain.manifest_slo import SloPart
from controlplane.domain.manifest_variants import Described, RefPart, VariantPart
from controlplane.domain.target import Mode, Policy, Routing


class Spec(Described):
    """The `spec`. Beside `scaleTargetRef` stand the fields of its one variant; with `variants` they are absent."""

    model: Name
    mode: Mode = Mode.SHADOW
    group: Name = "default"
    slo: SloPart
    scale_target_ref: RefPart | None = None
    min_replicas: Count | None = None
    max_replicas: AtLeastOne | None = None
    variants: Annotated[tuple[VariantPart, ...], Field(min_length=1, max_length=64)] | None = None
    behavior: BehaviorPart = BehaviorPart()
    interval_seconds: float = Field(default=15, ge=1, le=3600)
    forecast: ForecastPart = ForecastPart()
    coupling: CouplingPart | None = None
    scale_to_zero: ScaleToZeroPart | None = None
    schedules: tuple[SchedulePart, ...] = Field(default=(), max_length=64)
    headroom: HeadroomPart = HeadroomPart()
    takeover: bool = False
    manual_hold_seconds: float = Field(default=600, ge=0, le=604800)
    metrics: MetricsPart = MetricsPart()
    limits: LimitsPart = LimitsPart()
    priority: int = Field(default=0, ge=-1000, le=1000)
    weight: float = Field(default=1.0, gt=0, le=1000)
    routing: Routing = Routing.WEIGHTED
    capacity: CapacityPart = CapacityPart()
    overrides: tuple[OverridePart, ...] = Field(default=(), max_length=64)

    @field_validator("model")
    @classmethod
    def _is_a_known_model(cls, name: str) -> str:
        return known(catalog.model, name)

    def located(self) -> Sequence[tuple[str, VariantPart]]:
        """Each variant and its path in the manifest, e.g. `spec.variants[0]`, or `spec` for one alone."""
        if self.variants is not None:
            return [(f"spec.variants[{place}]", one) for place, one in enumerate(self.variants)]
        shared = [*Described.model_fields, "scale_target_ref", "min_replicas", "max_replicas"]
        given = {name: getattr(self, name) for name in shared if name in self.model_fields_set}
        return [("spec", VariantPart.model_validate({"name": ONLY_VARIANT, **given}, by_alias=False, by_name=True))]

    def to_policy(self) -> Policy:
        """How the target may be scaled."""
        return Policy(
            mode=self.mode,
            slo=self.slo.to_domain(),
            scale_up=self.behavior.scale_up.to_domain(),
            scale_down=self.behavior.scale_down.to_domain(),
            interval_s=self.interval_seconds,
            forecast_quantile=self.forecast.quantile,
            max_sample_age_s=self.limits.max_sample_age_seconds,
            quorum=self.limits.quorum,
            pending_deadline_s=self.limits.pending_deadline_seconds,
            overrides=tuple(o.to_domain() for o in self.overrides),
            priority=self.priority,
            weight=self.weight,
            routing=self.routing,
            max_spot_share=self.capacity.max_spot_share,
            max_pool_share=self.capacity.max_pool_share,
            miss_usd_per_request=self.slo.miss_price_per_request,
            max_surge=self.capacity.max_surge,
            schedules=tuple(s.to_domain() for s in self.schedules),
            headroom=self.headroom.to_domain(),
            idle_s=self.scale_to_zero.idle_seconds if self.scale_to_zero else None,
            max_role_skew=self.coupling.max_skew_percent / 100.0 if self.coupling else None,
            manual_hold_s=self.manual_hold_seconds,
            takeover=self.takeover,
            max_domain_share=self.capacity.max_domain_share,
        )
