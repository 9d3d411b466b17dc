"""What was expected, chosen, ruled, done and recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from controlplane.domain.observation import ColdStartStages, Inventory, Load, LoraUse, Observation, Surroundings
from controlplane.domain.target import Target
from forecasters.types import QuantileForecast, Regime


@dataclass(frozen=True, slots=True)
class LoadLevel:
    """A load beneath the noise of its minutes (see `planning.load_level`)."""

    load: Load
    noise: float
    """Standard deviation of a minute's work about its level, as a share, beyond what counting explains."""


@dataclass(frozen=True, slots=True)
class SideForecast:
    """What comes to one role of a target whose roles are split, in the time of its `Forecast`.

    Prompts may grow longer while answers grow shorter, so each role has a load that ramps and wanders by itself.
    """

    work_s_per_s: QuantileForecast
    """Seconds of a replica's work that come in a second, by the prior's costs."""
    regimes: tuple[Regime, ...] = ()
    """What that work may be doing beside wandering, in requests/s as long as now's."""
    volatility: float = 1.0
    """How much it grows within minutes beside what is usual."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """One target's load over one cold start and one interval: requests/s, input and output tokens/s."""

    target: str
    made_at_s: float
    horizon_s: float
    requests_per_s: QuantileForecast
    input_tokens_per_s: QuantileForecast
    output_tokens_per_s: QuantileForecast
    fitted_at_s: float | None = None
    """When a worker last fitted the forecaster; None: not fitted, so the last value is used."""
    work_s_per_s: QuantileForecast | None = None
    """Seconds of a replica's work that come in a second, by the prior's costs; None where roles are split."""
    work_cached_share: float = 0.0
    """Of prompt tokens that were taken to be cached in it."""
    regimes: tuple[Regime, ...] = ()
    """What requests/s may be doing beside wandering, from the last hour; where roles are split, what the work of the
    role does that falls less."""
    volatility: float = 1.0
    """How much the load grows within minutes beside what is usual, as seen so far; where roles are split, that of the
    more restless one."""
    recent_rps: float | None = None
    """What came in the last quarter of an hour, in the mean, as requests/s of now's lengths that bring as much work.
    None where it is not known, and where roles are split."""
    sides: tuple[SideForecast, ...] = ()
    """Of prefill and of decode; empty where roles are not split, and where so much of the prompts is cached that work
    does not tell what fills a replica."""
    level: LoadLevel | None = None
    """What is taken to come now, where minutes differ by more than counting explains; None: what came last."""


@dataclass(frozen=True, slots=True)
class ColdStart:
    """Seconds from a replica's creation to Ready, as measured. `samples` 0: `p90_s` is the prior.

    `stages` are the medians of its parts, as far as the cluster told them.
    """

    p50_s: float
    p90_s: float
    samples: int
    stages: ColdStartStages | None = None


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What the plan wanted at a time, before the rules; the stabilisation window looks back on these."""

    at_s: float
    replicas: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ScaleEvent:
    """A change that was decided; rate limits look back on these. `delta` is in replicas."""

    at_s: float
    variant: str
    delta: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """Observed over predicted step time of one variant, smoothed; 1 is the prior. `weight` is seconds of evidence.

    `factors` are those on the prior's a, b, c and d, `covariance` that of their errors, row by row; both empty before
    anything was learned. `misses_seen` and `misses_expected` are shares of requests that missed their SLO, as the pages
    show and as the capacity model expected them at that load, means over `misses_weight` seconds.
    """

    ratio: float
    weight: float
    factors: tuple[float, ...] = ()
    covariance: tuple[float, ...] = ()
    deviation: float = 0.15
    """Relative standard deviation of the step time at the load that was last seen."""
    step_s: float | None = None
    """The step time that was last seen."""
    unrest: float = 0.0
    """By how much it changed of late from one observation to the next, as a share; fades within a window."""
    kv_tokens: float | None = None
    """KV cache of one replica as its page says, tokens."""
    holding: float = 1.0
    """KV tokens that a sequence holds over those that lengths alone would say."""
    sequences: float | None = None
    """What a batch was seen to take at most; None: the engine's default, as far as is known."""
    misses_seen: float = 0.0
    misses_expected: float = 0.0
    misses_weight: float = 0.0
    lora: LoraUse | None = None
    """How its LoRA adapters were used when its pages last told, at `lora_at_s` (unix seconds)."""
    lora_at_s: float | None = None


class OutageKind(StrEnum):
    """StockOut: its replicas find no node. Failed: they start and crash, or their image cannot be had."""

    STOCK_OUT = "StockOut"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class Outage:
    """No more of a variant is asked for until `until_s` (unix seconds), and then one replica, as a try.

    `strikes` is how often in a row it was found so; `ready` the replicas that were Ready or restarted meanwhile, at the
    least: one more is a success and ends it. `reason` is the cluster's word, where it said one.
    """

    kind: OutageKind
    until_s: float
    strikes: int
    ready: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Memory:
    """All that the decider remembers of one target from tick to tick. It is an input and an output, never hidden."""

    recommendations: tuple[Recommendation, ...] = ()
    scale_events: tuple[ScaleEvent, ...] = ()
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)
    first_seen_at_s: float | None = None
    """When the target was first decided on, unix seconds."""
    missed_requests: float = 0.0
    """Of `finished_requests`, those that missed their SLO and need not have; both with fading memory."""
    finished_requests: float = 0.0
    outages: Mapping[str, Outage] = field(default_factory=dict)
    """By variant; what can be had is absent."""
    templates: Mapping[str, str] = field(default_factory=dict)
    """What each variant's replicas were made from when it was last looked at (see `Replica.template`)."""
    headroom: Mapping[str, int] = field(default_factory=dict)
    """Of the replicas that the last plan wanted, by variant, those beyond its need."""
    mix: Load | None = None
    """The last load that was seen, of a target that may sleep: what is taken to come when it is woken."""
    busy_at_s: float | None = None
    """When a request was last seen, or could have been, unix seconds."""


@dataclass(frozen=True, slots=True)
class TargetInputs:
    """Everything the decider is told about one target. `cold_starts` is by variant name."""

    target: Target
    observation: Observation
    forecast: Forecast | None
    cold_starts: Mapping[str, ColdStart]
    memory: Memory
    surroundings: Surroundings = field(default_factory=Surroundings)


@dataclass(frozen=True, slots=True)
class GroupInputs:
    """Everything the decider is told: the same value gives the same outcome, always.

    `spool_writable` False: an intent cannot be kept, so nothing goes down.
    """

    group: str
    now_s: float
    targets: tuple[TargetInputs, ...]
    inventory: Inventory
    spool_writable: bool = True


class CapacityBound(StrEnum):
    """What limits a replica's sustained rate."""

    TPOT = "Tpot"
    TTFT = "Ttft"
    KV = "Kv"
    SEQUENCES = "Sequences"
    LORA_SLOTS = "LoraSlots"
    E2E = "E2e"
    INFEASIBLE = "Infeasible"


@dataclass(frozen=True, slots=True)
class Capacity:
    """Requests/s that one replica of a variant sustains within the SLO at this mix of requests, and what limits it."""

    variant: str
    requests_per_s: float
    bound: CapacityBound
    calibration: float
    """The factor on the prior's step time that was used; 1 is the roofline prior."""


@dataclass(frozen=True, slots=True)
class DemandScenario:
    """A load that may come, requests/s, and how likely it is; a forecast's quantiles as steps of its distribution."""

    requests_per_s: float
    probability: float


@dataclass(frozen=True, slots=True)
class Demand:
    """What is planned for: requests/s with the backlog's share, and whose word it is."""

    requests_per_s: float
    """What the plan must carry."""
    low_requests_per_s: float
    """What a scale-down must still carry."""
    backlog_rps: float
    """Part of `requests_per_s` that drains the queue in time."""
    input_tokens: float
    output_tokens: float
    context_tokens_weighted: float
    cached_share: float
    source: str
    """`forecast:<name>` or `reactive`."""
    input_tokens_squared: float | None = None
    input_lengths: tuple[float, ...] = ()
    output_lengths: tuple[float, ...] = ()
    """See `Load`."""
    scenarios: tuple[DemandScenario, ...] = ()
    """What may come beside `requests_per_s`, which is carried in any case: the rest is carried as far as what a miss
    costs, times how likely it is, pays for it."""
    growth_rps: float = 0.0
    """Part of `requests_per_s` that is room for a new load to grow, of which too little was seen to forecast it."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """A fleet that was not chosen, and what it would have cost. `note` says why not."""

    replicas: Mapping[str, int]
    usd_per_hour: float
    note: str


@dataclass(frozen=True, slots=True)
class Plan:
    """One target's share of the group's plan: least-cost replicas per variant. `feasible` False: best effort,
    and `binding` names the bound that held; where all is carried, it names a limit that could not be kept for it."""

    target: str
    demand: Demand | None
    capacities: tuple[Capacity, ...]
    replicas: Mapping[str, int]
    usd_per_hour: float
    feasible: bool
    binding: str = ""
    alternatives: tuple[Alternative, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    """Share of all requests that each variant's replicas together are taken to get; see `Routing`."""
    reclaim_loss_rps: float = 0.0
    """Requests/s that are no longer carried when the Spot variant that carries most is reclaimed."""
    headroom: Mapping[str, int] = field(default_factory=dict)
    """Of `replicas`, by variant, those that are kept warm beyond what the demand needs."""
    domain_loss_rps: float | None = None
    """Requests/s that are no longer carried when the failure domain that carries most is lost; None: no variant says
    in which it is."""
    trial: str = ""
    """Which of `replicas` is a try, of a kind that nobody has seen serve yet, in words; empty: none."""


class Verdict(StrEnum):
    """Up, down: the sign of the change in $/h, or in replicas where that is nought. Hold: none. Abstain: not judged."""

    UP = "up"
    DOWN = "down"
    HOLD = "hold"
    ABSTAIN = "abstain"


class RulingEffect(StrEnum):
    """Pass: left as it was. Limit: changed it. Hold: kept the present count. Abstain: refused to judge."""

    PASS = "pass"
    LIMIT = "limit"
    HOLD = "hold"
    ABSTAIN = "abstain"


@dataclass(frozen=True, slots=True)
class Ruling:
    """What one rule did to the proposal, and why, in words that an operator understands."""

    rule: str
    effect: RulingEffect
    before: Mapping[str, int]
    after: Mapping[str, int]
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer for one target. `current` and `desired` are replicas by variant; `reason` is one sentence."""

    target: str
    verdict: Verdict
    current: Mapping[str, int]
    desired: Mapping[str, int]
    trail: tuple[Ruling, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class GroupOutcome:
    """The decider's whole output; plans, decisions and memories are in the order of the inputs' targets."""

    plans: tuple[Plan, ...]
    decisions: tuple[Decision, ...]
    memories: tuple[Memory, ...]
    planner_version: str


class ActuationResult(StrEnum):
    """Applied: the PATCH went through. Conflict: somebody else wrote; next tick. Failed: error. Skipped: not Live.
    Refused: the last check said no. Unknown: the controller died between the PATCH and the record."""

    APPLIED = "applied"
    CONFLICT = "conflict"
    FAILED = "failed"
    SKIPPED = "skipped"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Actuation:
    """What became of one variant's change."""

    variant: str
    replicas_from: int
    replicas_to: int
    result: ActuationResult
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Validation:
    """The re-check of a scale-down against the newest `observation`. `allowed` False: refused, for `reason`."""

    allowed: bool
    reason: str
    observation: Observation


@dataclass(frozen=True, slots=True)
class Tick:
    """One row of the ledger: every input and output of the decider for one target at one time, and what was done.

    Ticks of one `group_tick_id` were decided together and are replayed together.
    """

    id: str
    group_tick_id: str
    group: str
    at_s: float
    planner_version: str
    inputs: TargetInputs
    inventory: Inventory
    spool_writable: bool
    plan: Plan
    decision: Decision
    validation: Validation | None
    actuations: tuple[Actuation, ...]
    duration_s: float | None = None
    """Real seconds from the start of the scrape to the end of the actuation."""
    policy_version: str | None = None
    """Which version of a policy of the API decided; None: a custom resource did."""
