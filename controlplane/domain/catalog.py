"""Facts about accelerators and models: the datasheets' numbers and the models' config.json, nothing derived.

Peak figures are dense (no sparsity) BF16. Prices are list prices per GPU hour, rounded; a variant's own price wins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One GPU. `bandwidth_bytes_per_s` is its memory's; `link_bytes_per_s` is what KV transfer gets.

    `peer_bytes_per_s` is what it sends to the other GPUs of its machine over NVLink or Infinity Fabric, one way; None:
    they share PCIe alone, over which tensor parallelism is slow.
    """

    name: str
    memory_bytes: float
    bandwidth_bytes_per_s: float
    bf16_flops_per_s: float
    link_bytes_per_s: float
    usd_per_hour: float
    spot_usd_per_hour: float
    peer_bytes_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """A decoder-only transformer, from its config.json. `weight_bytes_per_param` 2 is BF16, 1 is FP8.

    `parameters` are those that a token passes through. Where more are stored (a mixture of experts), or in several
    formats, `stored_weight_bytes` says how much; where a token's cache is not a key and a value per KV head (latent
    attention, sliding windows, replicas under tensor parallelism), `cached_bytes_per_token` does.
    """

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
    stored_weight_bytes: float | None = None
    cached_bytes_per_token: float | None = None
    intermediate_size: int | None = None
    vocab_size: int | None = None
    """These two are asked for by the size of a LoRA adapter alone; None: not said."""

    @property
    def weight_bytes(self) -> float:
        """Bytes of all weights."""
        if self.stored_weight_bytes is not None:
            return self.stored_weight_bytes
        return self.parameters * self.weight_bytes_per_param

    @property
    def kv_bytes_per_token(self) -> float:
        """Bytes of one token's keys and values over all layers: 2 * layers * kv_heads * head_dim * bytes."""
        if self.cached_bytes_per_token is not None:
            return self.cached_bytes_per_token
        return 2.0 * self.layers * self.kv_heads * self.head_dim * self.kv_bytes_per_element


def _gpu(
    name: str, gib: float, tb_s: float, tflops: float, link_gb_s: float, usd: float, spot: float, peer_gb_s: float = 0.0
) -> Accelerator:
    peer_bytes_per_s = peer_gb_s * 1e9 or None
    return Accelerator(name, gib * GIB, tb_s * 1e12, tflops * 1e12, link_gb_s * 1e9, usd, spot, peer_bytes_per_s)


ACCELERATORS: dict[str, Accelerator] = {
    gpu.name: gpu
    for gpu in (
        # Memory GiB (as the name says it; drivers keep 1 to 3 % back), TB/s and dense BF16 TFLOP/s with FP32 sums, from
        # the vendors' datasheets: NVIDIA L4, A10, A40, RTX 4090 and 5090, RTX A6000, RTX 6000 Ada, RTX PRO 6000
        # Blackwell Server, L40S, A100 (40 and 80 GB SXM), H20, H100 PCIe, NVL and SXM, GH200, H200, HGX B200 and B300,
        # GB200 and GB300 NVL72; AMD Instinct MI300X, MI325X, MI355X. Link: PCIe gen4 x16 (~25 GB/s usable), one 400
        # Gb/s NIC (~45 GB/s usable), or one of 800 Gb/s (~90). Peer: NVLink or Infinity Fabric, one way, GB/s. Prices:
        # what clouds ask for one GPU on demand, rounded, and about half for spot; they move, so a variant (and
        # `tidegate fit --price`) says its own.
        _gpu("L4", 24, 0.300, 121, 12, 0.80, 0.32),
        _gpu("A10G", 24, 0.600, 70, 12, 1.20, 0.48),
        _gpu("RTX-4090", 24, 1.008, 165, 25, 0.60, 0.35),
        _gpu("RTX-5090", 32, 1.792, 209, 25, 0.90, 0.55),
        _gpu("A40", 48, 0.696, 150, 25, 0.80, 0.40),
        _gpu("RTX-A6000", 48, 0.768, 155, 25, 0.80, 0.40),
        _gpu("RTX-6000-Ada", 48, 0.960, 364, 25, 1.10, 0.60),
        _gpu("L40S", 48, 0.864, 362, 25, 1.90, 0.80),
        _gpu("RTX-PRO-6000", 96, 1.597, 504, 45, 2.20, 1.10),
        _gpu("A100-40", 40, 1.555, 312, 25, 3.00, 1.30, 300),
        _gpu("A100-80", 80, 2.039, 312, 25, 3.50, 1.50, 300),
        _gpu("H20", 96, 4.000, 148, 45, 2.50, 1.20, 450),
        _gpu("H100-PCIe", 80, 2.000, 756, 25, 3.00, 1.40),
        _gpu("H100-NVL", 94, 3.900, 835, 25, 3.40, 1.60, 300),
        _gpu("H100", 80, 3.350, 989, 45, 4.00, 1.90, 450),
        _gpu("GH200", 96, 4.000, 989, 45, 3.40, 1.70, 450),
        _gpu("H200", 141, 4.800, 989, 45, 5.20, 2.40, 450),
        _gpu("B200", 180, 8.000, 2250, 45, 7.25, 3.50, 900),
        _gpu("B300", 270, 8.000, 2250, 90, 8.50, 4.20, 900),
        _gpu("GB200", 186, 8.000, 2500, 45, 8.00, 4.00, 900),
        _gpu("GB300", 278, 8.000, 2500, 90, 9.50, 4.70, 900),
        _gpu("MI300X", 192, 5.300, 1307, 45, 4.00, 1.80, 448),
        _gpu("MI325X", 256, 6.000, 1307, 45, 4.60, 2.20, 448),
        _gpu("MI355X", 288, 8.000, 2516, 45, 6.50, 3.20, 537),
    )
}


def _model(
    name: str,
    parameters: float,
    layers: int,
    hidden: int,
    heads: tuple[int, int, int],
    context: int,
    inner: int,
    vocabulary: int,
    weight_bytes: float = 2.0,
) -> Model:
    return Model(name, parameters, layers, hidden, *heads, context, weight_bytes, 2.0, None, None, inner, vocabulary)


MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        # From each model's config.json: num_hidden_layers, hidden_size, (num_attention_heads, num_key_value_heads,
        # head_dim), max_position_embeddings, intermediate_size, vocab_size.
        _model("llama-3.1-8b", 8.03e9, 32, 4096, (32, 8, 128), 131072, 14336, 128256),
        _model("llama-3.1-70b", 70.6e9, 80, 8192, (64, 8, 128), 131072, 28672, 128256),
        _model("llama-3.1-70b-fp8", 70.6e9, 80, 8192, (64, 8, 128), 131072, 28672, 128256, 1.0),
        _model("qwen3-8b", 8.19e9, 36, 4096, (32, 8, 128), 40960, 12288, 151936),
        _model("qwen3-32b", 32.8e9, 64, 5120, (64, 8, 128), 40960, 25600, 151936),
        _model("mistral-7b", 7.25e9, 32, 4096, (32, 8, 128), 32768, 14336, 32768),
        _model("gemma-2-9b", 9.24e9, 42, 3584, (16, 8, 256), 8192, 14336, 256000),
    )
}


_ALSO: ContextVar[Mapping[str, Model | Accelerator] | None] = ContextVar("also", default=None)
"""Models and accelerators that a caller brought with it, e.g. from a config.json: known only within its `also`
block."""


class UnknownName(KeyError):
    """A name that the catalog does not hold; the message lists those that it does."""

    def __str__(self) -> str:
        return str(self.args[0])


@contextmanager
def also(*given: Model | Accelerator) -> Iterator[None]:
    """Within the block, in this thread or task, `model` and `accelerator` know these too; their names win over the
    catalog's."""
    token = _ALSO.set({**(_ALSO.get() or {}), **{one.name: one for one in given}})
    try:
        yield
    finally:
        _ALSO.reset(token)


def accelerator(name: str) -> Accelerator:
    """The accelerator of that name.

    Raises:
        UnknownName: naming the accelerators there are.
    """
    brought = (_ALSO.get() or {}).get(name)
    if isinstance(brought, Accelerator):
        return brought
    if name not in ACCELERATORS:
        raise UnknownName(f"accelerator {name!r} is not in the catalog; allowed: {', '.join(ACCELERATORS)}")
    return ACCELERATORS[name]


def model(name: str) -> Model:
    """The model of that name.

    Raises:
        UnknownName: naming the models there are.
    """
    brought = (_ALSO.get() or {}).get(name)
    if isinstance(brought, Model):
        return brought
    if name not in MODELS:
        raise UnknownName(f"model {name!r} is not in the catalog; allowed: {', '.join(MODELS)}")
    return MODELS[name]
