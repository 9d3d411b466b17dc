"""The prior: what a step of a continuous-batching engine costs, from datasheets alone.

A step takes `a + b*prefill_tokens + c*decode_seqs + d*context_tokens` seconds. `a` is the pass over the weights
(memory-bound, so bytes over bandwidth), `b` the arithmetic of one token (2 FLOPs per parameter, so FLOPs over
FLOP/s), `c` the same for a decoding sequence plus sampling, `d` the reading of one token's keys and values. See
Williams et al., "Roofline" (CACM 2009), and Pope et al., "Efficiently Scaling Transformer Inference" (MLSys 2023).
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

from controlplane.domain.catalog import Accelerator, Model

BANDWIDTH_EFFICIENCY = 0.8
"""Share of the datasheet's bandwidth that a decode step reaches; STREAM-like kernels reach 0.8 to 0.9 on HBM."""
FLOPS_EFFICIENCY = 0.45
"""Model FLOPs utilisation of a prefill chunk: 0.4 to 0.5 for BF16 on vLLM. On an H100 at 8B it gives 36 us a token, so
74 ms for a chunk of 2,048, which is what is measured."""
STEP_OVERHEAD_S = 0.002
"""Scheduling, sampling and kernel launches of one step under CUDA graphs, before any work."""
SAMPLING_S = 10e-6
"""Sampling and detokenisation of one sequence."""
ALL_REDUCE_S = 15e-6
"""Latency of one all-reduce over NVLink; a transformer layer has two under tensor parallelism."""
GPU_MEMORY_UTILIZATION = 0.9
"""vLLM's default share of GPU memory for weights, activations and KV cache."""
ACTIVATION_BYTES = 2.0 * 1024**3
"""Per GPU: activations of a chunk, CUDA graphs and the runtime."""
BLOCK_SIZE_TOKENS = 16
"""vLLM's default KV block."""
MAX_NUM_SEQS = 256
"""vLLM's default `--max-num-seqs` for a server on a GPU of less than 70 GB; on a larger one it is 1,024 (`arg_utils.py`
of 0.22), which the cache or the latency limits long before for models of 7B and more."""
MAX_BATCHED_TOKENS = 2048
"""vLLM's default `--max-num-batched-tokens` for online serving with chunked prefill."""


@dataclass(frozen=True, slots=True)
class StepCost:
    """Coefficients of one step's duration, seconds: `a + b*prefill_tokens + c*decode_seqs + d*context_tokens +
    e*pairs`, where `pairs` counts every prefill token once for each token before it (attention over long prompts)."""

    a_s: float
    b_s_per_token: float
    c_s_per_sequence: float
    d_s_per_token: float
    e_s_per_token_pair: float = 0.0

    def step_s(
        self, prefill_tokens: float, decode_seqs: float, context_tokens: float, token_pairs: float = 0.0
    ) -> float:
        """Duration of one step, seconds."""
        decode = self.c_s_per_sequence * decode_seqs + self.d_s_per_token * context_tokens
        return self.a_s + self.b_s_per_token * prefill_tokens + decode + self.e_s_per_token_pair * token_pairs

    def scaled(self, factor: float) -> StepCost:
        """Every coefficient times `factor`."""
        return StepCost(*(factor * value for value in astuple(self)))

    def times(self, a: float, b: float, c: float, d: float) -> StepCost:
        """Each coefficient times its factor. Attention over long prompts is arithmetic, as reading them is, and goes
        with `b`."""
        return StepCost(
            self.a_s * a,
            self.b_s_per_token * b,
            self.c_s_per_sequence * c,
            self.d_s_per_token * d,
            self.e_s_per_token_pair * b,
        )


class DoesNotFit(ValueError):
    """The model's weights leave no room for a KV cache on that many GPUs."""


def prior(model: Model, accelerator: Accelerator, gpus: int) -> StepCost:
    """The roofline step cost of `model` on `gpus` accelerators under tensor parallelism."""
    bandwidth = accelerator.bandwidth_bytes_per_s * gpus * BANDWIDTH_EFFICIENCY
    flops = accelerator.bf16_flops_per_s * gpus * FLOPS_EFFICIENCY
    token_s = 2.0 * model.parameters / flops
    communication_s = 2.0 * model.layers * ALL_REDUCE_S if gpus > 1 else 0.0
    return StepCost(
        a_s=model.weight_bytes / bandwidth + STEP_OVERHEAD_S + communication_s,
        b_s_per_token=token_s,
        c_s_per_sequence=token_s + SAMPLING_S,
        d_s_per_token=model.kv_bytes_per_token / bandwidth,
        # Scores and values: 2 multiply-adds of `hidden` each for a pair of tokens, in every layer.
        e_s_per_token_pair=4.0 * model.layers * model.attention_heads * model.head_dim / flops,
    )


def kv_capacity_tokens(model: Model, accelerator: Accelerator, gpus: int) -> int:
    """Tokens whose keys and values fit beside the weights, in whole blocks.

    Raises:
        DoesNotFit: naming the bytes that the weights need and those that there are.
    """
    budget = gpus * (accelerator.memory_bytes * GPU_MEMORY_UTILIZATION - ACTIVATION_BYTES)
    blocks = int((budget - model.weight_bytes) / (model.kv_bytes_per_token * BLOCK_SIZE_TOKENS))
    if blocks < 1:
        raise DoesNotFit(
            f"{model.name} needs {model.weight_bytes / 1e9:.0f} GB for its weights; {gpus} x {accelerator.name} "
            f"leave {budget / 1e9:.0f} GB"
        )
    return blocks * BLOCK_SIZE_TOKENS


def kv_transfer_s(model: Model, tokens: float, sender: Accelerator, receiver: Accelerator) -> float:
    """Seconds to move `tokens` of KV cache from a prefill to a decode replica over the slower of the two links."""
    return tokens * model.kv_bytes_per_token / min(sender.link_bytes_per_s, receiver.link_bytes_per_s)
