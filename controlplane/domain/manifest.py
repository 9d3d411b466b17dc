"""A custom resource's manifest -> `Target`: the one reader of `InferenceAutoscaler`, for clusters, scenarios and files.

The pydantic models below are the manifest's shape, with Kubernetes' camelCase names and the schema's defaults; they are
turned into the frozen `Target` at once and go no further.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from controlplane.domain import catalog
from controlplane.domain.target import (
    DEFAULT_SCALE_DOWN,
    DEFAULT_SCALE_UP,
    CapacityType,
    MetricsSource,
    Mode,
    Override,
    OverrideKind,
    Policy,
    Role,
    Routing,
    ScaleTargetRef,
    ScalingPolicy,
    ScalingPolicyType,
    ScalingRules,
    SelectPolicy,
    Slo,
    Target,
    Variant,
)

API_VERSION = "tidegate.io/v1alpha1"
KIND = "InferenceAutoscaler"


class ManifestError(ValueError):
    """A manifest that cannot be used. `field` is its path, e.g. `spec.variants[0].maxReplicas`."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class _Ref(_Part):
    api_version: str = "apps/v1"
    kind: str = "Deployment"
    name: str = Field(min_length=1)


class _Variant(_Part):
    name: str = Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    scale_target_ref: _Ref
    role: Role = Role.BOTH
    accelerator: str
    accelerators_per_replica: int = Field(default=1, ge=1, le=64)
    capacity_type: CapacityType = CapacityType.ON_DEMAND
    price_per_replica_hour: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    min_replicas: int = Field(default=1, ge=0)
    max_replicas: int = Field(ge=1)

    @field_validator("accelerator")
    @classmethod
    def _known_accelerator(cls, name: str) -> str:
        return _known(catalog.accelerator, name)

    @model_validator(mode="after")
    def _ordered_bounds(self) -> _Variant:
        if self.min_replicas > self.max_replicas:
            raise ValueError(f"minReplicas {self.min_replicas} is above maxReplicas {self.max_replicas}")
        return self

    def to_domain(self) -> Variant:
        gpu = catalog.accelerator(self.accelerator)
        per_gpu = gpu.usd_per_hour if self.capacity_type is CapacityType.ON_DEMAND else gpu.spot_usd_per_hour
        price = self.price_per_replica_hour
        return Variant(
            name=self.name,
            ref=ScaleTargetRef(
                self.scale_target_ref.api_version, self.scale_target_ref.kind, self.scale_target_ref.name
            ),
            role=self.role,
            accelerator=self.accelerator,
            gpus_per_replica=self.accelerators_per_replica,
            capacity_type=self.capacity_type,
            usd_per_replica_hour=per_gpu * self.accelerators_per_replica if price is None else price,
            min_replicas=self.min_replicas,
            max_replicas=self.max_replicas,
        )


class _Slo(_Part):
    ttft_seconds: float = Field(gt=0, allow_inf_nan=False)
    tpot_seconds: float = Field(gt=0, allow_inf_nan=False)
    attainment: float = Field(default=0.99, gt=0, le=1)
    miss_price_per_request: float | None = Field(default=None, gt=0, allow_inf_nan=False)


class _ScalingPolicy(_Part):
    type: ScalingPolicyType
    value: int = Field(ge=1)
    period_seconds: float = Field(gt=0, le=1800)  # HPA's own upper limit


class _ScalingRules(_Part):
    stabilization_window_seconds: float | None = Field(default=None, ge=0, le=3600)  # HPA's own upper limit
    policies: tuple[_ScalingPolicy, ...] | None = None
    select_policy: SelectPolicy = SelectPolicy.MAX

    def to_domain(self, default: ScalingRules) -> ScalingRules:
        window, policies = self.stabilization_window_seconds, self.policies
        return ScalingRules(
            stabilization_window_s=default.stabilization_window_s if window is None else window,
            policies=default.policies
            if not policies
            else tuple(ScalingPolicy(p.type, p.value, p.period_seconds) for p in policies),
            select_policy=self.select_policy,
        )


class _Behavior(_Part):
    scale_up: _ScalingRules = _ScalingRules()
    scale_down: _ScalingRules = _ScalingRules()


class _Forecast(_Part):
    quantile: float = Field(default=0.9, ge=0.5, lt=1)


class _Metrics(_Part):
    port: int | None = Field(default=None, ge=1, le=65535)
    path: str = Field(default="/metrics", pattern=r"^/")


class _Limits(_Part):
    max_sample_age_seconds: float = Field(default=120, gt=0)
    quorum: float = Field(default=0.6, ge=0, le=1)
    pending_deadline_seconds: float = Field(default=900, gt=0)


class _Capacity(_Part):
    max_spot_share: float = Field(default=1.0, ge=0, le=1)
    max_pool_share: float = Field(default=1.0, gt=0, le=1)
    max_surge: int | None = Field(default=None, ge=1)


class _Override(_Part):
    kind: OverrideKind
    replicas: int | None = Field(default=None, ge=0)
    variant: str | None = None
    expires_at: datetime | None = None
    actor: str = ""
    reason: str = ""

    @model_validator(mode="after")
    def _replicas_fit_the_kind(self) -> _Override:
        if (self.kind is OverrideKind.PAUSE) != (self.replicas is None):
            raise ValueError(f"replicas is {self.replicas} for {self.kind}; Pause takes none, the other kinds need one")
        if self.expires_at is not None and self.expires_at.tzinfo is None:
            raise ValueError(
                f"expiresAt {self.expires_at.isoformat()!r} has no time zone; allowed: RFC 3339, e.g. with Z"
            )
        return self

    def to_domain(self) -> Override:
        expires_at_s = None if self.expires_at is None else self.expires_at.timestamp()
        return Override(self.kind, self.replicas, self.variant, expires_at_s, self.actor, self.reason)


class _Spec(_Part):
    model: str
    mode: Mode = Mode.SHADOW
    group: str = Field(default="default", min_length=1)
    slo: _Slo
    variants: tuple[_Variant, ...] = Field(min_length=1)
    behavior: _Behavior = _Behavior()
    interval_seconds: float = Field(default=15, ge=1, le=3600)
    forecast: _Forecast = _Forecast()
    metrics: _Metrics = _Metrics()
    limits: _Limits = _Limits()
    priority: int = Field(default=0, ge=-1000, le=1000)
    weight: float = Field(default=1.0, gt=0, le=1000)
    routing: Routing = Routing.WEIGHTED
    capacity: _Capacity = _Capacity()
    overrides: tuple[_Override, ...] = ()

    @field_validator("model")
    @classmethod
    def _known_model(cls, name: str) -> str:
        return _known(catalog.model, name)

    @model_validator(mode="after")
    def _whole(self) -> _Spec:
        names = [v.name for v in self.variants]
        if len(set(names)) < len(names):
            raise ValueError(f"variants have names {names}; allowed: each name once")
        refs = [(v.scale_target_ref.kind, v.scale_target_ref.name) for v in self.variants]
        if len(set(refs)) < len(refs):
            raise ValueError(f"variants point at {refs}; allowed: each scaleTargetRef once")
        roles = {v.role for v in self.variants}
        if Role.BOTH not in roles and len(roles) == 1:
            raise ValueError(f"every variant has role {roles.pop()}; allowed: Both, or Prefill and Decode together")
        for override in self.overrides:
            if override.variant is not None and override.variant not in names:
                raise ValueError(f"overrides name variant {override.variant!r}; allowed: {', '.join(names)}")
        return self


def target_from_manifest(manifest: Mapping[str, object]) -> Target:
    """The target that a custom resource describes.

    Raises:
        ManifestError: naming the field, the value and what is allowed.
    """
    if manifest.get("kind") != KIND or manifest.get("apiVersion") != API_VERSION:
        found = f"{manifest.get('apiVersion')!r} {manifest.get('kind')!r}"
        raise ManifestError("kind", f"is {found}; allowed: {API_VERSION} {KIND}")
    metadata = manifest.get("metadata")
    if not isinstance(metadata, Mapping) or not metadata.get("name"):
        raise ManifestError("metadata.name", "is missing; allowed: a DNS label")
    try:
        spec = _Spec.model_validate(manifest.get("spec"))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ManifestError(_path(first), _words(first)) from error
    return Target(
        namespace=str(metadata.get("namespace") or "default"),
        name=str(metadata["name"]),
        model=spec.model,
        variants=tuple(v.to_domain() for v in spec.variants),
        policy=_policy(spec),
        group=spec.group,
        metrics=MetricsSource(spec.metrics.port, spec.metrics.path),
        uid=str(metadata.get("uid") or ""),
        generation=int(str(metadata.get("generation") or 0)),
    )


def _policy(spec: _Spec) -> Policy:
    return Policy(
        mode=spec.mode,
        slo=Slo(spec.slo.ttft_seconds, spec.slo.tpot_seconds, spec.slo.attainment),
        scale_up=spec.behavior.scale_up.to_domain(DEFAULT_SCALE_UP),
        scale_down=spec.behavior.scale_down.to_domain(DEFAULT_SCALE_DOWN),
        interval_s=spec.interval_seconds,
        forecast_quantile=spec.forecast.quantile,
        max_sample_age_s=spec.limits.max_sample_age_seconds,
        quorum=spec.limits.quorum,
        pending_deadline_s=spec.limits.pending_deadline_seconds,
        overrides=tuple(o.to_domain() for o in spec.overrides),
        priority=spec.priority,
        weight=spec.weight,
        routing=spec.routing,
        max_spot_share=spec.capacity.max_spot_share,
        max_pool_share=spec.capacity.max_pool_share,
        miss_usd_per_request=spec.slo.miss_price_per_request,
        max_surge=spec.capacity.max_surge,
    )


def _known(look_up: Callable[[str], object], name: str) -> str:
    try:
        look_up(name)
    except catalog.UnknownName as error:
        raise ValueError(str(error)) from error
    return name


def _path(error: ErrorDetails) -> str:
    path = "spec"
    for part in error["loc"]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path


def _words(error: ErrorDetails) -> str:
    message = error["msg"].removeprefix("Value error, ")
    value = error["input"]
    shown = "" if isinstance(value, (dict, _Part)) else f" (is {value!r})"
    return f"{message}{shown}"
