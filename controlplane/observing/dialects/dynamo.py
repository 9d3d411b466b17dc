"""NVIDIA Dynamo: its frontend, and a worker whose engine does not print metrics of its own."""

from __future__ import annotations

from controlplane.observing.dialects.table import MEANS, START, Dialect, Reading, Source, either, read

_QUEUED = Source("dynamo_frontend_queued_requests")

FRONTEND = Dialect(
    engine="Dynamo frontend",
    marks=("dynamo_frontend_",),
    evidence="lib/runtime/src/metrics/prometheus_names.rs and docs/observability/metrics.md of Dynamo",
    scalars={
        # In flight is from the handler's start to the answer's end, queued to the first token: the one holds the other.
        "running": (Reading((Source("dynamo_frontend_inflight_requests"),), minus=(_QUEUED,)),),
        "waiting": (Reading((_QUEUED,)),),
        "prompt_tokens_cached_total": read("dynamo_frontend_cached_tokens_sum"),
        "generation_tokens_total": read("dynamo_frontend_output_tokens"),
        "finished_total": read("dynamo_frontend_requests"),
        "started_at_s": START,
    },
    histograms={
        "ttft_s": (Source("dynamo_frontend_time_to_first_token_seconds"),),
        "itl_s": (Source("dynamo_frontend_inter_token_latency_seconds"),),
        "e2e_s": (Source("dynamo_frontend_request_duration_seconds"),),
        "prompt_tokens": (Source("dynamo_frontend_input_sequence_tokens"),),
        "generation_tokens": (Source("dynamo_frontend_output_sequence_tokens"),),
    },
    required=("running", "waiting", "finished_total", "ttft_s", "prompt_tokens", "generation_tokens"),
    means=MEANS,
)

_SERVES = {"dynamo_endpoint": "generate"}
"""A worker's other endpoints (clearing blocks, its index) serve no user."""

WORKER = Dialect(
    engine="Dynamo worker",
    marks=("dynamo_component_",),
    evidence="lib/runtime/src/metrics/prometheus_names.rs and docs/observability/metrics.md of Dynamo",
    scalars={
        "running": read("dynamo_component_inflight_requests", **_SERVES),
        "kv_usage": either(
            "dynamo_component_gpu_cache_usage_percent", "dynamo_component_kvstats_gpu_cache_usage_percent"
        ),
        "finished_total": read("dynamo_component_requests", **_SERVES),
        "started_at_s": START,
    },
    histograms={
        "e2e_s": (Source("dynamo_component_request_duration_seconds", where=tuple(_SERVES.items())),),
    },
    required=("running", "kv_usage", "finished_total"),
    means=MEANS,
)
