"""Pages from where each target says that they are."""

from __future__ import annotations

from collections.abc import Sequence

from controlplane.domain.observation import Replica
from controlplane.domain.ports import Page, Scraper
from controlplane.domain.target import Target


class ScraperBySource:
    """`Scraper` that asks Prometheus for the targets that name one, and the pods themselves for the others."""

    def __init__(self, pods: Scraper, prometheus: Scraper) -> None:
        self._pods = pods
        self._prometheus = prometheus

    async def scrape(self, target: Target, replicas: Sequence[Replica]) -> list[Page]:
        """One `Page` per Ready replica given, in order."""
        scraper = self._pods if target.metrics.prometheus is None else self._prometheus
        return await scraper.scrape(target, replicas)
