"""The controller's own metrics page. What is not known has no sample; what is gone has none either.

docs/metrics.md lists every family; a test holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from controlplane.controller.board import Board, Shown
from controlplane.controller.bookkeeping import Bookkeeping
from controlplane.controller.governing import Governing
from controlplane.controller.pulse import Pulse
from controlplane.domain.ports import IntentLog
from controlplane.domain.status import ConditionType
from controlplane.planning.conditions import stock_outs

TARGET = ["namespace", "name"]
VARIANT = [*TARGET, "variant"]
WVA = ["variant_name", "namespace", "accelerator_type", "target_name", "target_kind"]
"""llm-d's Workload Variant Autoscaler named a series by `variant_name`; its newer versions by `target_name` and
`target_kind`. With both, either version's queries and prometheus-adapter rules find it."""


@dataclass(frozen=True, slots=True)
class Inside:
    """The parts of the process that the page looks into."""

    board: Board
    pulse: Pulse
    books: Bookkeeping
    spool: IntentLog
    governing: Governing = field(default_factory=Governing)


def registry_of(inside: Inside) -> CollectorRegistry:
    """A registry of its own: nothing is global, so several controllers can live in one test."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Controller(inside))
    registry.register(inside.board.durations)
    return registry


class _Controller(Collector):
    def __init__(self, inside: Inside) -> None:
        self._inside = inside

    def collect(self) -> Iterator[Metric]:
        yield from _process(self._inside)
        if self._inside.pulse.leads:
            # Who does not lead knows nothing new; two series of one target would be summed into nonsense.
            yield from _targets(self._inside.board.shown)


def _process(inside: Inside) -> Iterator[Metric]:
    board, books = inside.board, inside.books
    yield _gauge("tidegate_is_leader", "Whether this process decides: 1 or 0.", float(inside.pulse.leads))
    yield _gauge("tidegate_ledger_away", "Whether the database did not answer last: 1 or 0.", books.ledger_is_away)
    yield _gauge(
        "tidegate_spool_ticks", "Ticks in the local spool that the database lacks.", len(inside.spool.pending())
    )
    failed = CounterMetricFamily("tidegate_ticks_failed", "Turns of the loop that ended in an error.")
    failed.add_metric([], float(inside.pulse.failed))
    yield failed
    yield from _policies(inside.governing)
    yield _counter("tidegate_ticks", "Decisions.", [*TARGET, "verdict"], board.verdicts)
    yield _counter("tidegate_actuations", "Changes of replica counts.", [*TARGET, "result"], board.actuations)
    yield _counter("tidegate_scrape_faults", "Faults of metrics pages.", [*TARGET, "kind"], board.faults)


def _policies(governing: Governing) -> Iterator[Metric]:
    shadows = governing.shadows
    rounds = CounterMetricFamily("tidegate_shadow_rounds", "Rounds of versions in Shadow.", labels=["result"])
    for result, count in (("done", shadows.done), ("went_by", shadows.went_by), ("broke", shadows.broke)):
        rounds.add_metric([result], float(count))
    yield rounds
    failed = CounterMetricFamily("tidegate_canaries_failed", "Ticks in which a canary broke or was late.")
    failed.add_metric([], float(governing.trials.failed))
    yield failed


def _targets(shown: Mapping[str, Shown]) -> Iterator[Metric]:
    families = _Families()
    for one in shown.values():
        _fill(families, one)
    yield from families.all()


class _Families:
    """Gauges of targets and variants."""

    def __init__(self) -> None:
        self.desired = GaugeMetricFamily("tidegate_desired_replicas", "Replicas wanted.", labels=VARIANT)
        self.wva = GaugeMetricFamily("wva_desired_replicas", "Replicas wanted, under WVA's name.", labels=WVA)
        self.current = GaugeMetricFamily("tidegate_current_replicas", "spec.replicas as found.", labels=VARIANT)
        self.ready = GaugeMetricFamily("tidegate_ready_replicas", "Replicas that are Ready.", labels=VARIANT)
        self.pending = GaugeMetricFamily("tidegate_pending_replicas", "Replicas not Ready yet.", labels=VARIANT)
        self.stocked_out = GaugeMetricFamily("tidegate_stocked_out", "Whether replicas do not come.", labels=VARIANT)
        self.attainment = GaugeMetricFamily("tidegate_attainment_ratio", "Requests within the SLO.", labels=TARGET)
        self.burn = GaugeMetricFamily(
            "tidegate_slo_burn_rate", "Misses over the misses that the SLO allows.", labels=TARGET
        )
        self.conflicted = GaugeMetricFamily("tidegate_conflicted", "Whether somebody else scales it.", labels=TARGET)
        self.ticked = GaugeMetricFamily(
            "tidegate_target_last_tick_timestamp_seconds", "When it was last decided on.", labels=TARGET
        )
        self.usd = GaugeMetricFamily("tidegate_usd_per_hour", "Price of what is wanted.", labels=TARGET)
        self.info = GaugeMetricFamily(
            "tidegate_target_info", "1: mode and verdict.", labels=[*TARGET, "mode", "verdict"]
        )
        self.condition = GaugeMetricFamily(
            "tidegate_target_condition",
            "1: the status that a condition has.",
            labels=[*TARGET, "type", "status", "reason"],
        )

    def all(self) -> list[Metric]:
        """In the order of their making."""
        return list(vars(self).values())


def _fill(families: _Families, one: Shown) -> None:
    tick, status = one.told.tick, one.status
    target = tick.inputs.target
    key = [target.namespace, target.name]
    families.ticked.add_metric(key, tick.at_s)
    families.info.add_metric([*key, target.policy.mode, tick.decision.verdict], 1.0)
    for condition in status.conditions:
        families.condition.add_metric([*key, condition.type, condition.status, condition.reason], 1.0)
    conflicted = status.condition(ConditionType.CONFLICTED)
    families.conflicted.add_metric(key, float(conflicted is not None and conflicted.status == "True"))
    if status.attainment is not None:
        families.attainment.add_metric(key, status.attainment)
        allowed = 1.0 - target.policy.slo.attainment
        if allowed > 0.0:
            families.burn.add_metric(key, (1.0 - status.attainment) / allowed)
    prices = {v.name: v.usd_per_replica_hour for v in target.variants}
    families.usd.add_metric(key, sum(prices[name] * count for name, count in tick.decision.desired.items()))
    _fill_variants(families, one, key)


def _fill_variants(families: _Families, one: Shown, key: list[str]) -> None:
    tick, out = one.told.tick, {o.variant for o in stock_outs(one.told)}
    for variant in tick.inputs.target.variants:
        labels, seen = [*key, variant.name], tick.inputs.observation.variant(variant.name)
        desired, current = tick.decision.desired.get(variant.name), tick.decision.current.get(variant.name)
        if desired is not None:
            families.desired.add_metric(labels, desired)
            families.wva.add_metric(
                [variant.ref.name, key[0], variant.accelerator, variant.ref.name, variant.ref.kind], desired
            )
        if current is not None:
            families.current.add_metric(labels, current)
        if seen is not None:
            families.ready.add_metric(labels, seen.ready)
            families.pending.add_metric(labels, seen.pending)
        families.stocked_out.add_metric(labels, float(variant.name in out))


def _gauge(name: str, words: str, value: float) -> Metric:
    family = GaugeMetricFamily(name, words)
    family.add_metric([], value)
    return family


def _counter(name: str, words: str, labels: list[str], counts: Mapping[tuple[str, ...], int]) -> Metric:
    family = CounterMetricFamily(name, words, labels=labels)
    for values, count in sorted(counts.items()):
        family.add_metric(values, count)
    return family
