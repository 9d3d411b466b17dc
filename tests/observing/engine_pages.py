"""Small pages of every engine but vLLM, in the words of its sources, with what they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


def histogram(name: str, labels: str, total: float, *buckets: tuple[str, float]) -> str:
    """The lines of one histogram; the last bucket is +Inf."""
    comma = "," if labels else ""
    lines = [f'{name}_bucket{{{labels}{comma}le="{bound}"}} {count}' for bound, count in buckets]
    return "\n".join([*lines, f"{name}_sum{{{labels}}} {total}", f"{name}_count{{{labels}}} {buckets[-1][1]}", ""])


@dataclass(frozen=True, slots=True)
class EnginePage:
    """A page, and the fields of its `Sample`; histograms by (first bound, first count, sum, count)."""

    engine: str
    text: str
    scalars: Mapping[str, float]
    histograms: Mapping[str, tuple[float, float, float, float]]


_S = 'model_name="m",engine_type="unified",tp_rank="0"'
SGLANG_PAGE = EnginePage(
    "SGLang",
    f"""\
# TYPE sglang:num_running_reqs gauge
sglang:num_running_reqs{{{_S},priority=""}} 8.0
sglang:num_running_reqs{{{_S},priority="1"}} 3.0
sglang:num_running_reqs{{{_S},priority="2"}} 5.0
sglang:num_queue_reqs{{{_S},priority=""}} 4.0
sglang:num_queue_reqs{{{_S},priority="1"}} 4.0
sglang:num_grammar_queue_reqs{{{_S}}} 1.0
sglang:num_prefill_bootstrap_queue_reqs{{{_S}}} 2.0
sglang:num_prefill_inflight_queue_reqs{{{_S}}} 3.0
sglang:token_usage{{{_S}}} 0.28
sglang:max_total_num_tokens{{{_S}}} 400000.0
sglang:prompt_tokens_total{{{_S},is_streaming="true"}} 8000.0
sglang:prompt_tokens_total{{{_S},is_streaming="false"}} 500.0
sglang:cached_tokens_total{{{_S},cache_source="device"}} 700.0
sglang:cached_tokens_total{{{_S},cache_source="host"}} 100.0
sglang:generation_tokens_total{{{_S}}} 2.5e+03
sglang:num_requests_total{{{_S}}} 10.0
sglang:num_retracted_requests_total{{{_S}}} 2.0
"""
    + histogram("sglang:time_to_first_token_seconds", _S, 4.5, ("0.1", 3), ("+Inf", 10))
    + histogram("sglang:inter_token_latency_seconds", _S, 50.0, ("0.02", 900), ("+Inf", 2490))
    + histogram("sglang:e2e_request_latency_seconds", _S, 60.0, ("0.1", 1), ("+Inf", 10))
    + histogram("sglang:uncached_prompt_tokens_histogram", _S, 7700.0, ("100", 2), ("+Inf", 10)),
    {
        "running": 11.0,
        "waiting": 7.0,
        "kv_usage": 0.28,
        "kv_capacity_tokens": 400_000.0,
        "prompt_tokens_total": 8500.0,
        "prompt_tokens_cached_total": 800.0,
        "generation_tokens_total": 2500.0,
        "finished_total": 10.0,
        "preemptions_total": 2.0,
    },
    {
        "ttft_s": (0.1, 3, 4.5, 10),
        "itl_s": (0.02, 900, 50.0, 2490),
        "e2e_s": (0.1, 1, 60.0, 10),
        "uncached_prompt_tokens": (100.0, 2, 7700.0, 10),
    },
)

TGI_PAGE = EnginePage(
    "TGI",
    """\
# TYPE tgi_queue_size gauge
tgi_queue_size 5
tgi_batch_current_size 12
tgi_batch_current_max_tokens 4000
tgi_request_count{method="batch"} 90
tgi_request_success{method="generate_stream"} 70
tgi_request_success{method="generate"} 10
"""
    + histogram("tgi_request_input_length", "", 80_000, ("100", 4), ("+Inf", 80))
    + histogram("tgi_request_generated_tokens", "", 16_000, ("100", 20), ("+Inf", 80))
    + histogram("tgi_request_mean_time_per_token_duration", "", 2.4, ("0.03", 40), ("+Inf", 80))
    + histogram("tgi_batch_inference_duration", 'method="prefill"', 9.0, ("0.1", 1), ("+Inf", 60))
    + histogram("tgi_batch_inference_duration", 'method="decode"', 8.0, ("0.1", 390), ("+Inf", 400))
    + histogram("tgi_request_queue_duration", 'method="generate"', 1.5, ("0.1", 70), ("+Inf", 80))
    + histogram("tgi_request_duration", 'method="generate"', 400.0, ("0.1", 0), ("+Inf", 80)),
    {"running": 12.0, "waiting": 5.0, "finished_total": 80.0},
    {
        "prompt_tokens": (100.0, 4, 80_000.0, 80),
        "generation_tokens": (100.0, 20, 16_000.0, 80),
        "tpot_s": (0.03, 40, 2.4, 80),
        "itl_s": (0.1, 390, 8.0, 400),
        "queue_time_s": (0.1, 70, 1.5, 80),
        "e2e_s": (0.1, 0, 400.0, 80),
    },
)

_T = 'model_name="m",engine_type="trtllm"'
TRTLLM_PAGE = EnginePage(
    "TensorRT-LLM",
    f"""\
trtllm_num_requests_running{{{_T}}} 6.0
trtllm_num_requests_waiting{{{_T}}} 2.0
trtllm_kv_cache_utilization{{{_T}}} 0.5
trtllm_kv_cache_max_blocks{{{_T}}} 1000.0
trtllm_kv_cache_tokens_per_block{{{_T}}} 32.0
trtllm_prompt_tokens_total{{{_T}}} 9000.0
trtllm_prompt_cached_tokens_total{{{_T}}} 1000.0
trtllm_generation_tokens_total{{{_T}}} 1800.0
trtllm_request_success_total{{{_T},finished_reason="stop"}} 8.0
trtllm_request_success_total{{{_T},finished_reason="length"}} 1.0
"""
    + histogram("trtllm_time_to_first_token_seconds", _T, 0.9, ("0.1", 5), ("+Inf", 9))
    + histogram("trtllm_time_per_output_token_seconds", _T, 0.18, ("0.01", 1), ("+Inf", 9))
    + histogram("trtllm_request_queue_time_seconds", _T, 0.2, ("0.3", 9), ("+Inf", 9))
    + histogram("trtllm_e2e_request_latency_seconds", _T, 30.0, ("0.3", 0), ("+Inf", 9)),
    {
        "running": 6.0,
        "waiting": 2.0,
        "kv_usage": 0.5,
        "kv_capacity_tokens": 32_000.0,
        "prompt_tokens_total": 9000.0,
        "prompt_tokens_cached_total": 1000.0,
        "generation_tokens_total": 1800.0,
        "finished_total": 9.0,
    },
    {"ttft_s": (0.1, 5, 0.9, 9), "tpot_s": (0.01, 1, 0.18, 9), "e2e_s": (0.3, 0, 30.0, 9)},
)

_N = 'model="tensorrt_llm",version="1"'
TRITON_PAGE = EnginePage(
    "Triton (TensorRT-LLM)",
    f"""\
nv_inference_request_success{{model="ensemble",version="1"}} 30
nv_inference_request_success{{{_N}}} 30
nv_inference_request_success{{model="preprocessing",version="1"}} 30
nv_trt_llm_request_metrics{{request_type="active",{_N}}} 7
nv_trt_llm_request_metrics{{request_type="scheduled",{_N}}} 5
nv_trt_llm_request_metrics{{request_type="max",{_N}}} 512
nv_trt_llm_kv_cache_block_metrics{{kv_cache_block_type="used",{_N}}} 250
nv_trt_llm_kv_cache_block_metrics{{kv_cache_block_type="max",{_N}}} 1000
nv_trt_llm_kv_cache_block_metrics{{kv_cache_block_type="tokens_per",{_N}}} 64
"""
    + histogram("nv_inference_first_response_histogram_ms", _N, 4500, ("100", 10), ("500", 28), ("+Inf", 30)),
    {"running": 5.0, "waiting": 2.0, "kv_usage": 0.25, "kv_capacity_tokens": 64_000.0, "finished_total": 30.0},
    {"ttft_s": (0.1, 10, 4.5, 30)},
)

_F = 'model="m"'
FRONTEND_PAGE = EnginePage(
    "Dynamo frontend",
    f"""\
dynamo_frontend_inflight_requests{{{_F}}} 10
dynamo_frontend_queued_requests{{{_F}}} 7
dynamo_frontend_requests_total{{{_F},status="success"}} 40
dynamo_frontend_requests_total{{{_F},status="error"}} 1
dynamo_frontend_output_tokens_total{{{_F}}} 8000
"""
    + histogram("dynamo_frontend_time_to_first_token_seconds", _F, 20.0, ("0.1", 5), ("+Inf", 41))
    + histogram("dynamo_frontend_inter_token_latency_seconds", _F, 80.0, ("0.01", 100), ("+Inf", 7900))
    + histogram("dynamo_frontend_input_sequence_tokens", _F, 41_000, ("500", 5), ("+Inf", 41))
    + histogram("dynamo_frontend_output_sequence_tokens", _F, 8000, ("500", 40), ("+Inf", 41))
    + histogram("dynamo_frontend_cached_tokens", _F, 3000, ("500", 41), ("+Inf", 41)),
    {
        "running": 3.0,
        "waiting": 7.0,
        "finished_total": 41.0,
        "generation_tokens_total": 8000.0,
        "prompt_tokens_cached_total": 3000.0,
    },
    {"ttft_s": (0.1, 5, 20.0, 41), "itl_s": (0.01, 100, 80.0, 7900), "prompt_tokens": (500.0, 5, 41_000.0, 41)},
)

_W = 'dynamo_namespace="d",dynamo_component="backend",dynamo_endpoint="generate"'
WORKER_PAGE = EnginePage(
    "Dynamo worker",
    f"""\
dynamo_component_inflight_requests{{{_W}}} 4
dynamo_component_inflight_requests{{dynamo_component="backend",dynamo_endpoint="clear_kv_blocks"}} 9
dynamo_component_requests_total{{{_W}}} 20
dynamo_component_gpu_cache_usage_percent{{dynamo_component="backend"}} 0.4
dynamo_component_total_blocks{{dynamo_component="backend"}} 1000
"""
    + histogram("dynamo_component_request_duration_seconds", _W, 60.0, ("1.0", 3), ("+Inf", 20)),
    {"running": 4.0, "kv_usage": 0.4, "finished_total": 20.0},
    {"e2e_s": (1.0, 3, 60.0, 20)},
)

OLD_VLLM_PAGE = EnginePage(
    "vLLM",
    """\
vllm:num_requests_running{model_name="m"} 3.0
vllm:num_requests_swapped{model_name="m"} 1.0
vllm:num_requests_waiting{model_name="m"} 2.0
vllm:gpu_cache_usage_perc{model_name="m"} 0.25
vllm:cache_config_info{block_size="16",num_gpu_blocks="1000"} 1.0
vllm:prompt_tokens_total{model_name="m"} 5000.0
vllm:generation_tokens_total{model_name="m"} 800.0
vllm:request_success_total{finished_reason="stop",model_name="m"} 5.0
vllm:num_preemptions_total{model_name="m"} 1.0
"""
    + histogram("vllm:time_to_first_token_seconds", 'model_name="m"', 1.5, ("0.1", 3), ("+Inf", 5))
    + histogram("vllm:time_per_output_token_seconds", 'model_name="m"', 8.0, ("0.01", 500), ("+Inf", 795))
    + histogram("vllm:request_prompt_tokens", 'model_name="m"', 5000, ("1000.0", 3), ("+Inf", 5)),
    {"running": 3.0, "waiting": 3.0, "kv_usage": 0.25, "kv_capacity_tokens": 16_000.0, "preemptions_total": 1.0},
    {"itl_s": (0.01, 500, 8.0, 795), "prompt_tokens": (1000.0, 3, 5000.0, 5)},
)

PAGES = (SGLANG_PAGE, TGI_PAGE, TRTLLM_PAGE, TRITON_PAGE, FRONTEND_PAGE, WORKER_PAGE, OLD_VLLM_PAGE)
