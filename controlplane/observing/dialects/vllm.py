"""vLLM: the names of its pages since 0.4, V0 and V1 engines."""

from __future__ import annotations

from controlplane.observing.dialects.table import MEANS, START, Dialect, LoraFamily, Reading, Source, read

_CONFIG = "vllm:cache_config_info"

VLLM = Dialect(
    engine="vLLM",
    marks=("vllm:",),
    evidence="pages of vLLM 0.32; older names: vllm/engine/metrics.py (V0), vllm/v1/metrics/loggers.py (V1)",
    scalars={
        "running": read("vllm:num_requests_running"),
        # V0 swapped requests out to the CPU's memory: they wait for their turn again.
        "waiting": (Reading((Source("vllm:num_requests_waiting"),), also=(Source("vllm:num_requests_swapped"),)),),
        "kv_usage": read("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
        "kv_capacity_tokens": (
            Reading((Source(_CONFIG, label="kv_cache_size_tokens"),)),
            Reading((Source(_CONFIG, label="num_gpu_blocks"),), times=Source(_CONFIG, label="block_size")),
        ),
        "prompt_tokens_total": read("vllm:prompt_tokens"),
        "prompt_tokens_cached_total": read("vllm:prompt_tokens_cached", "vllm:prefix_cache_hits"),
        "generation_tokens_total": read("vllm:generation_tokens"),
        "finished_total": read("vllm:request_success"),
        "aborted_total": read("vllm:request_success", finished_reason="abort"),
        "preemptions_total": read("vllm:num_preemptions"),
        "started_at_s": START,
    },
    histograms={
        "ttft_s": (Source("vllm:time_to_first_token_seconds"),),
        "tpot_s": (Source("vllm:request_time_per_output_token_seconds"),),
        "itl_s": (Source("vllm:inter_token_latency_seconds"), Source("vllm:time_per_output_token_seconds")),
        "queue_time_s": (Source("vllm:request_queue_time_seconds"), Source("vllm:time_in_queue_requests")),
        "e2e_s": (Source("vllm:e2e_request_latency_seconds"),),
        "prompt_tokens": (Source("vllm:request_prompt_tokens"),),
        "uncached_prompt_tokens": (Source("vllm:request_prefill_kv_computed_tokens"),),
        "generation_tokens": (Source("vllm:request_generation_tokens"),),
        "iteration_tokens": (Source("vllm:iteration_tokens_total"),),
    },
    required=("running", "waiting", "kv_usage", "generation_tokens_total", "finished_total", "ttft_s", "prompt_tokens"),
    means=MEANS,
    old=frozenset({"vllm:time_per_output_token_seconds", "vllm:time_in_queue_requests"}),
    lora=LoraFamily(Source("vllm:lora_requests_info"), "max_lora", "running_lora_adapters", "waiting_lora_adapters"),
)
