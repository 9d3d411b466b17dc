"""What was seen: replicas, the samples of their metrics pages, and the observation made of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class ReplicaPhase(StrEnum):
    """Pending: no node or still loading. Ready: takes requests. Terminating: draining. Failed: crashed or refused."""

    PENDING = "Pending"
    READY = "Ready"
    TERMINATING = "Terminating"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class ColdStartStages:
    """Parts of one replica's cold start, seconds; None: not over yet, or not said."""

    scheduled_s: float | None = None
    """From creation to a node: nought where one was free, minutes where it had to be made."""
    pulled_s: float | None = None
    """From the node to the container's start: the image."""
    loaded_s: float | None = None
    """From the container's start to Ready: weights, compilation, warm-up."""


@dataclass(frozen=True, slots=True)
class Replica:
    """One replica as the cluster reports it. Times are unix seconds; `host` and `port` are where its page is."""

    name: str
    variant: str
    phase: ReplicaPhase
    created_at_s: float
    ready_at_s: float | None = None
    host: str | None = None
    port: int | None = None
    reason: str = ""
    """Why it is not Ready, in the cluster's own word: Unschedulable, ContainerCreating, CrashLoopBackOff..."""
    template: str = ""
    """What it was made from (hash of image, arguments and model): a rollout changes it. Empty: not known."""
    stages: ColdStartStages | None = None
    """How long each part of its start took, as far as the cluster says."""
    last_ready_at_s: float | None = None
    """Until when it was Ready, of one that was and is not now; None: it never was, or nobody says."""

    @property
    def waits_since_s(self) -> float:
        """Since when one that is not Ready waits to be: since it last was, or its creation."""
        return self.created_at_s if self.last_ready_at_s is None else self.last_ready_at_s


class FaultKind(StrEnum):
    """What can be wrong with a metrics page. Each is named; none is turned into a zero."""

    UNREACHABLE = "Unreachable"
    TIMEOUT = "Timeout"
    TOO_LARGE = "TooLarge"
    BAD_STATUS = "BadStatus"
    NOT_METRICS = "NotMetrics"
    MISSING = "Missing"
    RENAMED = "Renamed"
    NOT_FINITE = "NotFinite"
    NEGATIVE = "Negative"
    STALE = "Stale"
    RESET = "Reset"
    DUPLICATE = "Duplicate"
    NOT_AUTHORISED = "NotAuthorised"
    SECRET = "Secret"
    UNTRUSTED = "Untrusted"
    REFUSED = "Refused"


@dataclass(frozen=True, slots=True)
class Fault:
    """One named fault of one replica's page. `metric` is empty where the whole page is at fault."""

    kind: FaultKind
    replica: str
    metric: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Histogram:
    """A Prometheus histogram at one moment: `cumulative[i]` observations were at most `bounds[i]`; +Inf is `count`."""

    bounds: tuple[float, ...]
    cumulative: tuple[float, ...]
    sum: float
    count: float


@dataclass(frozen=True, slots=True)
class LoraPage:
    """What one page says of LoRA adapters. A request of the base model has none, and needs no slot."""

    slots: int
    """Adapters that one batch may hold (vLLM's `--max-loras`)."""
    now: tuple[str, ...]
    """Adapters of the requests that ran or waited at the engine's newest step."""
    lately: tuple[str, ...]
    """Those of the last quarter of an hour, `now` included."""
    stuck: tuple[str, ...] = ()
    """Those of `now` of which every request waits."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One replica's metrics page, read. None means that the page did not say; never zero for missing.

    Counters are since the engine's start. `kv_usage` is a share in [0, 1]; `kv_capacity_tokens` is blocks x block size.
    """

    replica: str
    variant: str
    at_s: float
    running: float | None = None
    waiting: float | None = None
    kv_usage: float | None = None
    kv_capacity_tokens: float | None = None
    prompt_tokens_total: float | None = None
    prompt_tokens_cached_total: float | None = None
    generation_tokens_total: float | None = None
    finished_total: float | None = None
    aborted_total: float | None = None
    """Of the finished, those that their clients gave up, begun or not."""
    preemptions_total: float | None = None
    started_at_s: float | None = None
    ttft_s: Histogram | None = None
    tpot_s: Histogram | None = None
    itl_s: Histogram | None = None
    e2e_s: Histogram | None = None
    """From a request's arrival to its last token."""
    queue_time_s: Histogram | None = None
    prompt_tokens: Histogram | None = None
    generation_tokens: Histogram | None = None
    iteration_tokens: Histogram | None = None
    uncached_prompt_tokens: Histogram | None = None
    """Prompt tokens of a request that the prefix cache did not have."""
    lora: LoraPage | None = None
    engine: str = ""
    """Which engine's page it was."""
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """One latency over the window, from histogram differences. `within_slo` is the share at or below the SLO."""

    count: float
    mean_s: float
    p50_s: float
    p90_s: float
    p99_s: float
    within_slo: float


@dataclass(frozen=True, slots=True)
class LoraUse:
    """How LoRA adapters are used on one replica of a variant: numbers alone, names stay with the pages.

    A batch holds at most `slots` different ones; a request whose adapter finds none waits, whatever room there is.
    """

    slots: int
    """Of unlike replicas the fewest."""
    adapters: int
    """Different adapters that one replica was asked for in the last quarter of an hour; of several the most."""
    at_once: float | None = None
    """Different adapters among one replica's requests at a time: the mean over moments at which it had any."""
    share: float | None = None
    """Part of the requests that is of any one of the `slots` adapters asked for most, in the mean over them."""
    rest: float | None = None
    """The same of any one of the others; None of both: not known, or as many slots as adapters."""


@dataclass(frozen=True, slots=True)
class VariantObservation:
    """One variant at one moment. Sums are over the replicas that reported; None where none did.

    `desired` is the scalable object's `spec.replicas`. `reporting` of `ready` replicas have a fresh sample.
    Rates are per second over the observation's window. `steps_per_s` is engine iterations per second, summed.
    """

    variant: str
    desired: int
    ready: int
    pending: int
    terminating: int
    failed: int
    reporting: int
    oldest_pending_s: float | None = None
    """How long the pending replica that waits longest does, seconds: since its creation, or since it was last Ready."""
    running: float | None = None
    waiting: float | None = None
    kv_usage_mean: float | None = None
    kv_usage_max: float | None = None
    kv_capacity_tokens: float | None = None
    """KV capacity of one replica, tokens."""
    arrival_rps: float | None = None
    finished_rps: float | None = None
    """Requests that were answered; those that gave up while they waited are left out."""
    prompt_tokens_per_s: float | None = None
    generation_tokens_per_s: float | None = None
    step_time_s: float | None = None
    """Mean time of one engine step that decoded, seconds (inter-token latency)."""
    serving: float | None = None
    """Replicas that the rates are of, in the mean over the window: one that began within it counts for its part."""
    step_batch: float | None = None
    step_prompt_tokens: float | None = None
    """Sequences in such a step, and prompt tokens read beside them, in the same mean over the tokens made."""
    steps_per_s: float | None = None
    preemptions_per_s: float | None = None
    ttft: LatencySummary | None = None
    tpot: LatencySummary | None = None
    e2e: LatencySummary | None = None
    unschedulable: int | None = None
    """Of the pending, those that are not known to have a node; None: not looked at."""
    failing: str = ""
    """Why the failed ones fail, in the cluster's word: CrashLoopBackOff, ImagePullBackOff..."""
    templates: Mapping[str, int] = field(default_factory=dict)
    """Ready replicas by what they were made from (see `Replica.template`); those not known are left out."""
    lora: LoraUse | None = None
    """None: no page tells of adapters."""
    queue_s: float | None = None
    """Mean time in the engines' queues before a request was first scheduled, seconds."""
    queued_mean: float | None = None
    """Requests in those queues, in the mean over the window; None where the pages tell `queue_s`."""
    restarting: int = 0
    """Of the pending, those that were Ready before: they come back, and sooner than a new one starts."""
    crashed: int = 0
    """Of the failed, those that were Ready before: they say nothing of whether new ones can come."""
    full_batch: float | None = None
    """Sequences at which its replicas stood still while requests waited in them: what a batch takes at most. None: they
    did not."""
    pinned_batch: float | None = None
    """Requests that each of its replicas held all the time, and never more: what it is sent at most, where others wait
    at a gateway. None: what they held changed."""

    def each(self, rate: float) -> float:
        """What one replica has of a rate of all; at least one must have reported."""
        return rate / (self.serving or self.reporting)


LENGTH_LEVELS = (0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.925, 0.965, 0.99)
"""Quantile levels at which lengths of prompts and answers are kept: deciles, and more of the tail that misses."""
LENGTH_WEIGHTS = (0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.05, 0.03, 0.02)
"""The share of requests that each of them stands for."""
EXPONENTIAL_LENGTHS = tuple(-math.log(1.0 - level) for level in LENGTH_LEVELS)
"""An exponential's, in means, where no histogram tells the spread: about that of a chat's prompts and answers."""


@dataclass(frozen=True, slots=True)
class Load:
    """The target's offered load over the window, from flow conservation: d(running + waiting)/dt + completions.

    Token means are per request. `context_tokens_weighted` is W = E[OSL*(ISL + OSL/2)], token-weighted (DESIGN: the
    product of means is 30 to 40 % too low). `cached_share` is the share of prompt tokens served by the prefix cache.
    """

    requests_per_s: float
    input_tokens: float
    output_tokens: float
    context_tokens_weighted: float
    cached_share: float = 0.0
    input_tokens_squared: float | None = None
    """E[ISL^2]; None where the page has no histogram of lengths."""
    input_lengths: tuple[float, ...] = ()
    """Prompt tokens at `LENGTH_LEVELS`; empty where the page has no histogram."""
    output_lengths: tuple[float, ...] = ()
    """Answers' tokens at `LENGTH_LEVELS`."""
    newest_rps: float | None = None
    """Requests/s since the scrape before, where that is markedly more than over the window: a load that comes back."""


@dataclass(frozen=True, slots=True)
class Observation:
    """A target at one moment, over the last `window_s` seconds. `load` None: nothing can be said about the load.

    `coverage` is reporting replicas / ready replicas, None where none is ready. `age_s` is the age of the oldest sample
    used.
    `attainment` estimates the share of the window's finished requests that met the SLO, None where none finished.
    """

    target: str
    at_s: float
    window_s: float
    variants: tuple[VariantObservation, ...]
    coverage: float | None
    age_s: float | None
    load: Load | None
    attainment: float | None = None
    faults: tuple[Fault, ...] = ()

    def variant(self, name: str) -> VariantObservation | None:
        """That variant's observation, None where it was not seen."""
        return next((v for v in self.variants if v.variant == name), None)


@dataclass(frozen=True, slots=True)
class Inventory:
    """Accelerators that replicas may use in total, by accelerator name; one that is absent is not limited."""

    gpus: Mapping[str, int] = field(default_factory=dict)
    unattainable: Mapping[str, str] = field(default_factory=dict)
    """What kept a GPU from being counted, in words, by node or resource name: cordons, taints, MIG and DRA shapes."""


class ConflictKind(StrEnum):
    """Who else wants to say how many replicas there are."""

    HPA = "HorizontalPodAutoscaler"
    SCALED_OBJECT = "ScaledObject"
    AUTOSCALER = "InferenceAutoscaler"
    FIELD_MANAGER = "FieldManager"
    GITOPS = "GitOps"


@dataclass(frozen=True, slots=True)
class Conflict:
    """Another writer of one variant's replica count: its kind, its name, and what it did, in words."""

    kind: ConflictKind
    variant: str
    name: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ManualScale:
    """A person set a variant's replica count at `at_s` (unix seconds), as field manager `manager`."""

    variant: str
    replicas: int
    manager: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What else is going on around a target's objects, beside its replicas and their load."""

    conflicts: tuple[Conflict, ...] = ()
    manual: tuple[ManualScale, ...] = ()
    templates: Mapping[str, str] = field(default_factory=dict)
    """What each variant's newest replicas are made from (see `Replica.template`)."""
    most_replicas: Mapping[str, int] = field(default_factory=dict)
    """The most replicas of a variant that quotas and nodes allow, those that there are included; absent: no limit."""
    limits: Mapping[str, str] = field(default_factory=dict)
    """Why, in words, by variant."""
    waiting_requests: float | None = None
    """Requests that a gateway holds back because no replica takes them; None: nobody says."""
    arriving_rps: float | None = None
    """Requests/s that come to it while no replica is Ready, or came until one was that tells no load yet; None: not
    known, or there is a load."""
