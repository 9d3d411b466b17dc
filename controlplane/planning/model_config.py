"""A model's shape from its Hugging Face config.json: nothing is downloaded, every parameter is counted.

Dense decoders (Llama, Qwen, Mistral, Gemma and their like), grouped-query and latent attention (DeepSeek), mixtures of
experts (Mixtral, Qwen3-MoE, gpt-oss, DeepSeek, Llama 4), sliding windows, tied embeddings, quantised weights, and the
language model of a multimodal one. Layers that keep a state instead of a cache (Mamba, linear attention) are refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from controlplane.domain.json_object import JsonObject
from controlplane.planning.layer_windows import windows
from controlplane.planning.model_shape import (
    AdapterSize,
    KvLayers,
    ModelShape,
    attention_adapter,
    mlp_adapter,
    table_adapter,
)
from controlplane.planning.weight_format import WeightFormat, weight_format

TIED_BY_DEFAULT = ("gemma", "cohere", "gpt2", "command")
"""Families whose config class ties input and output embeddings when config.json does not say."""
UNGATED = ("opt", "gpt2", "gpt_neox", "falcon", "phi", "starcoder2", "nemotron")
"""Families whose feed-forward part has two matrices; all others have the three of a gated one (SwiGLU, GeGLU)."""
CLASS_DEFAULTS: dict[str, dict[str, object]] = {
    "gemma3_text": {
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "vocab_size": 262208,
        "max_position_embeddings": 131072,
    },
}
"""What Gemma 3's text_config leaves to its class in transformers."""


@dataclass(frozen=True, slots=True)
class _Parts:
    """Parameters by part. `active_experts` of `experts` are a token's."""

    embeddings: float
    head: float
    attention: float
    mlp: float
    router: float
    experts: float
    active_experts: float

    @property
    def stored(self) -> float:
        return self.embeddings + self.head + self.attention + self.mlp + self.router + self.experts

    @property
    def active(self) -> float:
        if not self.experts:
            return self.stored
        # The input table is looked up, not multiplied; where it is tied it is the output head, which is.
        looked_up = self.embeddings if self.head else 0.0
        return self.stored - looked_up - self.experts + self.active_experts

    def stored_bytes(self, bits: WeightFormat) -> float:
        kept = self.embeddings + self.head + self.router
        quantised = self.attention * bits.attention_bits + self.mlp * bits.mlp_bits + self.experts * bits.expert_bits
        return (kept * bits.base_bits + quantised) / 8.0


def read_config(document: object, name: str) -> ModelShape:
    """The shape that a parsed config.json describes; `name` is what to call it.

    Raises:
        FieldError: naming the field that is missing, of the wrong kind, or of an architecture that is not covered.
    """
    top = JsonObject.of(f"config.json of {name}", document)
    config = _language_model(top)
    _refuse_stateful(config)
    heads, hidden = config.needed_count("num_attention_heads"), config.needed_count("hidden_size")
    layers = config.needed_count("num_hidden_layers")
    kv_heads = config.count("num_key_value_heads") or heads
    head_dim = config.count("head_dim") or hidden // heads
    if head_dim < 1:
        raise config.bad("num_attention_heads", f"1 to hidden_size, which is {hidden}")
    parts, bits = _count(config, top, kv_heads, head_dim), weight_format(config, top)
    return ModelShape(
        name=name,
        layers=layers,
        hidden_size=hidden,
        attention_heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        max_context_tokens=config.needed_count("max_position_embeddings"),
        parameters=parts.stored,
        active_parameters=parts.active,
        weight_bytes=parts.stored_bytes(bits),
        weight_format=bits.name,
        kv=_kv(config, layers, kv_heads, head_dim),
        kv_bytes_per_element=bits.kv_bytes_per_element,
        notes=_notes(top),
        adapter=_adapter(config, kv_heads, head_dim, every_expert=True),
        active_adapter=_adapter(config, kv_heads, head_dim, every_expert=False),
    )


def _language_model(top: JsonObject) -> JsonObject:
    """The part of a multimodal model that has the KV cache; the file itself otherwise."""
    for name in ("text_config", "llm_config", "language_config"):
        child = top.child(name)
        if child is not None:
            defaults = CLASS_DEFAULTS.get(child.text("model_type") or "", {})
            inherited = {key: top.values[key] for key in ("tie_word_embeddings",) if top.has(key)}
            return JsonObject(child.where, {**defaults, **inherited, **child.values})
    return JsonObject(top.where, {**CLASS_DEFAULTS.get(top.text("model_type") or "", {}), **top.values})


def _refuse_stateful(config: JsonObject) -> None:
    for name in ("ssm_cfg", "mamba_d_state", "hybrid_override_pattern", "state_size", "linear_num_key_heads"):
        if config.has(name):
            raise config.bad(name, "absent: layers with a state instead of a KV cache are not covered")
    if config.flag("is_encoder_decoder"):
        raise config.bad("is_encoder_decoder", "false: decoder-only models")


def _notes(top: JsonObject) -> tuple[str, ...]:
    towers = [name for name in ("vision_config", "audio_config") if top.has(name)]
    return tuple(f"the {name.removesuffix('_config')} tower's weights are not counted" for name in towers)


def _kv(config: JsonObject, layers: int, kv_heads: int, head_dim: int) -> tuple[KvLayers, ...]:
    if config.has("kv_lora_rank"):
        latent = config.needed_count("kv_lora_rank") + config.needed_count("qk_rope_head_dim")
        return (KvLayers(layers, 1, latent),)
    per_layer = windows(config, layers)
    return tuple(
        KvLayers(per_layer.count(window), kv_heads, 2 * head_dim, window)
        for window in sorted(set(per_layer), key=lambda w: (w is not None, w or 0))
    )


def _count(config: JsonObject, top: JsonObject, kv_heads: int, head_dim: int) -> _Parts:
    hidden, layers = config.needed_count("hidden_size"), config.needed_count("num_hidden_layers")
    table = float(config.needed_count("vocab_size") * hidden)
    experts, per_token = _experts(config)
    sparse = _sparse_layers(config, layers) if experts else 0
    expert = 3.0 * hidden * (config.count("moe_intermediate_size") or _inner(config)) if experts else 0.0
    dense = _matrices(config) * hidden * _dense_inner(config, layers - sparse)
    return _Parts(
        embeddings=table,
        head=0.0 if _tied(config, top) else table,
        attention=layers * _attention(config, hidden, kv_heads, head_dim),
        mlp=(layers - sparse) * dense + sparse * 3.0 * hidden * _shared_inner(config),
        router=float(sparse * hidden * experts),
        experts=sparse * experts * expert,
        active_experts=sparse * per_token * expert,
    )


def _attention(config: JsonObject, hidden: int, kv_heads: int, head_dim: int) -> float:
    """Parameters of one layer's projections."""
    heads = config.needed_count("num_attention_heads")
    if not config.has("kv_lora_rank"):
        return float(hidden * head_dim * (2 * heads + 2 * kv_heads))
    rank, rope = config.needed_count("kv_lora_rank"), config.needed_count("qk_rope_head_dim")
    nope, value = config.needed_count("qk_nope_head_dim"), config.needed_count("v_head_dim")
    q_rank = config.count("q_lora_rank")
    queries = heads * (nope + rope)
    query = hidden * queries if q_rank is None else q_rank * (hidden + queries)
    return float(query + hidden * (rank + rope) + rank * heads * (nope + value) + heads * value * hidden)


def _adapter(config: JsonObject, kv_heads: int, head_dim: int, every_expert: bool) -> AdapterSize:
    """Of LoRA on all linear layers, embeddings and experts: all experts' or those that take a token."""
    hidden, layers = config.needed_count("hidden_size"), config.needed_count("num_hidden_layers")
    experts, per_token = _experts(config)
    sparse = _sparse_layers(config, layers) if experts else 0
    expert = mlp_adapter(hidden, config.count("moe_intermediate_size") or _inner(config)) if experts else AdapterSize()
    shared = mlp_adapter(hidden, _shared_inner(config)) if sparse and _shared_inner(config) else AdapterSize()
    dense = mlp_adapter(hidden, _dense_inner(config, layers - sparse), gated=_matrices(config) > 2.0)
    return (
        _attention_adapter(config, hidden, kv_heads, head_dim) * layers
        + dense * (layers - sparse)
        + (expert * (experts if every_expert else per_token) + shared) * sparse
        + table_adapter(config.needed_count("vocab_size"), hidden)
    )


def _attention_adapter(config: JsonObject, hidden: int, kv_heads: int, head_dim: int) -> AdapterSize:
    """Of one layer's projections; latent attention's first two are whole on every rank."""
    heads = config.needed_count("num_attention_heads")
    if not config.has("kv_lora_rank"):
        return attention_adapter(hidden, heads * head_dim, kv_heads * head_dim)
    rank, rope = config.needed_count("kv_lora_rank"), config.needed_count("qk_rope_head_dim")
    nope, value = config.needed_count("qk_nope_head_dim"), config.needed_count("v_head_dim")
    q_rank = config.count("q_lora_rank")
    first = [rank + rope] if q_rank is None else [q_rank, rank + rope]
    return (
        AdapterSize(whole=float(hidden * len(first) + sum(first)))
        + AdapterSize.column(hidden if q_rank is None else q_rank, heads * (nope + rope))
        + AdapterSize.column(rank, heads * (nope + value))
        + AdapterSize.row(heads * value, hidden)
    )


def _experts(config: JsonObject) -> tuple[int, int]:
    """Routed experts of a sparse layer, and how many of them take a token; (0, 0) for a dense model."""
    for name in ("num_local_experts", "num_experts", "n_routed_experts"):
        experts = config.count(name) if config.values.get(name) != 0 else None
        if experts is not None and experts > 1:
            per_token = config.count("num_experts_per_tok") or config.needed_count("experts_per_token")
            if per_token > experts:
                raise config.bad("num_experts_per_tok", f"1 to {name}, which is {experts}")
            return experts, per_token
    return 0, 0


def _sparse_layers(config: JsonObject, layers: int) -> int:
    """Layers that have experts: all, but for the first few (DeepSeek) and all but every n-th (Qwen, Llama 4)."""
    dense_first = int(config.number("first_k_dense_replace") or 0)
    step = config.count("decoder_sparse_step") or config.count("interleave_moe_layer_step") or 1
    dense_only = {int(i) for i in config.items("mlp_only_layers") if isinstance(i, int)}
    sparse = [i for i in range(dense_first, layers) if (i + 1) % step == 0 and i not in dense_only]
    return len(sparse)


def _inner(config: JsonObject) -> int:
    return config.count("intermediate_size") or config.count("ffn_dim") or config.needed_count("intermediate_size")


def _dense_inner(config: JsonObject, dense_layers: int) -> int:
    """Inner width of the layers without experts; Llama 4 has one of its own for them."""
    if not dense_layers:
        return 0
    return config.count("intermediate_size_mlp") or _inner(config)


def _shared_inner(config: JsonObject) -> int:
    """Inner width of the experts that every token passes."""
    if (config.text("model_type") or "").startswith("llama4"):
        return _inner(config)
    shared = int(config.number("n_shared_experts") or 0) * (config.count("moe_intermediate_size") or 0)
    return shared or int(config.number("shared_expert_intermediate_size") or 0)


def _matrices(config: JsonObject) -> float:
    return 2.0 if (config.text("model_type") or "") in UNGATED else 3.0


def _tied(config: JsonObject, top: JsonObject) -> bool:
    said = config.flag("tie_word_embeddings")
    if said is not None:
        return said
    family = config.text("model_type") or top.text("model_type") or ""
    return family.startswith(TIED_BY_DEFAULT)
