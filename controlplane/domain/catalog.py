"""Facts about accelerators and models: the datasheets' numbers and the models' config.json, nothing derived.

Peak figures are dense (no sparsity) BF16. Prices are list prices per GPU hour, rounded; a variant's own price wins.
"""

from __future__ import annotations

from dataclasses import dataclass

GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One GPU. `bandwidth_bytes_per_s` is its memory's; `link_bytes_per_s` is what KV transfer gets."""

    name: str
    memory_bytes: float
    bandwidth_bytes_per_s: float
    bf16_flops_per_s: float
    link_bytes_per_s: float
    usd_per_hour: float
    spot_usd_per_hour: float


@dataclass(frozen=True, slots=True)
class Model:
    """A dense decoder-only transformer, from its config.json. `weight_bytes_per_param` 2 is BF16, 1 is FP8."""

    name: str
    parameters: float
    layers: int
    hidden_size: int
    attention_heads: int
    kv_heads: int
    head_dim: int
    max_context_tokens: int
    weight_bytes_per_param: float = 2.0
    kv_bytes_per_element: float = 2.0

    @property
    def weight_bytes(self) -> float:
        """Bytes of all weights."""
        return self.parameters * self.weight_bytes_per_param

    @property
    def kv_bytes_per_token(self) -> float:
        """Bytes of one token's keys and values over all layers: 2 * layers * kv_heads * head_dim * bytes."""
        return 2.0 * self.layers * self.kv_heads * self.head_dim * self.kv_bytes_per_element


def _gpu(name: str, gib: float, tb_s: float, tflops: float, link_gb_s: float, usd: float, spot: float) -> Accelerator:
    return Accelerator(name, gib * GIB, tb_s * 1e12, tflops * 1e12, link_gb_s * 1e9, usd, spot)


ACCELERATORS: dict[str, Accelerator] = {
    gpu.name: gpu
    for gpu in (
        # Memory GiB, TB/s and dense BF16 TFLOP/s from the vendors' datasheets (NVIDIA L4, A10, L40S, A100, H100 SXM,
        # H200 SXM; AMD Instinct MI300X). Link: PCIe gen4 x16 (~25 GB/s usable) or one 400 Gb/s NIC (~45 GB/s usable).
        _gpu("L4", 24, 0.300, 121, 12, 0.80, 0.32),
        _gpu("A10G", 24, 0.600, 70, 12, 1.20, 0.48),
        _gpu("L40S", 48, 0.864, 362, 25, 1.90, 0.80),
        _gpu("A100-80", 80, 2.039, 312, 25, 3.50, 1.50),
        _gpu("H100", 80, 3.350, 989, 45, 4.00, 1.90),
        _gpu("H200", 141, 4.800, 989, 45, 5.20, 2.40),
        _gpu("MI300X", 192, 5.300, 1307, 45, 4.00, 1.80),
    )
}

MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        # From each model's config.json (num_hidden_layers, hidden_size, num_attention_heads, num_key_value_heads).
        Model("llama-3.1-8b", 8.03e9, 32, 4096, 32, 8, 128, 131072),
        Model("llama-3.1-70b", 70.6e9, 80, 8192, 64, 8, 128, 131072),
        Model("llama-3.1-70b-fp8", 70.6e9, 80, 8192, 64, 8, 128, 131072, weight_bytes_per_param=1.0),
        Model("qwen3-8b", 8.19e9, 36, 4096, 32, 8, 128, 40960),
        Model("qwen3-32b", 32.8e9, 64, 5120, 64, 8, 128, 40960),
        Model("mistral-7b", 7.25e9, 32, 4096, 32, 8, 128, 32768),
        Model("gemma-2-9b", 9.24e9, 42, 3584, 16, 8, 256, 8192),
    )
}


class UnknownName(KeyError):
    """A name that the catalog does not hold; the message lists those that it does."""

    def __str__(self) -> str:
        return str(self.args[0])


def accelerator(name: str) -> Accelerator:
    """The accelerator of that name.

    Raises:
        UnknownName: naming the accelerators there are.
    """
    if name not in ACCELERATORS:
        raise UnknownName(f"accelerator {name!r} is not in the catalog; allowed: {', '.join(ACCELERATORS)}")
    return ACCELERATORS[name]


def model(name: str) -> Model:
    """The model of that name.

    Raises:
        UnknownName: naming the models there are.
    """
    if name not in MODELS:
        raise UnknownName(f"model {name!r} is not in the catalog; allowed: {', '.join(MODELS)}")
    return MODELS[name]
