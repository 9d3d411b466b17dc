"""What is scaled: a target, its variants, and the policy that says how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """What a replica does of a request: the prompt, the answer, or both."""

    PREFILL = "Prefill"
    DECODE = "Decode"
    BOTH = "Both"


class CapacityType(StrEnum):
    """How the machine under a replica is bought."""

    ON_DEMAND = "OnDemand"
    SPOT = "Spot"


class Preference(StrEnum):
    """Whether a variant is taken before others of the same price, or after them."""

    PREFER = "Prefer"
    NEUTRAL = "Neutral"
    AVOID = "Avoid"


class Mode(StrEnum):
    """Off: not looked at. Shadow: decided and recorded, never applied. Live: applied."""

    OFF = "Off"
    SHADOW = "Shadow"
    LIVE = "Live"


class Routing(StrEnum):
    """How requests are spread over a role's replicas. Weighted: in proportion to what each can carry, as a router does
    that looks at queues or takes the plan's weights. Even: as many to each, as round robin does."""

    EVEN = "Even"
    WEIGHTED = "Weighted"


@dataclass(frozen=True, slots=True)
class ScaleTargetRef:
    """The object with a `/scale` subresource that holds a variant's replica count; fields as in HPA."""

    api_version: str
    kind: str
    name: str


class PriceSource(StrEnum):
    """Whose word a variant's price is: the catalog of accelerators, the custom resource, or a person for a time."""

    CATALOG = "Catalog"
    RESOURCE = "Resource"
    OVERRIDE = "Override"


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to run the model: an accelerator, a role and a capacity type behind one scalable object.

    `gpus_per_replica` is the tensor-parallel width. `usd_per_replica_hour` is the price of one whole replica.
    """

    name: str
    ref: ScaleTargetRef
    role: Role
    accelerator: str
    gpus_per_replica: int
    capacity_type: CapacityType
    usd_per_replica_hour: float
    min_replicas: int
    max_replicas: int
    preference: Preference = Preference.NEUTRAL
    """Prefer and Avoid weigh the price where fleets are compared; what is paid is reported as it is."""
    drain_s: float | None = None
    """The longest that a replica on its way out may take to finish what it runs; None: the pod's own grace period."""
    priced_by: PriceSource = PriceSource.RESOURCE
    """A price of the catalog follows the catalog's overrides; one that the resource gives does not."""
    failure_domain: str | None = None
    """What fails as one with its replicas, e.g. the zone `eu-west-1a`; None: not said, and counted in no domain."""


@dataclass(frozen=True, slots=True)
class Slo:
    """A request meets its SLO when its TTFT, its TPOT (time per output token after the first) and, where that is
    limited, the whole of it are within these.

    `attainment` is the share of requests that must meet it, in (0, 1]. Where the user limits the whole alone, `ttft_s`
    and `tpot_s` are `e2e_s`: they never bind alone.
    """

    ttft_s: float
    tpot_s: float
    attainment: float = 0.99
    e2e_s: float | None = None


class ScalingPolicyType(StrEnum):
    """Unit of a rate limit's value: replicas, or percent of the count at the period's start (HPA)."""

    PODS = "Pods"
    PERCENT = "Percent"


class SelectPolicy(StrEnum):
    """Which of several rate limits holds (HPA): the largest change, the smallest change, or none allowed."""

    MAX = "Max"
    MIN = "Min"
    DISABLED = "Disabled"


@dataclass(frozen=True, slots=True)
class ScalingPolicy:
    """At most `value` replicas (or percent) of change in any `period_s` seconds."""

    type: ScalingPolicyType
    value: int
    period_s: float


@dataclass(frozen=True, slots=True)
class ScalingRules:
    """HPA's `behavior.scaleUp` or `behavior.scaleDown`."""

    stabilization_window_s: float
    policies: tuple[ScalingPolicy, ...]
    select_policy: SelectPolicy = SelectPolicy.MAX
    tolerance: float = 0.0
    """A change of fewer than this share of a variant's replicas is left undone (HPA's `tolerance`)."""
    wait_out_falls: bool = False
    """Of scaleDown: whether the window is waited for also while the load falls for certain, as HPA does."""


DEFAULT_SCALE_UP = ScalingRules(
    stabilization_window_s=0.0,
    policies=(ScalingPolicy(ScalingPolicyType.PODS, 4, 15.0), ScalingPolicy(ScalingPolicyType.PERCENT, 100, 15.0)),
)
"""HPA v2's defaults for scaleUp: no window; the larger of 4 pods and doubling per 15 s."""

HPA_SCALE_DOWN = ScalingRules(
    stabilization_window_s=300.0,
    policies=(ScalingPolicy(ScalingPolicyType.PERCENT, 100, 15.0),),
)
"""HPA v2's defaults for scaleDown: five minutes of agreement, then any step."""

DEFAULT_SCALE_DOWN = ScalingRules(
    stabilization_window_s=60.0,
    policies=(ScalingPolicy(ScalingPolicyType.PERCENT, 100, 15.0),),
)
"""A minute of agreement: a plan already holds the highest load that is likely within a cold start, which HPA's five
minutes stand in for. On public traces it costs some percent less and misses no more (docs/adr/0004)."""


class OverrideKind(StrEnum):
    """Pin: exactly. Floor: at least. Ceiling: at most. Pause: no change at all."""

    PIN = "Pin"
    FLOOR = "Floor"
    CEILING = "Ceiling"
    PAUSE = "Pause"


class Origin(StrEnum):
    """Where a person said it: in the custom resource, or through the API."""

    RESOURCE = "Resource"
    API = "Api"


@dataclass(frozen=True, slots=True)
class Override:
    """A person's word over the planner's, until `expires_at_s` (unix seconds; None: until it is taken back).

    `variant` None means every variant. `replicas` is None only for Pause. `id` and `created_at_s` are those of the API.
    """

    kind: OverrideKind
    replicas: int | None
    variant: str | None
    expires_at_s: float | None
    actor: str
    reason: str
    origin: Origin = Origin.RESOURCE
    id: str = ""
    created_at_s: float | None = None


class FreezeDirection(StrEnum):
    """What may not happen while it holds. Both: no change. Down: nothing goes down."""

    BOTH = "Both"
    DOWN = "Down"


@dataclass(frozen=True, slots=True)
class Freeze:
    """From `starts_at_s` until `ends_at_s` (unix seconds, the end not included) the target is not changed."""

    direction: FreezeDirection
    starts_at_s: float
    ends_at_s: float
    actor: str
    reason: str
    id: str = ""

    def holds(self, now_s: float) -> bool:
        """Whether it holds at that time."""
        return self.starts_at_s <= now_s < self.ends_at_s


@dataclass(frozen=True, slots=True)
class Schedule:
    """Bounds that hold from each `start` to the next `end`, both cron expressions in `time_zone` (as KEDA's cron).

    `variant` None means every variant. A bound that is None is left as it is.
    """

    name: str
    start: str
    end: str
    time_zone: str = "UTC"
    variant: str | None = None
    min_replicas: int | None = None
    max_replicas: int | None = None


@dataclass(frozen=True, slots=True)
class Headroom:
    """Warm replicas beyond what the plan needs, in each role: the larger of a number and a share of the plan."""

    replicas: int = 0
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class Policy:
    """How a target may be scaled."""

    mode: Mode
    slo: Slo
    scale_up: ScalingRules = DEFAULT_SCALE_UP
    scale_down: ScalingRules = DEFAULT_SCALE_DOWN
    interval_s: float = 15.0
    """Time between decisions; HPA's sync period."""
    forecast_quantile: float = 0.9
    """The quantile of the window's peak load that is provisioned for."""
    max_sample_age_s: float = 120.0
    """A metrics page older than this says nothing; two missed scrapes of a minute."""
    quorum: float = 0.6
    """Share of ready replicas that must report before anything goes down."""
    pending_deadline_s: float = 900.0
    """A replica that is not Ready this long after its creation counts as a stock-out, not as a promise."""
    overrides: tuple[Override, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    """Those that concern the target, begun or not; only the API makes them."""
    priority: int = 0
    """Where accelerators are short, a higher priority is carried before a lower one gets any."""
    weight: float = 1.0
    """Where those of one priority are short, the share of its demand that is carried is in proportion to this."""
    routing: Routing = Routing.WEIGHTED
    """How the router spreads requests over unlike replicas."""
    max_spot_share: float = 1.0
    """The largest share of a role's capacity that may be Spot."""
    max_pool_share: float = 1.0
    """The largest share of a role's capacity that one Spot variant may have: what one reclaim can take."""
    miss_usd_per_request: float | None = None
    """What a request that misses its SLO costs; None: what makes `forecast_quantile` the best quantile to provide."""
    max_surge: int | None = None
    """The most replicas that one decision may add to a variant; None: no limit of its own."""
    schedules: tuple[Schedule, ...] = ()
    headroom: Headroom = field(default_factory=Headroom)
    idle_s: float | None = None
    """Where minReplicas is 0: the last replica goes after this long without a request; None: it stays."""
    max_role_skew: float | None = None
    """How far one role's capacity may run ahead of the other's while both change, as a share; None: not limited."""
    manual_hold_s: float = 600.0
    """How long a person's `kubectl scale` is left as it is: long enough to look into what made them do it."""
    takeover: bool = False
    """Whether another writer of the replica count is overridden instead of held for."""
    max_domain_share: float | None = None
    """The largest share of a role's capacity that may be in one failure domain; None: not limited."""


@dataclass(frozen=True, slots=True)
class SecretKey:
    """One key of a Secret in the target's own namespace."""

    name: str
    key: str


@dataclass(frozen=True, slots=True)
class Tls:
    """How a page is fetched over HTTPS. `ca` None: the system's authorities."""

    ca: SecretKey | None = None
    server_name: str | None = None
    insecure_skip_verify: bool = False


@dataclass(frozen=True, slots=True)
class PrometheusSource:
    """A Prometheus that scrapes the replicas already. `labels` narrow its series to this target's, by label name."""

    url: str
    labels: Mapping[str, str] = field(default_factory=dict)
    pod_label: str = "pod"
    """The label that holds the pod's name."""


@dataclass(frozen=True, slots=True)
class PoolSource:
    """The router in front of the replicas (an endpoint picker, a frontend): its Pods in the target's namespace, and
    where their metrics page is. Its queue is the only sign of load while there is no replica."""

    pod_selector: str
    port: int = 9090
    path: str = "/metrics"
    bearer: SecretKey | None = None


@dataclass(frozen=True, slots=True)
class MetricsSource:
    """Where a replica's metrics page is. `port` None: the container port named `metrics` or `http`, else 8000.

    `tls` None: plain HTTP. With `prometheus`, pages are asked of it and not of the replicas.
    """

    port: int | None = None
    path: str = "/metrics"
    tls: Tls | None = None
    bearer: SecretKey | None = None
    prometheus: PrometheusSource | None = None
    pool: PoolSource | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """One model served to one SLO by one or more variants. Its key is `namespace/name`."""

    namespace: str
    name: str
    model: str
    """Name in the catalog of models, e.g. `llama-3.1-8b`."""
    variants: tuple[Variant, ...]
    policy: Policy
    group: str = "default"
    """Targets of one group share accelerators and are planned together."""
    metrics: MetricsSource = field(default_factory=MetricsSource)
    uid: str = ""
    generation: int = 0
    policy_version: str | None = None
    """The version of a policy of the API that it is made from; None: it is a custom resource's."""

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    @property
    def split(self) -> bool:
        """Whether any of its variants does only half of a request."""
        return any(variant.role is not Role.BOTH for variant in self.variants)

    def variant(self, name: str) -> Variant:
        """The variant of that name.

        Raises:
            KeyError: if the target has none of that name.
        """
        for variant in self.variants:
            if variant.name == name:
                return variant
        raise KeyError(f"target {self.key} has no variant {name!r}; it has {[v.name for v in self.variants]}")
