"""What the loop needs of the outside, as one-idea protocols. Every port has a fake beside its real adapter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from controlplane.domain.decision import Actuation, ColdStart, Forecast, Tick
from controlplane.domain.directives import DirectiveSet
from controlplane.domain.governed import Governed, ShadowTick
from controlplane.domain.observation import Fault, Inventory, Replica, Surroundings
from controlplane.domain.status import DesiredCount, Notice, TargetStatus
from controlplane.domain.target import SecretKey, Target, Variant
from forecasters.types import Series


class Clock(Protocol):
    """The only source of `now` for load, cold starts, windows, forecasts and TTLs. It may run faster than life."""

    @property
    def speed(self) -> float:
        """Seconds of this clock per real second; 1 is life."""
        ...

    def now_s(self) -> float:
        """Unix seconds on this clock. Never goes backwards."""
        ...

    async def sleep(self, duration_s: float) -> None:
        """Sleep for that many seconds of this clock."""
        ...


@dataclass(frozen=True, slots=True)
class Page:
    """The answer of one scrape: the bytes of a metrics page, or the fault that stands for them."""

    replica: str
    variant: str
    at_s: float
    body: bytes | None
    fault: Fault | None = None


class Scraper(Protocol):
    """Fetches replicas' metrics pages, concurrently, within a time and size limit. Never raises for one replica."""

    async def scrape(self, target: Target, replicas: Sequence[Replica]) -> list[Page]:
        """One `Page` per Ready replica given, in order."""
        ...


class Secrets(Protocol):
    """Reads Secrets by key. The real one keeps them for a minute."""

    async def value(self, namespace: str, key: SecretKey) -> bytes:
        """The bytes under one key.

        Raises:
            SecretUnavailable: if they cannot be had.
        """
        ...


class SecretUnavailable(Exception):
    """A Secret is not there, has no such key, or may not be read; the message says which, and holds nothing of it."""


class HistorySource(Protocol):
    """Knows a target's load of the time before anybody asked: for forecasters that start with no history."""

    async def load_history(self, target: Target, from_s: float, to_s: float) -> Mapping[str, Series]:
        """The load in 60 s bins by quantity, as `Ledger.load_history`; empty where nothing is known.

        Raises:
            HistoryUnavailable: if it cannot be asked now.
        """
        ...


class HistoryUnavailable(Exception):
    """The source of history does not answer; the message says why."""


@dataclass(frozen=True, slots=True)
class TargetProblem:
    """A custom resource that cannot be used, and why, naming the field."""

    namespace: str
    name: str
    field: str
    message: str
    generation: int = 0
    """The resource's, so that one that was edited and is still wrong is told again; 0: not known."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version of a policy that does not decide here, as the cluster shows its target; fields as in `ClusterState`."""

    target: Target
    desired: Mapping[str, int]
    replicas: tuple[Replica, ...]
    surroundings: Surroundings


@dataclass(frozen=True, slots=True)
class ClusterState:
    """The cluster as last seen: usable targets, unusable ones, spec.replicas and replicas by target key and variant."""

    targets: tuple[Target, ...]
    problems: tuple[TargetProblem, ...]
    desired: Mapping[str, Mapping[str, int]]
    """`spec.replicas` by target key, then variant name; a variant whose object is missing is absent."""
    replicas: Mapping[str, tuple[Replica, ...]]
    """Replicas by target key."""
    resource_versions: Mapping[str, Mapping[str, str]]
    """resourceVersion of each variant's scale by target key, then variant name: what the decision is made on."""
    inventory: Inventory
    surroundings: Mapping[str, Surroundings] = field(default_factory=dict)
    """By target key."""
    candidates: tuple[Candidate, ...] = ()
    """Versions of policies that run beside those that decide."""
    routers: Mapping[str, tuple[Replica, ...]] = field(default_factory=dict)
    """Pods of the router in front of a target's replicas, by target key; absent where it names none."""


class Cluster(Protocol):
    """Reads the cluster's state. The real one watches Kubernetes."""

    async def state(self) -> ClusterState:
        """The newest state.

        Raises:
            ClusterUnavailable: if the cluster cannot be read now.
        """
        ...


class ClusterUnavailable(Exception):
    """The cluster's API does not answer."""


class Actuator(Protocol):
    """Changes replica counts, each only while what was decided on still holds; a conflict is an answer, not a retry."""

    async def apply(
        self,
        target: Target,
        variant: Variant,
        replicas_from: int,
        replicas_to: int,
        resource_version: str | None,
        idlest_first: Sequence[str] = (),
    ) -> Actuation:
        """PATCH the scale of `variant` where it still has `replicas_from`; `resource_version` is its own at that count.

        On the way down the replicas `idlest_first` are marked to be deleted first.
        """
        ...


@dataclass(frozen=True, slots=True)
class Resource:
    """Which custom resource something is said of; `uid` is what ties an Event to it."""

    namespace: str
    name: str
    uid: str = ""
    generation: int = 0

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"


class Reporter(Protocol):
    """Tells the cluster what became of a custom resource. Whoever cannot be told now is told at a later tick."""

    async def recall(self, namespace: str, name: str) -> tuple[Resource, TargetStatus | None] | None:
        """The resource and the status that it has now; None where it is gone or cannot be read."""
        ...

    async def write(self, resource: Resource, status: TargetStatus) -> bool:
        """Make `status` the resource's status; whether it was taken."""
        ...

    async def notify(self, resource: Resource, notice: Notice) -> None:
        """An Event, or one more count of the Event that said the same."""
        ...


class DesiredCounts(Protocol):
    """How many replicas are wanted, for those who act on it themselves: HPA, KEDA."""

    def counts(self) -> Sequence[DesiredCount]:
        """The newest count of every variant that has one, fresh or not; the reader looks at `fresh_until_s`."""
        ...

    async def changed(self) -> None:
        """Returns when `counts` may have changed."""
        ...


class Tasks(Protocol):
    """Where work for workers is sent."""

    def send(self, name: str, *arguments: str) -> bool:
        """Ask a worker for a task by its name; whether the broker took it. Never raises: what was not taken stays in
        the ledger, and a sweep sends it again."""
        ...

    def waiting(self) -> int | None:
        """Tasks that no worker has taken yet; None where the broker does not answer, or there is none."""
        ...


class NotificationEvent(StrEnum):
    """What people may want to be told of."""

    CONFLICT = "Conflict"
    STOCK_OUT = "StockOut"
    METRIC_FAULT = "MetricFault"
    ROLLBACK = "Rollback"
    BUDGET = "Budget"


class Notifier(Protocol):
    """Tells people. Who is told, by which way, and how often, is not the teller's business."""

    def notify(self, event: NotificationEvent, subject: str, namespace: str | None, message: str) -> int:
        """Owe everybody who wants to know one message; how many. `subject` is what it is about: the same event of the
        same subject is not told twice within a while. `namespace` None: of several."""
        ...


class Messenger(Protocol):
    """Brings one message to one place."""

    def send(self, url: str, title: str, body: str) -> str | None:
        """None where it was taken; else why not, in words that hold no secret."""
        ...


class IntentLog(Protocol):
    """The local spool: intent first (fsync), then the PATCH, then the record; drained into the ledger in order."""

    def writable(self) -> bool:
        """Whether an intent can be kept now; probes by writing."""
        ...

    def intend(self, ticks: Sequence[Tick]) -> None:
        """Keep ticks before their PATCH.

        Raises:
            SpoolUnavailable: if they cannot be kept.
        """
        ...

    def record(self, ticks: Sequence[Tick]) -> None:
        """Keep finished ticks until the ledger has them.

        Raises:
            SpoolUnavailable: if they cannot be kept.
        """
        ...

    def pending(self) -> list[Tick]:
        """Recorded ticks that the ledger does not have yet, oldest first."""
        ...

    def acknowledge(self, tick_ids: Sequence[str]) -> None:
        """Forget ticks that the ledger has."""
        ...


class SpoolUnavailable(Exception):
    """The spool cannot be written; the message says why."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted forecaster for one target, as a worker left it: names and JSON-able parameters by quantity."""

    target: str
    fitted_at_s: float
    forecaster: str
    states: Mapping[str, str]
    """JSON text of the fitted state by quantity: requests_per_s, input_tokens_per_s, output_tokens_per_s."""
    losses: Mapping[str, float]
    """Mean pinball loss of each candidate by forecaster name on the last backtest, in requests/s."""


class Ledger(Protocol):
    """The database. Every method may raise LedgerUnavailable; the loop goes on without it."""

    def append(self, ticks: Sequence[Tick]) -> None:
        """Insert ticks that are not there yet, in one transaction."""
        ...

    def save_forecasts(self, forecasts: Sequence[Forecast]) -> None:
        """Insert the forecasts, in one transaction."""
        ...

    def save_targets(self, targets: Sequence[Target], now_s: float) -> None:
        """Mirror targets and their policies; a policy is versioned by its content."""
        ...

    def save_cold_start(self, target: str, replica: Replica) -> None:
        """Keep the measured cold start of a replica that is Ready; the same replica twice is kept once."""
        ...

    def cold_starts(self) -> dict[str, dict[str, ColdStart]]:
        """Measured cold starts by target key and variant."""
        ...

    def last_ticks(self) -> dict[str, Tick]:
        """The newest tick of each target by target key; a restart takes its memory from these."""
        ...

    def load_history(self, target: str, since_s: float) -> dict[str, Series]:
        """The observed load in 60 s bins by quantity (as in `Fit.states`); empty where there is none."""
        ...

    def fits(self) -> dict[str, Fit]:
        """The newest fit of each target."""
        ...


class Directives(Protocol):
    """What people said through the API. The controller reads it at every tick, so it must be cheap."""

    def current(self, now_s: float) -> DirectiveSet:
        """All that is in force at `now_s` or will be, without what has ended.

        Raises:
            LedgerUnavailable: if the database does not answer.
        """
        ...


class DirectiveSnapshot(Protocol):
    """A local copy of what people said, for while the database is away."""

    def save(self, data: DirectiveSet) -> None:
        """Keep it instead of what was kept before, all or nothing.

        Raises:
            SnapshotUnavailable: if it cannot be written.
        """
        ...

    def load(self) -> DirectiveSet | None:
        """What was kept last; None: nothing was yet.

        Raises:
            SnapshotUnavailable: if it cannot be read, or is not what was written.
        """
        ...


class SnapshotUnavailable(Exception):
    """The snapshot cannot be written, or read; the message says why."""


class PolicySource(Protocol):
    """Policies of the API, for the controller. Every method may raise LedgerUnavailable."""

    def governed(self) -> tuple[Governed, ...]:
        """Every version in Shadow, Canary or Live."""
        ...

    def note_present(self, keys: Sequence[str], now_s: float) -> None:
        """Which targets are named by somebody now; of the others it is kept since when they are not."""
        ...

    def append(self, ticks: Sequence[ShadowTick]) -> None:
        """Keep what versions would have decided."""
        ...


class PolicySnapshot(Protocol):
    """A local copy of the policies, for a start while the database is away. Raises OSError, or ValueError where what
    was kept is damaged."""

    def save(self, known: tuple[Governed, ...]) -> None:
        """Keep them instead of those that were kept before, all or nothing."""
        ...

    def load(self) -> tuple[Governed, ...] | None:
        """Those that were kept last; None: none were yet."""
        ...


class LedgerUnavailable(Exception):
    """The database does not answer."""
