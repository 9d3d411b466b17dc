"""TensorRT-LLM: `trtllm-serve` (on /prometheus/metrics), and as a backend of the Triton server."""

from __future__ import annotations

from controlplane.observing.dialects.table import MEANS, MILLISECOND_S, START, Dialect, Reading, Source, read


def _named(name: str) -> tuple[Source, ...]:
    """Dynamo once gave the names another prefix."""
    return (Source(f"trtllm_{name}"), Source(f"trtllm:{name}"))


TRTLLM = Dialect(
    engine="TensorRT-LLM",
    marks=("trtllm_", "trtllm:"),
    evidence="tensorrt_llm/metrics/collector.py; the prefix trtllm: by Dynamo 0.7's documentation",
    scalars={
        "running": read("trtllm_num_requests_running"),
        "waiting": read("trtllm_num_requests_waiting"),
        "kv_usage": read("trtllm_kv_cache_utilization"),
        "kv_capacity_tokens": (
            Reading((Source("trtllm_kv_cache_max_blocks"),), times=Source("trtllm_kv_cache_tokens_per_block")),
        ),
        "prompt_tokens_total": read("trtllm_prompt_tokens"),
        "prompt_tokens_cached_total": read("trtllm_prompt_cached_tokens"),
        "generation_tokens_total": read("trtllm_generation_tokens"),
        "finished_total": read("trtllm_request_success", "trtllm:request_success"),
        "aborted_total": read("trtllm_request_success", finished_reason="cancelled"),
        "started_at_s": START,
    },
    histograms={
        "ttft_s": _named("time_to_first_token_seconds"),
        "tpot_s": _named("time_per_output_token_seconds"),
        "queue_time_s": _named("request_queue_time_seconds"),
        "e2e_s": _named("e2e_request_latency_seconds"),
    },
    required=("running", "waiting", "kv_usage", "generation_tokens_total", "finished_total", "ttft_s"),
    means=MEANS,
    old=frozenset(
        f"trtllm:{name}"
        for name in (
            "time_to_first_token_seconds",
            "time_per_output_token_seconds",
            "request_queue_time_seconds",
            "e2e_request_latency_seconds",
        )
    ),
)

_REQUESTS = "nv_trt_llm_request_metrics"
_BLOCKS = "nv_trt_llm_kv_cache_block_metrics"
_ENGINE = (("model", "tensorrt_llm"),)
"""The engine's own model in Triton: the ensemble around it and its pre- and postprocessing count each request again."""


def _requests(kind: str) -> Source:
    return Source(_REQUESTS, where=(("request_type", kind),))


def _blocks(kind: str) -> Source:
    return Source(_BLOCKS, where=(("kv_cache_block_type", kind),))


TRITON = Dialect(
    engine="Triton (TensorRT-LLM)",
    marks=("nv_trt_llm_",),
    evidence="custom_metrics_reporter.cc of TensorRT-LLM's triton_backend; Triton's user guide, Metrics",
    scalars={
        "running": (Reading((_requests("scheduled"),)),),
        "waiting": (
            Reading((_requests("waiting"),)),
            Reading((_requests("active"),), minus=(_requests("scheduled"),)),
        ),
        "kv_usage": (Reading((_blocks("fraction"),)), Reading((_blocks("used"),), per=_blocks("max"))),
        "kv_capacity_tokens": (Reading((_blocks("max"),), times=_blocks("tokens_per")),),
        "finished_total": (Reading((Source("nv_inference_request_success", where=_ENGINE),)),),
        "started_at_s": START,
    },
    histograms={
        # Only with --metrics-config histogram_latencies=true; a streamed answer's first response is its first token.
        "ttft_s": (Source("nv_inference_first_response_histogram_ms", where=_ENGINE, scale=MILLISECOND_S),),
    },
    required=("running", "waiting", "kv_usage", "finished_total"),
    means=MEANS,
)
