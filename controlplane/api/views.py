"""What the API answers with: read models over the ledger. Times are unix seconds on the controller's clock."""

from __future__ import annotations

from dataclasses import dataclass

from controlplane.domain.decision import Tick, Verdict
from controlplane.domain.observation import ColdStartStages, FaultKind
from controlplane.domain.target import CapacityType, Mode, Role, Slo


@dataclass(frozen=True, slots=True)
class VariantStatus:
    """One variant of a target at its newest tick. `desired` is what the cluster was told to want: the decision where it
    was applied, else what it wanted before. None where unknown."""

    name: str
    role: Role
    accelerator: str
    gpus_per_replica: int
    capacity_type: CapacityType
    usd_per_replica_hour: float
    min_replicas: int
    max_replicas: int
    desired: int | None
    ready: int | None
    pending: int | None
    capacity_rps: float | None
    """Requests/s that one replica sustains within the SLO, as the newest plan sees it."""
    cold_start_s: float | None
    cold_start_stages: ColdStartStages | None
    """Medians of its parts: to a node, to the container's start, to Ready."""


@dataclass(frozen=True, slots=True)
class FaultCount:
    """What is wrong with metrics pages at the newest tick, by kind."""

    kind: FaultKind
    count: int
    example: str
    """One of them in words: the replica, the metric where it is one metric's, and what was said."""


@dataclass(frozen=True, slots=True)
class TargetSummary:
    """A row of the fleet page. Everything but the name is None before the first tick."""

    namespace: str
    name: str
    model: str
    group: str
    mode: Mode
    slo: Slo
    verdict: Verdict | None
    reason: str | None
    tick_id: str | None
    at_s: float | None
    requests_per_s: float | None
    forecast_requests_per_s: float | None
    """The planned quantile of the peak over the horizon."""
    waiting: float | None
    running: float | None
    kv_usage: float | None
    attainment: float | None
    """Share of the newest window's finished requests that met the SLO."""
    attainment_day: float | None
    """The same over the last 24 h, weighted by load."""
    usd_per_hour: float | None
    """Of the replicas that exist now."""
    variants: tuple[VariantStatus, ...]
    sparkline_rps: tuple[float | None, ...]
    """Requests/s over the last hour, evenly spaced, oldest first."""
    sparkline_usd_per_hour: tuple[float | None, ...]
    """$/h over the same hour."""
    coverage: float | None
    """Share of the ready replicas whose metrics could be read."""
    tick_interval_s: float
    """How often it is decided for: older news than that is late."""
    faults: tuple[FaultCount, ...]
    conflicts: tuple[str, ...]
    """Other controllers that hold the target's workloads, and what else of its surroundings is wrong, in words."""


@dataclass(frozen=True, slots=True)
class FleetTotals:
    """The sums over all targets."""

    now_s: float
    speed: float
    """Seconds of the controller's clock per real second."""
    newest_tick_at_s: float | None
    targets: int
    requests_per_s: float | None
    ready: int | None
    """None before the first tick, as the others."""
    desired: int | None
    usd_per_hour: float | None
    attainment: float | None


@dataclass(frozen=True, slots=True)
class Fleet:
    """The fleet page."""

    totals: FleetTotals
    targets: tuple[TargetSummary, ...]


@dataclass(frozen=True, slots=True)
class TickSummary:
    """A line in the list of decisions."""

    id: str
    target: str
    at_s: float
    verdict: Verdict
    reason: str
    current: dict[str, int]
    desired: dict[str, int]
    requests_per_s: float | None
    attainment: float | None
    usd_per_hour: float
    applied: bool


@dataclass(frozen=True, slots=True)
class TickPage:
    """One page of decisions, newest first. `next_cursor` None: there are no older ones."""

    items: tuple[TickSummary, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class TickDetail:
    """One decision whole: the ledger's row and its trail in words."""

    tick: Tick
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TickNeighbours:
    """The decisions of the same target just before and after one."""

    previous_id: str | None
    next_id: str | None


@dataclass(frozen=True, slots=True)
class VariantSeries:
    """One variant's columns, aligned with `Series.at_s`."""

    name: str
    role: Role
    accelerator: str
    desired: tuple[int | None, ...]
    ready: tuple[int | None, ...]
    pending: tuple[int | None, ...]
    cold_start_s: tuple[float | None, ...]
    """The p90 that was planned with: from the wish for a replica to Ready."""


@dataclass(frozen=True, slots=True)
class TargetSeries:
    """Columns for the charts, one entry a tick (thinned to at most the asked number of points); None is a gap."""

    target: str
    slo: Slo
    at_s: tuple[float, ...]
    requests_per_s: tuple[float | None, ...]
    planned_requests_per_s: tuple[float | None, ...]
    forecast_at_s: tuple[float | None, ...]
    """The end of the window that the forecast below is of: the tick's time plus its horizon."""
    forecast_p10: tuple[float | None, ...]
    forecast_p50: tuple[float | None, ...]
    forecast_p90: tuple[float | None, ...]
    waiting: tuple[float | None, ...]
    running: tuple[float | None, ...]
    kv_usage: tuple[float | None, ...]
    ttft_p50_s: tuple[float | None, ...]
    ttft_p99_s: tuple[float | None, ...]
    tpot_p50_s: tuple[float | None, ...]
    tpot_p99_s: tuple[float | None, ...]
    attainment: tuple[float | None, ...]
    usd_per_hour: tuple[float | None, ...]
    verdict: tuple[Verdict, ...]
    tick_id: tuple[str, ...]
    variants: tuple[VariantSeries, ...]


@dataclass(frozen=True, slots=True)
class Health:
    """`/healthz` and `/readyz`: `checks` by name, "ok" or what is wrong."""

    ok: bool
    checks: dict[str, str]


@dataclass(frozen=True, slots=True)
class Problem:
    """RFC 9457 problem details; sent as application/problem+json."""

    type: str
    title: str
    status: int
    detail: str
    field: str | None = None
    value: str | None = None
    allowed: str | None = None
