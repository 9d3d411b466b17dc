"""What room for LoRA adapters costs a replica: memory that the KV cache does not get, and longer steps.

vLLM allocates the slots once, empty or not, as part of loading the model: for `--max-loras` adapters of
`--max-lora-rank` each, on every linear layer, the experts and the embeddings (`vllm/lora/layers/*.py`,
`create_lora_weights`), in the type that the model computes in. So an adapter of a lower rank takes as much.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from controlplane.domain.catalog import Model
from controlplane.planning.model_shape import AdapterSize, ModelShape
from controlplane.planning.roofline import StepCost

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""That vLLM takes for `--max-lora-rank` (`vllm/config/lora.py`)."""
DEFAULT_SLOTS = 1
DEFAULT_RANK = 16
"""vLLM's own."""
ELEMENT_BYTES = 2.0
"""`--lora-dtype auto` is the type that the model computes in: 16 bits, also where weights are stored in fewer."""
STEP_SHARE = 0.13
"""By which the kernels of a slot or more lengthen a step, at any rank: vLLM 0.25 with a 7B model and one adapter of
rank 8 has a TPOT 12.6 % higher and makes 11.4 % fewer tokens (vllm-project/vllm#48887); SGLang on Ascend with an 8B
model and rank 32 one 15 % higher (sgl-project/sglang#15912); Punica 2 ms a token (arXiv:2310.18547). Kernels of 2024
cost a third of the throughput (vllm-project/vllm#11267). A replica's own steps are learned as it runs."""


class LoraError(ValueError):
    """Slots or a rank that cannot be; the message names the value and what is allowed."""


@dataclass(frozen=True, slots=True)
class LoraSlots:
    """As `vllm serve --enable-lora --max-loras SLOTS --max-lora-rank RANK`.

    Raises:
        LoraError: if vLLM would not take them.
    """

    slots: int = DEFAULT_SLOTS
    rank: int = DEFAULT_RANK

    def __post_init__(self) -> None:
        if self.slots < 1:
            raise LoraError(f"--max-loras is {self.slots}; allowed: an integer of 1 or more")
        if self.rank not in RANKS:
            raise LoraError(f"--lora-rank is {self.rank}; allowed: {', '.join(map(str, RANKS))}")

    def bytes(self, shape: ModelShape, gpus: int) -> float:
        """`slots * rank * 2` for each element of an adapter of rank 1, on `gpus` ranks together."""
        return self.slots * self.rank * ELEMENT_BYTES * _known(shape, shape.adapter).elements(gpus)

    def held(self, shape: ModelShape, model: Model, gpus: int) -> Model:
        """`model` with the slots among its weights: they leave the cache less, and a batch that uses all of them reads
        them in every step."""
        return replace(model, stored_weight_bytes=model.weight_bytes + self.bytes(shape, gpus))

    def factors(self, shape: ModelShape) -> tuple[float, float, float, float]:
        """On a step's a, b, c and d: the kernels on all but the reading of the cache, and on what is counted by tokens
        the adapter's own arithmetic too, 2 operations an element."""
        active = _known(shape, shape.active_adapter).elements(1)
        token = 1.0 + STEP_SHARE + self.rank * active / shape.active_parameters
        return 1.0 + STEP_SHARE, token, token, 1.0

    def slowed(self, cost: StepCost, shape: ModelShape) -> StepCost:
        """`cost` with those factors, as the planner puts learned ones on it."""
        return cost.times(*self.factors(shape))


def _known(shape: ModelShape, size: AdapterSize | None) -> AdapterSize:
    if size is None:
        raise LoraError(f"--max-loras with {shape.name}: the size of its adapters is not known; allowed: a config.json")
    return size
