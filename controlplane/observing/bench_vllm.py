"""`vllm bench serve --save-result`: one flat object a run (vllm/benchmarks/serve.py, `result_json`)."""

from __future__ import annotations

from controlplane.domain.json_object import JsonObject
from controlplane.domain.measurement import Latency, Measurement

MS = 1e-3


def is_vllm(document: JsonObject) -> bool:
    """Whether it looks like one: its request throughput is a bare number."""
    return isinstance(document.values.get("request_throughput"), int | float) and document.has("completed")


def read_vllm(document: JsonObject) -> Measurement:
    """The run.

    Raises:
        FieldError: if a field is of the wrong kind, or a needed one is missing.
    """
    completed = int(document.needed_number("completed"))
    throughput = document.needed_number("request_throughput")
    duration_s = document.number("duration")
    failed = document.number("failed")
    if failed is None:
        # Before 0.11 only the number asked for was kept.
        failed = max(0.0, (document.number("num_prompts") or completed) - completed)
    goodput = document.number("request_goodput")
    offered = completed + int(failed)
    attained = goodput * duration_s / offered if goodput is not None and duration_s and offered else None
    rate = None if document.values.get("request_rate") == "inf" else document.number("request_rate")
    return Measurement(
        source="vllm",
        model=document.text("model_id"),
        rate_rps=rate,
        concurrency=_concurrency(document, throughput),
        input_tokens=_mean(document, "total_input_tokens", completed),
        output_tokens=_mean(document, "total_output_tokens", completed),
        requests=offered,
        failed=int(failed),
        duration_s=duration_s,
        ttft=_latency(document, "ttft"),
        tpot=_latency(document, "tpot"),
        itl=_latency(document, "itl"),
        throughput_rps=throughput,
        output_tokens_per_s=document.number("output_throughput"),
        goodput_rps=goodput,
        attainment=None if attained is None else min(1.0, attained),
    )


def _mean(document: JsonObject, total: str, completed: int) -> float | None:
    tokens = document.number(total)
    return tokens / completed if tokens is not None and completed else None


def _latency(document: JsonObject, kind: str) -> Latency | None:
    mean, median, p99 = (document.number(f"{name}_{kind}_ms") for name in ("mean", "median", "p99"))
    if mean is None and median is None and p99 is None:
        return None
    return Latency(*(None if value is None else value * MS for value in (mean, median, p99)))


def _concurrency(document: JsonObject, throughput: float) -> float | None:
    """Little's law where the end-to-end latency is kept or follows from TTFT and TPOT; else the limit that was set."""
    e2e_ms = document.number("mean_e2el_ms")
    if e2e_ms is None:
        ttft, tpot = document.number("mean_ttft_ms"), document.number("mean_tpot_ms")
        output = _mean(document, "total_output_tokens", int(document.needed_number("completed")))
        if ttft is not None and tpot is not None and output is not None:
            e2e_ms = ttft + tpot * max(0.0, output - 1.0)
    return throughput * e2e_ms * MS if e2e_ms is not None else document.number("max_concurrency")
