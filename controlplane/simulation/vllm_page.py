"""An engine's state as vLLM 0.32 shows it: the text of its `/metrics` page, or the `Sample` that reading it gives."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate

from controlplane.domain.observation import Sample
from controlplane.observing.dialects import VLLM
from controlplane.simulation.core.state import CACHED_TOKENS, FINISHED, GENERATION_TOKENS, PREEMPTIONS, PROMPT_TOKENS
from controlplane.simulation.engine import Engine
from controlplane.simulation.telemetry import BucketCounts, Telemetry

_SOURCES = ("local_compute", "local_cache_hit", "external_kv_transfer")
_TIERS = ("device", "host", "p2p", "disk", "external_unspecified")
_REASONS = ("stop", "length", "abort", "error", "repetition")
_CACHE_LABELS = (
    '_block_size_resolved="True",block_size="{block}",cache_dtype="auto",cache_hit_alignment_tokens="None",'
    'effective_attention_block_size="{block}",enable_mamba_shared_prefix_checkpoint="False",'
    'enable_prefix_caching="False",engine="0",gpu_memory_utilization="0.9",hash_block_size="None",'
    'is_attention_free="False",kv_cache_dtype_skip_layers="[]",kv_cache_layout="None",'
    'kv_cache_max_concurrency="{concurrency:.1f}",kv_cache_memory_bytes="None",kv_cache_size_tokens="{tokens}",'
    'kv_offloading_backend="native",kv_offloading_size="None",kv_sharing_fast_prefill="False",'
    'mamba_block_size="None",mamba_cache_dtype="auto",mamba_cache_mode="none",mamba_page_size_padded="None",'
    'mamba_ssm_cache_dtype="auto",num_cpu_blocks="None",num_gpu_blocks="{blocks}",num_gpu_blocks_override="None",'
    'prefix_cache_retention_interval="0",prefix_caching_hash_algo="sha256",prefix_match_unit="None",'
    'replayssm_buffer_len="16",skip_page_size_padded="None",sliding_window="None",swa_bounded_replay="True",'
    'use_kda_recoverssm="False",use_replayssm="False",user_specified_block_size="False"'
)


class _Page:
    """Lines of the text exposition format 0.0.4, as prometheus_client writes them."""

    def __init__(self, model: str, created_at_s: float) -> None:
        self.lines: list[str] = []
        self._base = f'engine="0",model_name="{model}"'
        self._model = f'model_name="{model}"'
        self._created = repr(created_at_s)

    def gauge(self, name: str, help_text: str, value: float) -> None:
        self._head(name, help_text, "gauge")
        self.lines.append(f"{name}{{{self._base}}} {float(value)!r}")

    def labelled_gauge(self, name: str, help_text: str, label: str, values: Iterable[tuple[str, float]]) -> None:
        self._head(name, help_text, "gauge")
        self.lines.extend(f"{name}{{{self._labels(label, value)}}} {float(number)!r}" for value, number in values)

    def counter(self, name: str, help_text: str, value: float) -> None:
        self._head(f"{name}_total", help_text, "counter")
        self.lines.append(f"{name}_total{{{self._base}}} {float(value)!r}")
        self._head(f"{name}_created", help_text, "gauge")
        self.lines.append(f"{name}_created{{{self._base}}} {self._created}")

    def labelled_counter(self, name: str, help_text: str, label: str, values: Iterable[tuple[str, float]]) -> None:
        pairs = list(values)
        self._head(f"{name}_total", help_text, "counter")
        self.lines.extend(f"{name}_total{{{self._labels(label, value)}}} {float(n)!r}" for value, n in pairs)
        self._head(f"{name}_created", help_text, "gauge")
        self.lines.extend(f"{name}_created{{{self._labels(label, value)}}} {self._created}" for value, _ in pairs)

    def histogram(self, name: str, help_text: str, counts: BucketCounts) -> None:
        self._head(name, help_text, "histogram")
        bounds = (*(repr(float(b)) for b in counts.bounds), "+Inf")
        for bound, cumulative in zip(bounds, accumulate(counts.counts), strict=True):
            self.lines.append(f'{name}_bucket{{engine="0",le="{bound}",{self._model}}} {cumulative!r}')
        self.lines.append(f"{name}_count{{{self._base}}} {counts.count!r}")
        self.lines.append(f"{name}_sum{{{self._base}}} {float(counts.sum)!r}")
        self._head(f"{name}_created", help_text, "gauge")
        self.lines.append(f"{name}_created{{{self._base}}} {self._created}")

    def plain(self, name: str, help_text: str, kind: str, labels: str, value: float) -> None:
        self._head(name, help_text, kind)
        self.lines.append(f"{name}{labels} {float(value)!r}")

    def _head(self, name: str, help_text: str, kind: str) -> None:
        self.lines.append(f"# HELP {name} {help_text}")
        self.lines.append(f"# TYPE {name} {kind}")

    def _labels(self, label: str, value: str) -> str:
        """Labels in prometheus_client's alphabetical order."""
        pairs = sorted([("engine", '"0"'), tuple(self._model.split("=", 1)), (label, f'"{value}"')])
        if label == "reason" and value.startswith("max_num"):
            pairs = [pair for pair in pairs if pair[0] != "engine"]
        return ",".join(f"{key}={text}" for key, text in pairs)


def render_page(engine: Engine, model: str) -> bytes:
    """The whole page, UTF-8."""
    page = _Page(model, engine.started_at_s)
    page.plain(
        "process_start_time_seconds",
        "Start time of the process since unix epoch in seconds.",
        "gauge",
        "",
        engine.started_at_s,
    )
    _efficiency(page)
    _gauges(page, engine)
    telemetry = engine.telemetry
    _counters(page, telemetry)
    _histograms(page, telemetry)
    _cache_config(page, engine)
    return ("\n".join(page.lines) + "\n").encode()


def _efficiency(page: _Page) -> None:
    suffix = "(for Model Flops Utilization calculations)."
    page.counter("vllm:estimated_flops_per_gpu", f"Estimated number of floating point operations per GPU {suffix}", 0)
    page.counter("vllm:estimated_read_bytes_per_gpu", f"Estimated number of bytes read from memory per GPU {suffix}", 0)
    page.counter(
        "vllm:estimated_write_bytes_per_gpu", f"Estimated number of bytes written to memory per GPU {suffix}", 0
    )


def _gauges(page: _Page, engine: Engine) -> None:
    page.gauge("vllm:num_requests_running", "Number of requests in model execution batches.", engine.running)
    page.gauge("vllm:num_requests_waiting", "Number of requests waiting to be processed.", engine.waiting)
    page.labelled_gauge(
        "vllm:num_requests_waiting_by_reason",
        "Number of waiting requests by reason.",
        "reason",
        (("capacity", engine.waiting), ("deferred", 0)),
    )
    page.labelled_gauge(
        "vllm:engine_sleep_state",
        "Engine sleep state; awake = 0 means engine is sleeping; awake = 1 means engine is awake.",
        "sleep_state",
        (("awake", 1), ("weights_offloaded", 0), ("discard_all", 0)),
    )
    page.gauge("vllm:kv_cache_usage_perc", "KV-cache usage. 1 means 100 percent usage.", engine.kv_usage)


def _counters(page: _Page, telemetry: Telemetry) -> None:
    queries = "Prefix cache queries, in terms of number of queried tokens."
    hits = "Prefix cache hits, in terms of number of cached tokens."
    page.counter("vllm:prefix_cache_queries", queries, telemetry.prompt_tokens_total)
    page.counter("vllm:prefix_cache_hits", hits, telemetry.cached_tokens_total)
    page.counter("vllm:external_prefix_cache_queries", f"External {queries}", 0)
    page.counter("vllm:external_prefix_cache_hits", f"External {hits}", 0)
    page.counter("vllm:mm_cache_queries", "Multi-modal cache queries, in terms of number of queried items.", 0)
    page.counter("vllm:mm_cache_hits", "Multi-modal cache hits, in terms of number of cached items.", 0)
    page.counter(
        "vllm:num_preemptions", "Cumulative number of preemption from the engine.", telemetry.preemptions_total
    )
    page.counter("vllm:prompt_tokens", "Number of prefill tokens processed.", telemetry.prompt_tokens_total)
    cached = telemetry.cached_tokens_total
    by_source = zip(_SOURCES, (telemetry.prompt_tokens_total - cached, cached, 0.0), strict=True)
    page.labelled_counter("vllm:prompt_tokens_by_source", "Number of prompt tokens by source.", "source", by_source)
    page.counter("vllm:prompt_tokens_cached", "Number of cached prompt tokens (local + external).", cached)
    page.labelled_counter(
        "vllm:prompt_tokens_cached_by_source",
        "Prefix-cache hit tokens by the cache tier that supplied them.",
        "source",
        ((tier, cached if tier == "device" else 0.0) for tier in _TIERS),
    )
    page.counter("vllm:generation_tokens", "Number of generation tokens processed.", telemetry.generation_tokens_total)
    page.labelled_counter(
        "vllm:request_success",
        "Count of successfully processed requests.",
        "finished_reason",
        ((reason, telemetry.finished_total if reason == "stop" else 0.0) for reason in _REASONS),
    )
    page.labelled_counter(
        "vllm:admission_rejections",
        "Number of admission attempts rejected by a queue limit, by reason.",
        "reason",
        (("max_num_queued_reqs", 0.0), ("max_num_queued_tokens", 0.0)),
    )


def _histograms(page: _Page, t: Telemetry) -> None:
    ones = BucketCounts((1.0, 2.0, 5.0, 10.0, 20.0))
    ones.observe(1.0, t.finished_total)
    preemptions = BucketCounts((1.0, 2.0, 3.0, 4.0, 5.0, 10.0, 20.0))
    preemptions.observe(0.0, t.finished_total)
    span = "Histogram of time spent in {} phase for request."
    for name, help_text, counts in (
        ("request_prompt_tokens", "Number of prefill tokens processed.", t.prompt_tokens),
        ("request_generation_tokens", "Number of generation tokens processed.", t.generation_tokens),
        ("iteration_tokens_total", "Histogram of number of tokens per engine_step.", t.iteration_tokens),
        (
            "request_max_num_generation_tokens",
            "Histogram of maximum number of requested generation tokens.",
            t.generation_tokens,
        ),
        ("request_params_n", "Histogram of the n request parameter.", ones),
        ("request_params_max_tokens", "Histogram of the max_tokens request parameter.", t.generation_tokens),
        ("time_to_first_token_seconds", "Histogram of time to first token in seconds.", t.ttft),
        ("inter_token_latency_seconds", "Histogram of inter-token latency in seconds.", t.itl),
        (
            "request_time_per_output_token_seconds",
            "Histogram of time_per_output_token_seconds per request.",
            t.tpot,
        ),
        ("e2e_request_latency_seconds", "Histogram of e2e request latency in seconds.", t.e2e),
        ("request_queue_time_seconds", span.format("WAITING"), t.queue),
        ("request_inference_time_seconds", span.format("RUNNING"), t.inference),
        ("request_prefill_time_seconds", span.format("PREFILL"), t.prefill),
        ("request_decode_time_seconds", span.format("DECODE"), t.decode),
        ("request_num_preemptions", "Histogram of the number of times a request was preempted.", preemptions),
        (
            "request_prefill_kv_computed_tokens",
            "Histogram of new KV tokens computed during prefill (excluding cached tokens).",
            t.prompt_tokens,
        ),
    ):
        page.histogram(f"vllm:{name}", help_text, counts)


def _cache_config(page: _Page, engine: Engine) -> None:
    limits = engine.limits
    tokens = limits.kv_blocks * limits.block_tokens
    labels = _CACHE_LABELS.format(
        block=limits.block_tokens,
        blocks=limits.kv_blocks,
        tokens=tokens,
        concurrency=tokens / limits.max_context_tokens,
    )
    page.plain("vllm:cache_config_info", "Information of the LLMEngine CacheConfig", "gauge", f"{{{labels}}}", 1.0)


def sample_of(engine: Engine, replica: str, variant: str, now_s: float) -> Sample:
    """What reading the page at `now_s` would give."""
    prompts = engine.histogram("prompt_tokens")
    return Sample(
        replica=replica,
        variant=variant,
        at_s=now_s,
        running=float(engine.running),
        waiting=float(engine.waiting),
        kv_usage=engine.kv_usage,
        kv_capacity_tokens=float(engine.limits.kv_blocks * engine.limits.block_tokens),
        prompt_tokens_total=engine.counter(PROMPT_TOKENS),
        prompt_tokens_cached_total=engine.counter(CACHED_TOKENS),
        generation_tokens_total=engine.counter(GENERATION_TOKENS),
        finished_total=engine.counter(FINISHED),
        aborted_total=0.0,
        preemptions_total=engine.counter(PREEMPTIONS),
        started_at_s=engine.started_at_s,
        ttft_s=engine.histogram("ttft"),
        tpot_s=engine.histogram("tpot"),
        itl_s=engine.histogram("itl"),
        e2e_s=engine.histogram("e2e"),
        queue_time_s=engine.histogram("queue"),
        prompt_tokens=prompts,
        uncached_prompt_tokens=prompts,
        engine=VLLM.engine,
        generation_tokens=engine.histogram("generation_tokens"),
        iteration_tokens=engine.histogram("iteration_tokens"),
    )
