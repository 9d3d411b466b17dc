"""The shape of a model as it is served: what it stores, what a token passes through and leaves in the cache."""

from __future__ import annotations

from dataclasses import dataclass

from controlplane.domain.catalog import Model


@dataclass(frozen=True, slots=True)
class KvLayers:
    """Layers whose caches are alike. `heads` are what tensor parallelism can split: the KV heads, or 1 for a latent
    cache (MLA), which every rank holds whole. `window_tokens` None: the whole context is kept."""

    layers: int
    heads: int
    elements_per_head: int
    window_tokens: int | None = None

    def elements(self, context_tokens: float, gpus: int) -> float:
        """Elements that a context of that length holds on all ranks together: with more ranks than heads, each head
        has copies."""
        kept = context_tokens if self.window_tokens is None else min(context_tokens, float(self.window_tokens))
        return self.layers * max(self.heads, gpus) * self.elements_per_head * kept


@dataclass(frozen=True, slots=True)
class AdapterSize:
    """Elements of one LoRA adapter on all that vLLM puts one on, for each unit of its rank.

    A layer of `inputs x outputs` has an A of `rank x inputs` and a B of `outputs x rank`. Under tensor parallelism
    vLLM splits B where the layer's outputs are split and A where its inputs are, and holds the other whole on every
    rank (`vllm/lora/layers`, without `--fully-sharded-loras`).
    """

    whole: float = 0.0
    """On every GPU."""
    split: float = 0.0
    """On all GPUs together."""

    @classmethod
    def column(cls, inputs: float, *outputs: float) -> AdapterSize:
        """Of layers whose outputs are split, each with an A of its own: query, key and value; gate and up."""
        return cls(inputs * len(outputs), sum(outputs))

    @classmethod
    def row(cls, inputs: float, outputs: float) -> AdapterSize:
        """Of a layer whose inputs are split: after attention, and down."""
        return cls(outputs, inputs)

    def __add__(self, other: AdapterSize) -> AdapterSize:
        return AdapterSize(self.whole + other.whole, self.split + other.split)

    def __mul__(self, times: float) -> AdapterSize:
        return AdapterSize(self.whole * times, self.split * times)

    def elements(self, gpus: int) -> float:
        """On `gpus` ranks together."""
        return self.whole * gpus + self.split


@dataclass(frozen=True, slots=True)
class ModelShape:
    """A decoder-only transformer. Parameters are counted from shapes; norms and biases (under 0.1 %) are left out.

    `active_parameters` are those of one token: for a mixture of experts without the other experts and without the
    table of input embeddings, as the models' cards count them; for a dense model all. `notes` are for a person.
    """

    name: str
    layers: int
    hidden_size: int
    attention_heads: int
    kv_heads: int
    head_dim: int
    max_context_tokens: int
    parameters: float
    active_parameters: float
    weight_bytes: float
    weight_format: str
    kv: tuple[KvLayers, ...]
    kv_bytes_per_element: float = 2.0
    notes: tuple[str, ...] = ()
    adapter: AdapterSize | None = None
    """None: not known."""
    active_adapter: AdapterSize | None = None
    """The part of it that a token passes."""

    def kv_bytes_per_token(self, context_tokens: float, gpus: int) -> float:
        """Bytes of cache per token of a context of `context_tokens`, on all `gpus` ranks together.

        Sliding windows make it fall with the context's length.
        """
        elements = sum(group.elements(context_tokens, gpus) for group in self.kv)
        return elements * self.kv_bytes_per_element / context_tokens

    def model(self, context_tokens: float, gpus: int) -> Model:
        """As the planner's formulas take it, at that context and tensor-parallel width."""
        return Model(
            name=self.name,
            parameters=self.active_parameters,
            layers=self.layers,
            hidden_size=self.hidden_size,
            attention_heads=self.attention_heads,
            kv_heads=self.kv_heads,
            head_dim=self.head_dim,
            max_context_tokens=self.max_context_tokens,
            kv_bytes_per_element=self.kv_bytes_per_element,
            stored_weight_bytes=self.weight_bytes,
            cached_bytes_per_token=self.kv_bytes_per_token(context_tokens, gpus),
        )


def shape_of(model: Model) -> ModelShape:
    """The shape of a model of the catalog."""
    formats = {1.0: "fp8", 2.0: "bf16"}
    bytes_per_param = model.weight_bytes_per_param
    return ModelShape(
        name=model.name,
        layers=model.layers,
        hidden_size=model.hidden_size,
        attention_heads=model.attention_heads,
        kv_heads=model.kv_heads,
        head_dim=model.head_dim,
        max_context_tokens=model.max_context_tokens,
        parameters=model.parameters,
        active_parameters=model.parameters,
        weight_bytes=model.weight_bytes,
        weight_format=formats.get(bytes_per_param, f"{8.0 * bytes_per_param:g} bits"),
        kv=(KvLayers(model.layers, model.kv_heads, 2 * model.head_dim),),
        kv_bytes_per_element=model.kv_bytes_per_element,
        adapter=_adapter(model),
        active_adapter=_adapter(model),
    )


def attention_adapter(hidden: float, queries: float, keys: float) -> AdapterSize:
    """Of a layer's query, key, value and output projections, by their widths."""
    return AdapterSize.column(hidden, queries, keys, keys) + AdapterSize.row(queries, hidden)


def mlp_adapter(hidden: float, inner: float, gated: bool = True) -> AdapterSize:
    """Of a layer's feed-forward part."""
    return AdapterSize.column(hidden, *([inner] * (2 if gated else 1))) + AdapterSize.row(inner, hidden)


def table_adapter(vocabulary: float, hidden: float) -> AdapterSize:
    """Of the embeddings and the output head, whole on every GPU. Some models (Gemma) take none there, and get a little
    more cache than is said."""
    return AdapterSize(whole=2.0 * (vocabulary + hidden))


def _adapter(model: Model) -> AdapterSize | None:
    """Of a dense model."""
    if model.intermediate_size is None or model.vocab_size is None:
        return None
    heads = attention_adapter(
        model.hidden_size, model.attention_heads * model.head_dim, model.kv_heads * model.head_dim
    )
    layer = heads + mlp_adapter(model.hidden_size, model.intermediate_size)
    return layer * model.layers + table_adapter(model.vocab_size, model.hidden_size)
