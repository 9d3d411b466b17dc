"""How a checkpoint stores its weights: bits per parameter of each part, from `quantization_config`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from controlplane.domain.json_object import FieldError, JsonObject

DTYPE_BITS = {"bfloat16": 16.0, "float16": 16.0, "float32": 16.0, "float8_e4m3fn": 8.0}
"""What vLLM's `--dtype auto` serves each stored type in: float32 is halved on load."""
MXFP4_BITS = 4.0 + 8.0 / 32.0
"""Blocks of 32 share a scale of 8 bits (OCP Microscaling Formats, v1.0)."""
NVFP4_BITS = 4.0 + 8.0 / 16.0
"""Blocks of 16 share an FP8 scale."""
FP8_BITS = 8.0
"""Block or tensor scales are under 0.1 %."""
SCALE_BITS = 16.0
"""A group's scale in the integer formats (AWQ, GPTQ, compressed-tensors)."""
METHODS = "fp8, fbgemm_fp8, awq, gptq, auto-round, compressed-tensors, modelopt, mxfp4, bitsandbytes"


@dataclass(frozen=True, slots=True)
class WeightFormat:
    """Bits per parameter. Embeddings, the output head and routers stay in `base_bits` in every method."""

    name: str
    base_bits: float
    attention_bits: float
    mlp_bits: float
    expert_bits: float
    kv_bytes_per_element: float = 2.0


def weight_format(config: JsonObject, top: JsonObject) -> WeightFormat:
    """The format of a config.json: `config` of the language model, `top` the whole file.

    Raises:
        FieldError: if a type or a method is not known.
    """
    name, base = _dtype(config if config.has("torch_dtype") or config.has("dtype") else top)
    quantization = top.child("quantization_config") or config.child("quantization_config")
    if quantization is None:
        return WeightFormat(name, base, base, base, base)
    method = (quantization.text("quant_method") or "").lower()
    if method == "mxfp4":
        return WeightFormat("mxfp4 experts", base, base, base, MXFP4_BITS)
    label, bits = _bits(quantization, method)
    kept = _kept_parts(quantization)
    return WeightFormat(
        label,
        base,
        base if "self_attn" in kept else bits,
        base if "mlp" in kept or "shared_experts" in kept else bits,
        bits,
        _kv_bytes(quantization),
    )


def _dtype(config: JsonObject) -> tuple[str, float]:
    field = "torch_dtype" if config.has("torch_dtype") else "dtype"
    name = config.text(field) or "bfloat16"
    if name not in DTYPE_BITS:
        raise config.bad(field, ", ".join(DTYPE_BITS))
    return ("bf16" if name == "bfloat16" else name), DTYPE_BITS[name]


def _bits(config: JsonObject, method: str) -> tuple[str, float]:
    """Label and bits per parameter of what is quantised."""
    if method in ("fp8", "fbgemm_fp8"):
        return "fp8", FP8_BITS
    if method in ("awq", "gptq", "auto-round"):
        bits, group = config.needed_count("bits"), config.number("group_size") if _grouped(config) else None
        # Each group has a scale and, in AWQ and GPTQ, a zero point of as many bits as a weight.
        return f"{method} int{bits}", bits + ((SCALE_BITS + bits) / group if group else 0.0)
    if method == "compressed-tensors":
        return _compressed(config)
    if method == "modelopt":
        return _modelopt(config)
    if method == "bitsandbytes":
        return ("bitsandbytes 4-bit", 4.5) if config.flag("load_in_4bit") else ("bitsandbytes int8", 8.0)
    raise config.bad("quant_method", METHODS)


def _grouped(config: JsonObject) -> bool:
    """A group size of -1 is one scale per row: none to speak of."""
    return config.values.get("group_size") != -1


def _compressed(config: JsonObject) -> tuple[str, float]:
    groups = config.child("config_groups")
    weights = None
    for name in groups.values if groups is not None else ():
        assert groups is not None
        group = groups.child(name)
        weights = group.child("weights") if group is not None else None
        break
    if weights is None:
        raise FieldError(f"{config.where}: config_groups has no weights; allowed: a group with weights.num_bits")
    bits = weights.needed_count("num_bits")
    floating = weights.text("type") == "float"
    group_size = weights.number("group_size") if _grouped(weights) else None
    scale_bits = 8.0 if floating and bits == 4 else SCALE_BITS
    return f"{'fp' if floating else 'int'}{bits}", bits + (scale_bits / group_size if group_size else 0.0)


def _modelopt(config: JsonObject) -> tuple[str, float]:
    nested = config.child("quantization") or config
    algorithm = (nested.text("quant_algo") or "").upper()
    if algorithm == "FP8":
        return "fp8", FP8_BITS
    if algorithm in ("NVFP4", "FP4"):
        return "nvfp4", NVFP4_BITS
    raise nested.bad("quant_algo", "FP8, NVFP4")


def _kept_parts(config: JsonObject) -> frozenset[str]:
    """Parts that every layer keeps unquantised; an entry that names one layer by its number is too small to count."""
    listed = [str(i) for name in ("modules_to_not_convert", "ignore", "exclude_modules") for i in config.items(name)]
    everywhere = [entry for entry in listed if not re.search(r"\d", entry)]
    return frozenset(
        part
        for part in ("self_attn", "shared_experts", "mlp")
        for entry in everywhere
        if part in entry and not entry.endswith(("mlp.gate", "mlp.gate$", "mlp.router"))
    )


def _kv_bytes(config: JsonObject) -> float:
    """FP8 keys and values where the checkpoint says so, which vLLM then follows."""
    scheme = config.child("kv_cache_scheme")
    if scheme is not None and scheme.number("num_bits") == 8:
        return 1.0
    nested = config.child("quantization") or config
    return 1.0 if (nested.text("kv_cache_quant_algo") or "").upper() == "FP8" else 2.0
