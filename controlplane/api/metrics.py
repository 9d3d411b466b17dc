"""Tidegate's own metrics, made from the ledger when they are asked for, so that they are the same behind every
replica."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from controlplane.api.present import target_summary
from controlplane.domain.ports import Clock, LedgerUnavailable
from controlplane.store.queries import Queries


class _LedgerCollector(Collector):
    def __init__(self, queries: Queries, clock: Clock) -> None:
        self._queries = queries
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("tidegate_ledger_up", "Whether the ledger answers.")
        try:
            yield from self._of_ledger()
            up.add_metric([], 1.0)
        except LedgerUnavailable:
            up.add_metric([], 0.0)
        yield up

    def _of_ledger(self) -> Iterator[Metric]:
        rows = self._queries.target_rows(self._clock.now_s())
        counted = CounterMetricFamily("tidegate_ticks", "Decisions by verdict.", labels=["target", "verdict"])
        for (target, verdict), count in sorted(self._queries.verdict_counts().items()):
            counted.add_metric([target, verdict], count)
        desired = GaugeMetricFamily("tidegate_desired_replicas", "Replicas wanted.", labels=["target", "variant"])
        ready = GaugeMetricFamily("tidegate_ready_replicas", "Replicas that are Ready.", labels=["target", "variant"])
        age = GaugeMetricFamily("tidegate_tick_age_seconds", "Age of the newest decision.", labels=["target"])
        attainment = GaugeMetricFamily("tidegate_attainment_ratio", "Requests that met the SLO.", labels=["target"])
        dollars = GaugeMetricFamily("tidegate_usd_per_hour", "Price of the replicas that exist.", labels=["target"])
        for row in rows:
            summary, key = target_summary(row), row.target.key
            for variant in summary.variants:
                if variant.desired is not None:
                    desired.add_metric([key, variant.name], variant.desired)
                if variant.ready is not None:
                    ready.add_metric([key, variant.name], variant.ready)
            if summary.at_s is not None:
                age.add_metric([key], self._clock.now_s() - summary.at_s)
            if summary.attainment is not None:
                attainment.add_metric([key], summary.attainment)
            if summary.usd_per_hour is not None:
                dollars.add_metric([key], summary.usd_per_hour)
        yield from (counted, desired, ready, age, attainment, dollars)


def render_metrics(queries: Queries, clock: Clock) -> tuple[bytes, str]:
    """The page and its content type."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_LedgerCollector(queries, clock))
    return generate_latest(registry), CONTENT_TYPE_LATEST
