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
    )
