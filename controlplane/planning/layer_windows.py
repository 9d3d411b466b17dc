"""Which layers of a model keep the whole context, and which only a window of it."""

from __future__ import annotations

from controlplane.domain.json_object import FieldError, JsonObject

FULL, SLIDING, CHUNKED = "full_attention", "sliding_attention", "chunked_attention"
OPT_IN = ("qwen2", "qwen3")
"""Families that slide only where `use_sliding_window` is true; elsewhere a window that is given is used."""
FULL_EVERY = {"gemma2": 2, "gpt_oss": 2, "cohere2": 4, "gemma3": 6, "llama4": 4}
"""Every how many layers one is full, where config.json lists no layer_types (transformers' config classes)."""


def windows(config: JsonObject, layers: int) -> list[int | None]:
    """Per layer: tokens that its cache keeps, None for all.

    Raises:
        FieldError: if `layer_types` is of another length than the layers, or has a kind that keeps no KV cache.
    """
    window = config.count("sliding_window")
    chunk = config.count("attention_chunk_size")
    family = config.text("model_type") or ""
    if config.flag("use_sliding_window") is False:
        window = None
    listed = config.items("layer_types")
    if listed:
        return _listed(config, listed, layers, {FULL: None, SLIDING: window, CHUNKED: chunk})
    every = config.count("sliding_window_pattern") or _full_every(family)
    kept = chunk if chunk is not None else window
    if kept is None or (family.startswith(OPT_IN) and not config.flag("use_sliding_window")):
        return [None] * layers
    return [None if every and (i + 1) % every == 0 else kept for i in range(layers)]


def _full_every(family: str) -> int | None:
    return next((every for name, every in FULL_EVERY.items() if family.startswith(name)), None)


def _listed(
    config: JsonObject, listed: tuple[object, ...], layers: int, kept: dict[str, int | None]
) -> list[int | None]:
    if len(listed) != layers:
        raise FieldError(
            f"{config.where}: layer_types has {len(listed)} entries; allowed: one per layer, "
            f"num_hidden_layers is {layers}"
        )
    unknown = next((kind for kind in listed if kind not in kept), None)
    if unknown is not None:
        raise FieldError(
            f"{config.where}: layer_types has {unknown!r}; allowed: {', '.join(kept)} (layers with a KV cache)"
        )
    return [kept[str(kind)] for kind in listed]
