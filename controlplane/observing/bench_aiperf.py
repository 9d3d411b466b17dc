"""AIPerf's profile_export_aiperf.json, and its forerunner's (genai-perf): one object a run, a block a metric with its
unit (AIPerf, "profile_export_aiperf.json Schema")."""

from __future__ import annotations

from collections.abc import Iterator

from controlplane.domain.json_object import JsonObject
from controlplane.domain.measurement import Latency, Measurement

SECONDS = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def is_aiperf(document: JsonObject) -> bool:
    """Whether it looks like one: its request throughput is a block with a unit."""
    block = document.values.get("request_throughput")
    return isinstance(block, dict) and "unit" in block


def read_aiperf(document: JsonObject) -> Measurement:
    """The run.

    Raises:
        FieldError: if a field is of the wrong kind, a needed one is missing, or a unit is not known.
    """
    throughput = _value(document, "request_throughput")
    finished = int(_value(document, "request_count") or 0)
    failed = int(_value(document, "error_request_count") or 0)
    good = _value(document, "good_request_count")
    e2e = _latency(document, "request_latency")
    mean_s = e2e.mean_s if e2e is not None else None
    return Measurement(
        source="aiperf",
        model=_model(document),
        rate_rps=_offered(document),
        concurrency=throughput * mean_s if throughput is not None and mean_s is not None else None,
        input_tokens=_value(document, "input_sequence_length"),
        output_tokens=_value(document, "output_sequence_length"),
        requests=finished + failed,
        failed=failed,
        duration_s=_seconds(document, "benchmark_duration", "avg"),
        ttft=_latency(document, "time_to_first_token"),
        # (request latency - TTFT) / (n - 1) per request: what this project calls TPOT. Chunks' gaps are its ITL.
        tpot=_latency(document, "inter_token_latency"),
        itl=_latency(document, "inter_chunk_latency"),
        throughput_rps=throughput,
        output_tokens_per_s=_value(document, "output_token_throughput"),
        goodput_rps=_value(document, "goodput") or _value(document, "request_goodput"),
        attainment=good / (finished + failed) if good is not None and finished + failed else None,
    )


def _value(document: JsonObject, name: str) -> float | None:
    block = document.child(name)
    return None if block is None else block.number("avg")


def _seconds(document: JsonObject, name: str, statistic: str) -> float | None:
    block = document.child(name)
    value = None if block is None else block.number(statistic)
    if block is None or value is None:
        return None
    unit = block.text("unit") or ""
    if unit not in SECONDS:
        raise block.bad("unit", ", ".join(SECONDS))
    return value * SECONDS[unit]


def _latency(document: JsonObject, name: str) -> Latency | None:
    mean, median, p99 = (_seconds(document, name, statistic) for statistic in ("avg", "p50", "p99"))
    return None if mean is None and median is None and p99 is None else Latency(mean, median, p99)


def _offered(document: JsonObject) -> float | None:
    """The rate that was asked for: of the last phase (AIPerf 0.8 on), of `loadgen` (before), of perf_analyzer."""
    config = document.child("input_config")
    if config is None:
        return None
    phases = [JsonObject.of(f"{config.where}: phases", phase) for phase in config.items("phases")]
    for holder in (*reversed(phases), *_holders(config)):
        for name in ("rate", "request_rate"):
            if isinstance(holder.values.get(name), int | float):
                return holder.number(name)
    return None


def _holders(config: JsonObject) -> Iterator[JsonObject]:
    for path in (("loadgen",), ("perf_analyzer", "stimulus"), ()):
        found: JsonObject | None = config
        for name in path:
            nested = found is not None and isinstance(found.values.get(name), dict)
            found = found.child(name) if found is not None and nested else None
        if found is not None:
            yield found


def _model(document: JsonObject) -> str | None:
    config = document.child("input_config")
    names: object = None
    if config is not None:
        endpoint = config.values.get("endpoint")
        names = config.values.get("models") or config.values.get("model_names")
        if names is None and isinstance(endpoint, dict):
            names = endpoint.get("model_names")
    first = names[0] if isinstance(names, list) and names else None
    return first if isinstance(first, str) else None
