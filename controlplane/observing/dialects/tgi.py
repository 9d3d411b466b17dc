"""Hugging Face's Text Generation Inference. It tells neither TTFT nor the KV cache."""

from __future__ import annotations

from controlplane.observing.dialects.table import MEANS, START, Dialect, Source, read

TGI = Dialect(
    engine="TGI",
    marks=("tgi_",),
    evidence="docs/source/reference/metrics.md and backends/v3/src/backend.rs of text-generation-inference",
    scalars={
        "running": read("tgi_batch_current_size"),
        "waiting": read("tgi_queue_size"),
        "finished_total": read("tgi_request_success"),
        "started_at_s": START,
    },
    histograms={
        # A request's inference time over its tokens, so the prefill's share of it is in there too.
        "tpot_s": (Source("tgi_request_mean_time_per_token_duration"),),
        "itl_s": (Source("tgi_batch_inference_duration", where=(("method", "decode"),)),),
        "queue_time_s": (Source("tgi_request_queue_duration"),),
        "e2e_s": (Source("tgi_request_duration"),),
        "prompt_tokens": (Source("tgi_request_input_length"),),
        "generation_tokens": (Source("tgi_request_generated_tokens"),),
    },
    required=("running", "waiting", "finished_total", "prompt_tokens", "generation_tokens"),
    means=MEANS,
)
