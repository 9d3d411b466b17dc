"""A target's load of the past days out of a Prometheus: what forecasters would have seen, had they been there."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Iterable, Mapping

from controlplane.adapters.credentials import Credentials
from controlplane.adapters.prometheus_pool import PrometheusError, PrometheusPool, SeriesValues
from controlplane.adapters.prometheus_source import matchers
from controlplane.domain.ports import HistoryUnavailable, Secrets, SecretUnavailable
from controlplane.domain.target import Role, Target, Variant
from controlplane.observing.dialects import ENGINES, Dialect, Source
from controlplane.planning.load_history import BIN_S, QUANTITIES
from forecasters.types import Series

TIMEOUT_S = 20.0
"""Real seconds for one range query: a week of a large target is some 10 MB of chunks. Asked once, at start."""
LONGEST_S = 7 * 86_400.0
"""A week: 10,080 bins, below the 11,000 points that Prometheus gives for a series."""
RATE_WINDOW = "2m"
"""Two bins: at the usual scrape interval of 30 to 60 s there are the two samples that a rate needs."""
_FIELDS = ("finished_total", "prompt_tokens_total", "generation_tokens_total")
"""Of `Sample`, in the order of `QUANTITIES`."""
_SUMS = {"prompt_tokens_total": "prompt_tokens", "generation_tokens_total": "generation_tokens"}
"""The histogram whose sum counts the same, for engines without the counter."""


class PrometheusHistory:
    """`HistorySource` over range vectors, for the targets that name a Prometheus."""

    def __init__(self, secrets: Secrets | None = None, timeout_s: float = TIMEOUT_S) -> None:
        self._pool = PrometheusPool(Credentials(secrets), timeout_s)

    async def load_history(self, target: Target, from_s: float, to_s: float) -> Mapping[str, Series]:
        """The load by quantity in bins of a minute; what was not scraped is a gap. Of requests, those that finished.

        Raises:
            HistoryUnavailable: if Prometheus cannot be asked.
        """
        if target.metrics.prometheus is None:
            return {}
        first = math.ceil(max(from_s, to_s - LONGEST_S) / BIN_S)
        last = math.floor(to_s / BIN_S)
        try:
            for dialect in ENGINES if last > first else ():
                found = await self._by(dialect, target, first, last)
                if any(value is not None for value in found[QUANTITIES[0]].values):
                    return found
        except (PrometheusError, SecretUnavailable) as error:
            raise HistoryUnavailable(f"{target.metrics.prometheus.url}: {error}") from error
        return {}

    async def _by(self, dialect: Dialect, target: Target, first: int, last: int) -> dict[str, Series]:
        """In one engine's words."""
        queries = [_query(dialect, name, target) for name in _FIELDS]
        bins = await asyncio.gather(*(self._bins(target, query, first, last) for query in queries))
        return dict(zip(QUANTITIES, bins, strict=True))

    async def _bins(self, target: Target, query: str | None, first: int, last: int) -> Series:
        """A rate at a bin's end is the bin's."""
        answer: list[SeriesValues] = []
        if query is not None:
            answer = await self._pool.range(target, query, (first + 1) * BIN_S, last * BIN_S, BIN_S)
        values: list[float | None] = [None] * (last - first)
        for at_s, text in (pair for one in answer for pair in one.values):
            place = round(at_s / BIN_S) - first - 1
            value = float(text)
            if 0 <= place < len(values) and math.isfinite(value):
                values[place] = value
        return Series(first * BIN_S, BIN_S, tuple(values))


def _query(dialect: Dialect, field: str, target: Target) -> str | None:
    """PromQL of a quantity's rate; None where the engine does not count it.

    Prompts are those of replicas that read them, and answers those of replicas that write them: split, a request is
    counted on both sides.
    """
    source, names = _counter(dialect, field)
    if source is None or target.metrics.prometheus is None:
        return None
    other = Role.PREFILL if field == "generation_tokens_total" else Role.DECODE
    pods = "|".join(_pods(variant) for variant in target.variants if variant.role is not other)
    if not pods:
        return None
    where = matchers(target.metrics.prometheus, target.namespace, pods)
    conditions = "".join(f',{name}="{value}"' for name, value in source.where)
    return " or ".join(f'sum(rate({{__name__="{name}",{where}{conditions}}}[{RATE_WINDOW}]))' for name in names)


def _counter(dialect: Dialect, field: str) -> tuple[Source | None, Iterable[str]]:
    readings = dialect.scalars.get(field, ())
    if readings:
        source = readings[0].plus[0]
        return source, (f"{source.name}_total", source.name)
    families = dialect.histograms.get(_SUMS.get(field, ""), ())
    return (families[0], (f"{families[0].name}_sum",)) if families else (None, ())


def _pods(variant: Variant) -> str:
    """A regular expression of the names that a variant's pods have and had."""
    name = re.escape(variant.ref.name)
    endings = {
        "Deployment": "[a-z0-9]{1,10}-[a-z0-9]{5}",
        "StatefulSet": "[0-9]+",
        "LeaderWorkerSet": "[0-9]+(-[0-9]+)?",
    }
    return f"{name}-{endings.get(variant.ref.kind, '.+')}"


class FakeHistory:
    """`HistorySource` from a mapping by target key; `away` makes it not answer."""

    def __init__(self, histories: Mapping[str, Mapping[str, Series]], away: bool = False) -> None:
        self.histories = dict(histories)
        self.away = away
        self.asked: list[tuple[str, float, float]] = []

    async def load_history(self, target: Target, from_s: float, to_s: float) -> Mapping[str, Series]:
        """As `PrometheusHistory.load_history`."""
        self.asked.append((target.key, from_s, to_s))
        if self.away:
            raise HistoryUnavailable("nobody is there")
        return self.histories.get(target.key, {})
