"""One metrics page -> one Sample. The engine's names are a table, so that another engine is another table."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from controlplane.domain.observation import Fault, FaultKind, Histogram, Sample
from controlplane.observing.page_lines import label, labels_of, series

GAUGES: Mapping[str, tuple[str, ...]] = {
    "running": ("vllm:num_requests_running",),
    "waiting": ("vllm:num_requests_waiting",),
    "kv_usage": ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
    "started_at_s": ("process_start_time_seconds",),
}
"""Sample's fields by the names that vLLM has given them, newest first; older ones are read, and named as a fault."""
COUNTERS: Mapping[str, tuple[str, ...]] = {
    "prompt_tokens_total": ("vllm:prompt_tokens",),
    "prompt_tokens_cached_total": ("vllm:prompt_tokens_cached", "vllm:prefix_cache_hits"),
    "generation_tokens_total": ("vllm:generation_tokens",),
    "finished_total": ("vllm:request_success",),
    "preemptions_total": ("vllm:num_preemptions",),
}
HISTOGRAMS: Mapping[str, tuple[str, ...]] = {
    "ttft_s": ("vllm:time_to_first_token_seconds",),
    "tpot_s": ("vllm:request_time_per_output_token_seconds",),
    "e2e_s": ("vllm:e2e_request_latency_seconds",),
    "itl_s": ("vllm:inter_token_latency_seconds", "vllm:time_per_output_token_seconds"),
    "queue_time_s": ("vllm:request_queue_time_seconds",),
    "prompt_tokens": ("vllm:request_prompt_tokens",),
    "generation_tokens": ("vllm:request_generation_tokens",),
    "iteration_tokens": ("vllm:iteration_tokens_total",),
}
CACHE_CONFIG = "vllm:cache_config_info"
REQUIRED = ("running", "waiting", "kv_usage", "generation_tokens_total", "finished_total", "ttft_s", "prompt_tokens")
"""Without these little can be said; each one's absence is a fault of its own."""
_CACHE_LABELS = ("kv_cache_size_tokens", "num_gpu_blocks", "block_size")


def _all(table: Mapping[str, tuple[str, ...]]) -> Iterable[str]:
    return (name for names in table.values() for name in names)


_SERIES: Mapping[str, tuple[str, str]] = {
    **{name: (name, "") for name in (*_all(GAUGES), *_all(COUNTERS))},
    **{f"{name}_total": (name, "") for name in _all(COUNTERS)},
    **{f"{name}_{part}": (name, part) for name in _all(HISTOGRAMS) for part in ("bucket", "sum", "count")},
    CACHE_CONFIG: (CACHE_CONFIG, ""),
}
"""Family and part by the name of a series."""


@dataclass(slots=True)
class _Buckets:
    cumulative: dict[float, float] = field(default_factory=lambda: defaultdict(float))
    sums: list[float] = field(default_factory=list)
    counts: list[float] = field(default_factory=list)

    def histogram(self) -> Histogram | None:
        """None where the sum or the count was not said or was no number: a mean made with nought would be a lie."""
        if not (self.sums and self.counts):
            return None
        bounds = tuple(sorted(bound for bound in self.cumulative if math.isfinite(bound)))
        # Engines with unlike bounds behind one page: where one of them does not say, there is no less than before.
        cumulative = tuple(accumulate((self.cumulative[bound] for bound in bounds), max))
        return Histogram(bounds, cumulative, sum(self.sums), sum(self.counts))


@dataclass(slots=True)
class _Read:
    """What a page says, by metric name; several engines behind one page (data parallel) are added up."""

    values: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    buckets: dict[str, _Buckets] = field(default_factory=lambda: defaultdict(_Buckets))
    kv_capacity_tokens: float | None = None
    faults: list[Fault] = field(default_factory=list)


def read_page(body: bytes, replica: str, variant: str, at_s: float) -> Sample:
    """The Sample that a vLLM metrics page holds. Never raises: what cannot be read is None, and a fault says why."""
    try:
        text = body.decode("utf-8")
        read = _read(text, replica)
    except (UnicodeDecodeError, ValueError) as error:
        fault = Fault(FaultKind.NOT_METRICS, replica, detail=str(error)[:200])
        return Sample(replica, variant, at_s, faults=(fault,))
    if not (read.values or read.buckets):
        fault = Fault(FaultKind.NOT_METRICS, replica, detail="the page holds none of vLLM's metrics")
        return Sample(replica, variant, at_s, faults=(fault,))
    found = {name: _gauge(read, names, replica) for name, names in GAUGES.items()}
    found |= {name: _counter(read, names, replica) for name, names in COUNTERS.items()}
    histograms = {name: _histogram(read, names, replica) for name, names in HISTOGRAMS.items()}
    everything: dict[str, Any] = {**found, **histograms}
    missing = [Fault(FaultKind.MISSING, replica, _names(f)[0]) for f in REQUIRED if everything[f] is None]
    faults = (*read.faults, *missing)
    return Sample(replica, variant, at_s, kv_capacity_tokens=read.kv_capacity_tokens, faults=faults, **everything)


def _names(name: str) -> tuple[str, ...]:
    return {**GAUGES, **COUNTERS, **HISTOGRAMS}[name]


def _read(text: str, replica: str) -> _Read:
    read = _Read()
    for name, labels, value in series(text, _SERIES.keys()):
        if name == CACHE_CONFIG:
            read.kv_capacity_tokens = _capacity(labels_of(labels, _CACHE_LABELS))
        elif not math.isfinite(value):
            read.faults.append(Fault(FaultKind.NOT_FINITE, replica, name, f"is {value}"))
        elif value < 0:
            read.faults.append(Fault(FaultKind.NEGATIVE, replica, name, f"is {value}"))
        else:
            _keep(read, name, labels, value)
    return read


def _keep(read: _Read, name: str, labels: str, value: float) -> None:
    family, part = _SERIES[name]
    if part == "bucket":
        bound = label(labels, "le")
        if bound is None:
            raise ValueError(f"a bucket of {family} has no le")
        read.buckets[family].cumulative[float(bound)] += value
    elif part == "sum":
        read.buckets[family].sums.append(value)
    elif part == "count":
        read.buckets[family].counts.append(value)
    else:
        read.values[family].append(value)


def _capacity(labels: Mapping[str, str]) -> float | None:
    tokens = labels.get("kv_cache_size_tokens", "")
    if tokens.isdigit():
        return float(tokens)
    blocks, size = labels.get("num_gpu_blocks", ""), labels.get("block_size", "")
    return float(blocks) * float(size) if blocks.isdigit() and size.isdigit() else None


def _gauge(read: _Read, names: tuple[str, ...], replica: str) -> float | None:
    name = _known(read.values, names, read, replica)
    if name is None:
        return None
    values = read.values[name]
    # Shares and times of several engines are averaged, counts of requests are added.
    return sum(values) / len(values) if name in _AVERAGED else sum(values)


_AVERAGED = frozenset({*GAUGES["kv_usage"], *GAUGES["started_at_s"]})


def _counter(read: _Read, names: tuple[str, ...], replica: str) -> float | None:
    name = _known(read.values, names, read, replica)
    return None if name is None else sum(read.values[name])


def _histogram(read: _Read, names: tuple[str, ...], replica: str) -> Histogram | None:
    name = _known(read.buckets, names, read, replica)
    return None if name is None else read.buckets[name].histogram()


def _known(there: Mapping[str, object], names: tuple[str, ...], read: _Read, replica: str) -> str | None:
    for place, name in enumerate(names):
        if name in there:
            if place:
                read.faults.append(Fault(FaultKind.RENAMED, replica, name, f"now called {names[0]}"))
            return name
    return None
