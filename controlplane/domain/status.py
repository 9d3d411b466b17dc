"""What is told of a target: its status, its conditions, and what is worth an Event."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from controlplane.domain.decision import Tick, Verdict
from controlplane.domain.observation import Replica
from controlplane.domain.target import Mode


class ConditionType(StrEnum):
    """Ready: valid and planned. MetricsHealthy: pages without faults. CapacityAvailable: what is needed can be had.
    Scaling: decisions are carried out. Conflicted: somebody else scales the same objects; the only one that is bad
    when True."""

    READY = "Ready"
    METRICS_HEALTHY = "MetricsHealthy"
    CAPACITY_AVAILABLE = "CapacityAvailable"
    SCALING = "Scaling"
    CONFLICTED = "Conflicted"


class ConditionStatus(StrEnum):
    """As Kubernetes writes it. Unknown is said, never guessed."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition. `reason` is one CamelCase word, `message` a sentence for people.

    `changed_at_s` (unix seconds) is when `status` last changed, whatever became of reason and message since.
    """

    type: ConditionType
    status: ConditionStatus
    reason: str
    message: str
    observed_generation: int
    changed_at_s: float


@dataclass(frozen=True, slots=True)
class VariantStatus:
    """One variant as it is shown. None: not known, and left out."""

    name: str
    ready: int | None
    pending: int | None
    desired: int | None
    stocked_out_until_s: float | None = None
    """Unix seconds at which it is tried again."""
    routing_weight: int | None = None
    """Percent of the requests that its replicas together should get."""


@dataclass(frozen=True, slots=True)
class TargetStatus:
    """The whole status of a custom resource. None: not known, and left out; never a zero.

    `ready` and `desired` are sums over variants, `attainment` a share in [0, 1], `at_s` the last tick's time.
    """

    observed_generation: int
    conditions: tuple[Condition, ...]
    reason: str
    mode: Mode | None = None
    verdict: Verdict | None = None
    ready: int | None = None
    desired: int | None = None
    attainment: float | None = None
    at_s: float | None = None
    variants: tuple[VariantStatus, ...] = ()

    def condition(self, kind: ConditionType) -> Condition | None:
        """The condition of that type; None where it was never said."""
        return next((c for c in self.conditions if c.type is kind), None)


@dataclass(frozen=True, slots=True)
class StockOut:
    """A variant whose replicas do not come. `reason` is the cluster's word, times are unix seconds; None: not said."""

    variant: str
    reason: str
    since_s: float | None = None
    until_s: float | None = None
    """When it is tried again."""


@dataclass(frozen=True, slots=True)
class Told:
    """One target after its tick: all that its status is made of. `problems` are of its objects, `field: message`."""

    tick: Tick
    replicas: tuple[Replica, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Notice:
    """Something worth an Event: a CamelCase `reason`, a sentence, and whether somebody should look at it."""

    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class DesiredCount:
    """How many replicas of one variant are wanted, for autoscalers that act on it themselves.

    `object_name` is the scaled object's. After `fresh_until_s` (unix seconds) it must not be acted on.
    """

    namespace: str
    target: str
    variant: str
    accelerator: str
    object_name: str
    replicas: int
    at_s: float
    fresh_until_s: float
