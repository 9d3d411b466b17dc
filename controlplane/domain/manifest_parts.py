"""The smaller parts of a manifest: behaviour, schedules, shares, overrides. Each becomes its value."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import BeforeValidator, Field, field_validator

from controlplane.domain.manifest_base import (
    AtLeastOne,
    Count,
    DnsLabel,
    Part,
    PositiveShare,
    Share,
    VariantName,
    quantity,
)
from controlplane.domain.target import (
    DEFAULT_SCALE_DOWN,
    DEFAULT_SCALE_UP,
    Headroom,
    Override,
    OverrideKind,
    ScalingPolicy,
    ScalingPolicyType,
    ScalingRules,
    Schedule,
    SelectPolicy,
)

_T = TypeVar("_T")


class ScalingPolicyPart(Part):
    """One of HPA's rate limits."""

    type: ScalingPolicyType
    value: AtLeastOne
    period_seconds: float = Field(ge=1, le=1800)  # HPA's own limits


def _as_number(value: object) -> object:
    return quantity(value) if isinstance(value, str) else value


Window = Annotated[float, Field(ge=0, le=3600)]  # HPA's own limits
Policies = Annotated[tuple[ScalingPolicyPart, ...], Field(min_length=1, max_length=16)]
Tolerance = Annotated[float, Field(ge=0, le=1), BeforeValidator(_as_number)]


def _policies(rules: ScalingRules) -> tuple[ScalingPolicyPart, ...]:
    fields = ({"type": p.type, "value": p.value, "periodSeconds": p.period_s} for p in rules.policies)
    return tuple(ScalingPolicyPart.model_validate(each) for each in fields)


class _Rules(Part):
    stabilization_window_seconds: Window
    select_policy: SelectPolicy = SelectPolicy.MAX
    policies: Policies
    tolerance: Tolerance = 0.0

    def to_domain(self) -> ScalingRules:
        """As the planner has it."""
        policies = tuple(ScalingPolicy(p.type, p.value, p.period_seconds) for p in self.policies)
        return ScalingRules(self.stabilization_window_seconds, policies, self.select_policy, self.tolerance)


class ScaleUpPart(_Rules):
    """`behavior.scaleUp`."""

    stabilization_window_seconds: Window = DEFAULT_SCALE_UP.stabilization_window_s
    policies: Policies = _policies(DEFAULT_SCALE_UP)


class ScaleDownPart(_Rules):
    """`behavior.scaleDown`."""

    stabilization_window_seconds: Window = DEFAULT_SCALE_DOWN.stabilization_window_s
    policies: Policies = _policies(DEFAULT_SCALE_DOWN)
    wait_out_falls: bool = DEFAULT_SCALE_DOWN.wait_out_falls

    def to_domain(self) -> ScalingRules:
        """As the planner has it."""
        return replace(super().to_domain(), wait_out_falls=self.wait_out_falls)


class BehaviorPart(Part):
    """HPA's `behavior`."""

    scale_up: ScaleUpPart = ScaleUpPart()
    scale_down: ScaleDownPart = ScaleDownPart()


class ForecastPart(Part):
    """What is foreseen."""

    quantile: float = Field(default=0.9, ge=0.5, le=0.999)


class LimitsPart(Part):
    """When what is seen is too little to act on."""

    max_sample_age_seconds: float = Field(default=120, ge=1, le=86400)
    quorum: Share = 0.6
    pending_deadline_seconds: float = Field(default=900, ge=1, le=86400)


class CapacityPart(Part):
    """How much of the fleet may be of one kind."""

    max_spot_share: Share = 1.0
    max_pool_share: PositiveShare = 1.0
    max_domain_share: PositiveShare | None = None
    max_surge: AtLeastOne | None = None


class CouplingPart(Part):
    """How Prefill and Decode go together."""

    max_skew_percent: float = Field(gt=0, le=1000)


class ScaleToZeroPart(Part):
    """When the last replica goes. 300 s is KEDA's cooldownPeriod."""

    idle_seconds: float = Field(default=300, gt=0, le=604800)


class HeadroomPart(Part):
    """Warm replicas beyond the plan's."""

    replicas: int = Field(default=0, ge=0, le=1000)
    percent: float = Field(default=0.0, ge=0, le=1000)

    def to_domain(self) -> Headroom:
        """As the planner has it."""
        return Headroom(self.replicas, self.percent / 100.0)


@lru_cache(maxsize=1024)
def cron_problem(expression: str) -> str | None:
    """What is wrong with a cron expression, or None. A date that there never is, as 30 February, is wrong too."""
    try:
        CronSim(expression, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        return f"{error}; allowed: minute, hour, day of month, month and day of week, e.g. 0 8 * * 1-5"
    return None


@lru_cache(maxsize=1024)
def zone_problem(name: str) -> str | None:
    """What is wrong with a time zone's name, or None."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return "is no time zone; allowed: IANA names such as UTC or Europe/Berlin"
    return None


Cron = Annotated[str, Field(max_length=200, pattern=r"^\S+( +\S+){4}$")]


class SchedulePart(Part):
    """One window of time and its bounds."""

    name: DnsLabel
    start: Cron
    end: Cron
    time_zone: str = Field(default="UTC", min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_+/-]+$")
    variant: VariantName | None = None
    min_replicas: Count | None = None
    max_replicas: Count | None = None

    @field_validator("start", "end")
    @classmethod
    def _is_cron(cls, expression: str) -> str:
        return _without(cron_problem(expression), expression)

    @field_validator("time_zone")
    @classmethod
    def _is_zone(cls, name: str) -> str:
        return _without(zone_problem(name), name)

    def to_domain(self) -> Schedule:
        """As the planner has it."""
        return Schedule(
            self.name, self.start, self.end, self.time_zone, self.variant, self.min_replicas, self.max_replicas
        )


def _without(problem: str | None, value: _T) -> _T:
    if problem is not None:
        raise ValueError(problem)
    return value


class OverridePart(Part):
    """A person's word over the planner's."""

    kind: OverrideKind
    replicas: Count | None = None
    variant: VariantName | None = None
    expires_at: datetime | None = None
    actor: str = Field(default="", max_length=253)
    reason: str = Field(default="", max_length=1024)

    @field_validator("expires_at")
    @classmethod
    def _has_a_zone(cls, moment: datetime | None) -> datetime | None:
        if moment is not None and moment.tzinfo is None:
            raise ValueError("has no time zone; allowed: RFC 3339, e.g. with Z")
        return moment

    def to_domain(self) -> Override:
        """As the planner has it."""
        expires_at_s = None if self.expires_at is None else self.expires_at.timestamp()
        return Override(self.kind, self.replicas, self.variant, expires_at_s, self.actor, self.reason)
