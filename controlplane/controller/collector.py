"""From the cluster and its pods to what the brain looks at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from controlplane.domain.decision import ColdStart
from controlplane.domain.observation import Fault, Replica, Sample, Surroundings
from controlplane.domain.ports import ClusterState, Page, Scraper
from controlplane.domain.target import MetricsSource, Mode, PoolSource, Target
from controlplane.observing import read_page, read_pool_page
from controlplane.planning.stepper import TargetView


def groups(state: ClusterState) -> dict[str, list[Target]]:
    """Targets that are planned together, by group. Off is not looked at."""
    found: dict[str, list[Target]] = defaultdict(list)
    for target in state.targets:
        if target.policy.mode is not Mode.OFF and state.desired.get(target.key):
            found[target.group].append(target)
    return dict(found)


async def view(
    scraper: Scraper, state: ClusterState, target: Target, cold_starts: Mapping[str, ColdStart]
) -> TargetView:
    """One target as it is now: its replicas, and a sample of each Ready one's page."""
    replicas = state.replicas.get(target.key, ())
    pages = await scraper.scrape(target, replicas)
    around = state.surroundings.get(target.key, Surroundings())
    if target.metrics.pool is not None:
        queued = await _queued(scraper, target, target.metrics.pool, state.routers.get(target.key, ()))
        around = replace(around, waiting_requests=queued)
    return TargetView(target, state.desired.get(target.key, {}), replicas, samples(pages), cold_starts, around)


async def _queued(scraper: Scraper, target: Target, pool: PoolSource, routers: Sequence[Replica]) -> float | None:
    """Requests that the router holds back; None where no page of it says. Its Pods' queues add up: of those that stand
    by, they are empty."""
    source = MetricsSource(pool.port, pool.path, bearer=pool.bearer)
    pages = await scraper.scrape(replace(target, metrics=source), routers)
    read = [read_pool_page(page.body, page.replica, page.at_s) for page in pages if page.body is not None]
    said = [sample.queued for sample in read if sample.queued is not None]
    return sum(said) if said else None


def samples(pages: Sequence[Page]) -> list[Sample]:
    """Pages read; one that did not come is a sample that says nothing but its fault."""
    return [
        _silent(page, page.fault) if page.body is None else read_page(page.body, page.replica, page.variant, page.at_s)
        for page in pages
    ]


def _silent(page: Page, fault: Fault | None) -> Sample:
    return Sample(page.replica, page.variant, page.at_s, faults=(fault,) if fault else ())


def idlest_first(seen: Sequence[Sample], variant: str) -> list[str]:
    """A variant's replicas by how little they have to do; one that does not report counts as full."""
    own = [s for s in seen if s.variant == variant and s.running is not None]
    return [s.replica for s in sorted(own, key=lambda s: (s.running or 0.0) + (s.waiting or 0.0))]
