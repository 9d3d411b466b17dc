"""SGLang, whole and split into prefill and decode (`--enable-metrics`)."""

from __future__ import annotations

from controlplane.observing.dialects.table import MEANS, START, Dialect, Reading, Source, read


def _queue(name: str) -> Source:
    """With priority scheduling a queue's total stands beside its parts, under an empty label."""
    return Source(f"sglang:{name}", totals_of="priority")


SGLANG = Dialect(
    engine="SGLang",
    marks=("sglang:",),
    evidence="srt/metrics/collector.py, later srt/observability/metrics_collector.py; the page Production Metrics",
    scalars={
        # Prefill's inflight queue holds requests that are read and whose KV cache is on its way to a decode replica.
        "running": (Reading((_queue("num_running_reqs"),), also=(_queue("num_prefill_inflight_queue_reqs"),)),),
        "waiting": (
            Reading(
                (_queue("num_queue_reqs"),),
                also=(
                    Source("sglang:num_grammar_queue_reqs"),
                    _queue("num_prefill_bootstrap_queue_reqs"),
                    _queue("num_prefill_prealloc_queue_reqs"),
                    _queue("num_decode_prealloc_queue_reqs"),
                    _queue("num_decode_transfer_queue_reqs"),
                ),
            ),
        ),
        "kv_usage": read("sglang:token_usage"),
        "kv_capacity_tokens": read("sglang:max_total_num_tokens"),
        "prompt_tokens_total": read("sglang:prompt_tokens"),
        "prompt_tokens_cached_total": read("sglang:cached_tokens"),
        "generation_tokens_total": read("sglang:generation_tokens"),
        "finished_total": read("sglang:num_requests"),
        "preemptions_total": read("sglang:num_retracted_requests"),
        "started_at_s": START,
    },
    histograms={
        "ttft_s": (Source("sglang:time_to_first_token_seconds"),),
        # The older one was observed once a token too: 7.4 million times for 7.6 million tokens in SGLang's own example.
        "itl_s": (Source("sglang:inter_token_latency_seconds"), Source("sglang:time_per_output_token_seconds")),
        "queue_time_s": (Source("sglang:queue_time_seconds"),),
        "e2e_s": (Source("sglang:e2e_request_latency_seconds"),),
        "prompt_tokens": (Source("sglang:prompt_tokens_histogram"),),
        "uncached_prompt_tokens": (Source("sglang:uncached_prompt_tokens_histogram"),),
        "generation_tokens": (Source("sglang:generation_tokens_histogram"),),
    },
    required=("running", "waiting", "kv_usage", "generation_tokens_total", "ttft_s"),
    means=MEANS,
    old=frozenset({"sglang:time_per_output_token_seconds"}),
)
