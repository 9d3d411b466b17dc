"""Replicas' pages out of a Prometheus that scrapes them already: the same bytes, hence the same reader and faults."""

from __future__ import annotations

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from controlplane.adapters.credentials import Credentials
from controlplane.adapters.prometheus_pool import PrometheusError, PrometheusPool, SeriesValues
from controlplane.domain.observation import Fault, FaultKind, Replica, ReplicaPhase
from controlplane.domain.ports import Clock, Page, Secrets, SecretUnavailable
from controlplane.domain.target import PrometheusSource, Target
from controlplane.observing.dialects import ENGINES

TIMEOUT_S = 5.0
"""Real seconds for one question: Prometheus answers for 50 replicas in a few hundred ms; the tick must go on."""
PODS_AT_ONCE = 50
"""Replicas per question: about 10,000 series of vLLM's, 2 MB of JSON."""
SCRAPERS = ("prometheus", "prometheus_replica", "replica", "__replica__", "cluster", "job", "service", "endpoint")
"""Labels that say who scraped, and by what rule: where they differ one engine was scraped twice (a pair of Prometheus
servers, two ServiceMonitors), and what the newest of them says counts."""
PLACES = ("instance", "namespace", "container", "node")
"""Labels of where the pod is: they say nothing of the engine, unless they differ within a pod."""
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class PrometheusScraper:
    """`Scraper` over instant vectors. A page's `at_s` is when Prometheus scraped it, so that its age is true."""

    def __init__(self, clock: Clock, secrets: Secrets | None = None, timeout_s: float = TIMEOUT_S) -> None:
        self._clock = clock
        self._pool = PrometheusPool(Credentials(secrets), timeout_s)

    async def scrape(self, target: Target, replicas: Sequence[Replica]) -> list[Page]:
        """One `Page` per Ready replica given, in order. What fails is the pages' fault, never an exception."""
        ready = [replica for replica in replicas if replica.phase is ReplicaPhase.READY]
        parts = [ready[at : at + PODS_AT_ONCE] for at in range(0, len(ready), PODS_AT_ONCE)]
        pages = await asyncio.gather(*(self._some(target, part) for part in parts))
        return [page for some in pages for page in some]

    async def _some(self, target: Target, replicas: Sequence[Replica]) -> list[Page]:
        source = target.metrics.prometheus
        assert source is not None, "the target names no Prometheus"
        try:
            where = matchers(source, target.namespace, _any_of(replica.name for replica in replicas))
            # `or`, since times of two families would differ in nothing but the name, which timestamp() takes away.
            times = await self._pool.instant(target, " or ".join(f"timestamp({name}{{{where}}})" for name in GAUGES))
            # Values as of the moment at which the times were looked up: of the same scrapes.
            moment_s = times[0].values[0][0] if times else None
            query = f"{{__name__=~{_quoted(_any_of(NAMES))},{where}}}"
            values = await self._pool.instant(target, query, moment_s) if times else []
        except PrometheusError as error:
            return [self._fault(replica, error.kind, f"{source.url}: {error}") for replica in replicas]
        except SecretUnavailable as error:
            return [self._fault(replica, FaultKind.SECRET, str(error)) for replica in replicas]
        made = pages_of(values, times, source.pod_label)
        return [self._page(replica, made.get(replica.name), source) for replica in replicas]

    def _page(self, replica: Replica, made: tuple[float, bytes] | None, source: PrometheusSource) -> Page:
        if made is None:
            words = f"{source.url} has no series of a known engine with {source.pod_label}={replica.name!r}"
            return self._fault(replica, FaultKind.MISSING, words)
        return Page(replica.name, replica.variant, *made)

    def _fault(self, replica: Replica, kind: FaultKind, detail: str) -> Page:
        fault = Fault(kind, replica.name, detail=detail)
        return Page(replica.name, replica.variant, self._clock.now_s(), None, fault)


def _needed() -> tuple[str, ...]:
    scalars = [source.name for dialect in ENGINES for source in dialect.sources()]
    families = [source.name for dialect in ENGINES for sources in dialect.histograms.values() for source in sources]
    parts = [f"{name}_{part}" for name in families for part in ("bucket", "sum", "count")]
    states = [dialect.lora.source.name for dialect in ENGINES if dialect.lora is not None]
    return tuple(dict.fromkeys([*scalars, *(f"{name}_total" for name in scalars), *parts, *states]))


NAMES = _needed()
"""Series' names of all that any dialect reads."""
GAUGES = tuple(d.names(field)[0] for d in ENGINES for field in ("running", "kv_usage") if field in d.scalars)
"""One or two series of each engine: a scrape has one time, so that of these is the page's."""


def matchers(source: PrometheusSource, namespace: str, pods: str) -> str:
    """PromQL matchers of a target's series; `pods` is a regular expression of pods' names.

    Raises:
        PrometheusError: if a label's name is none.
    """
    for name in (source.pod_label, *source.labels):
        if not _LABEL_NAME.fullmatch(name):
            raise PrometheusError(FaultKind.REFUSED, f"{name!r} is no label's name; allowed: letters, digits and _")
    parts = [f"{name}={_quoted(value)}" for name, value in sorted(source.labels.items())]
    if "namespace" not in source.labels:
        # Names of pods are unique in their namespace alone; a Prometheus that keeps no such label is taken as it is.
        parts.append(f"namespace=~{_quoted('|' + re.escape(namespace))}")
    return ",".join([f"{source.pod_label}=~{_quoted(pods)}", *parts])


def _any_of(names: Iterable[str]) -> str:
    return "|".join(map(re.escape, names))


def _quoted(text: str) -> str:
    """A PromQL string; JSON's are written the same."""
    return json.dumps(text)


def pages_of(
    values: Sequence[SeriesValues], times: Sequence[SeriesValues], pod_label: str
) -> dict[str, tuple[float, bytes]]:
    """When each pod was last scraped, and its page as that scrape saw it, by pod's name."""
    newest: dict[str, tuple[float, tuple[str, ...]]] = {}
    for one in times:
        pod = one.labels.get(pod_label, "")
        at_s = float(one.values[0][1])
        newest[pod] = max(newest.get(pod, (0.0, ())), (at_s, _scraper(one.labels)))
    by_pod: dict[str, list[SeriesValues]] = defaultdict(list)
    for one in values:
        pod = one.labels.get(pod_label, "")
        if pod in newest and _scraper(one.labels) == newest[pod][1]:
            by_pod[pod].append(one)
    return {pod: (newest[pod][0], _text(series, pod_label)) for pod, series in by_pod.items()}


def _scraper(labels: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(labels.get(name, "") for name in SCRAPERS)


def _text(series: Sequence[SeriesValues], pod_label: str) -> bytes:
    """The series as a page. Labels that the scrape added are left out: pods' pages then look alike, and are read as
    fast as those of the pods themselves."""
    varied = {name for name in PLACES if len({one.labels.get(name) for one in series}) > 1}
    added = {"__name__", pod_label, *SCRAPERS, *PLACES} - varied
    lines = []
    for one in series:
        labels = ",".join(
            f'{name}="{_escaped(text)}"' for name, text in sorted(one.labels.items()) if name not in added
        )
        lines.append(f"{one.labels.get('__name__', '')}{{{labels}}} {one.values[0][1]}\n")
    return "".join(sorted(lines)).encode()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
