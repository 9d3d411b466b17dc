"""What slots for LoRA adapters take of a replica, by hand from vLLM's shapes, and laws for any model."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.domain import catalog
from controlplane.domain.target import Slo
from controlplane.planning.fit_report import FitRow, Workload, fit_rows
from controlplane.planning.lora_slots import RANKS, STEP_SHARE, LoraError, LoraSlots
from controlplane.planning.model_config import read_config
from controlplane.planning.model_shape import AdapterSize, ModelShape, shape_of
from controlplane.planning.roofline import StepCost
from tests.planning import configs

CHAT, SLO = Workload(1000, 200), Slo(2.0, 0.1)
LLAMA_TABLES = 2 * (128256 + 4096)


def row(shape: ModelShape, lora: LoraSlots | None, gpu: str = "H100", gpus: int = 1) -> FitRow:
    (found,) = fit_rows(shape, [catalog.accelerator(gpu)], [gpus], CHAT, SLO, lora)
    return found


def test_an_adapter_of_an_8b_by_hand() -> None:
    """Rank 16 on all linear layers of Llama-3.1-8B is 41,943,040 parameters, as PEFT counts them; and the tables."""
    shape = read_config(configs.LLAMA_8B, "m")
    assert shape.adapter is not None
    assert 16 * (shape.adapter.elements(1) - LLAMA_TABLES) == 41_943_040
    assert LoraSlots(4, 16).bytes(shape, 1) == 4 * 2 * (41_943_040 + 16 * LLAMA_TABLES)


def test_two_gpus_hold_the_unsplit_parts_twice() -> None:
    """Of a layer: A of q, k, v, gate and up, and B of o and down (7 x 4096) whole; the rest is split."""
    shape = read_config(configs.LLAMA_8B, "m")
    assert shape.adapter is not None
    assert shape.adapter.whole == 32 * 7 * 4096 + LLAMA_TABLES
    assert shape.adapter.split == 32 * (4096 + 2 * 1024 + 4096 + 3 * 14336)
    assert shape.adapter.elements(2) == 2 * shape.adapter.whole + shape.adapter.split


def test_every_expert_has_an_adapter_and_a_token_passes_few() -> None:
    """Mixtral: 8 experts a layer of three matrices of 4096 x 14336, of which a token passes two."""
    shape = read_config(configs.MIXTRAL_8X7B, "m")
    assert shape.adapter is not None
    assert shape.active_adapter is not None
    expert = 3 * (4096 + 14336)
    assert shape.adapter.elements(1) - shape.active_adapter.elements(1) == 32 * 6 * expert


def test_latent_attention_by_hand() -> None:
    """DeepSeek-V3: the compressions are whole on every rank, what they are widened to is split over heads."""
    shape = read_config(configs.DEEPSEEK_V3, "m")
    assert shape.active_adapter is not None
    hidden, heads, layers = 7168, 128, 61
    first = 2 * hidden + 1536 + 576
    wide = (1536 + heads * 192) + (512 + heads * 256) + (heads * 128 + hidden)
    dense, sparse = 3 * (3 * (hidden + 18432)), 58 * 9 * (3 * (hidden + 2048))
    assert shape.active_adapter.elements(1) == layers * (first + wide) + dense + sparse + 2 * (129280 + hidden)


def test_the_catalog_and_the_config_agree() -> None:
    known, read = shape_of(catalog.model("llama-3.1-8b")), read_config(configs.LLAMA_8B, "m")
    assert (known.adapter, known.active_adapter) == (read.adapter, read.active_adapter)
    assert all(shape_of(model).adapter is not None for model in catalog.MODELS.values())


def test_the_cache_loses_what_the_slots_take() -> None:
    shape = read_config(configs.LLAMA_8B, "m")
    free, full = row(shape, None), row(shape, LoraSlots(8, 64))
    assert full.weight_bytes == free.weight_bytes
    assert full.lora_bytes == LoraSlots(8, 64).bytes(shape, 1)
    assert free.kv_tokens is not None
    assert full.kv_tokens is not None
    assert (free.kv_tokens - full.kv_tokens) * 131072 == pytest.approx(full.lora_bytes, abs=16 * 131072)
    assert row(shape, LoraSlots(8, 512), "L4").why == (
        "m needs 40 GB for its weights; 1 x L4 leave 21 GB; 23.6 GB of the need are LoRA slots"
    )


def test_steps_by_hand() -> None:
    """Rank 16 adds 46.2 M parameters to 8.03 B: 0.6 % of the arithmetic beside the kernels' 13 %."""
    shape = read_config(configs.LLAMA_8B, "m")
    a, b, c, d = LoraSlots(4, 16).factors(shape)
    assert (a, c, d) == (1.0 + STEP_SHARE, b, 1.0)
    assert b == pytest.approx(1.13 + (41.94e6 + 16 * LLAMA_TABLES) / 8.03e9, abs=1e-5)
    slowed = LoraSlots(4, 16).slowed(StepCost(0.01, 1e-5, 2e-5, 1e-8, 1e-12), shape)
    assert slowed == StepCost(0.01 * a, 1e-5 * b, 2e-5 * b, 1e-8, 1e-12 * b)


def test_what_vllm_would_refuse_is_refused() -> None:
    with pytest.raises(LoraError, match="--max-loras is 0; allowed: an integer of 1 or more"):
        LoraSlots(0, 16)
    with pytest.raises(LoraError, match="--lora-rank is 24; allowed: 1, 8, 16"):
        LoraSlots(1, 24)
    with pytest.raises(LoraError, match="the size of its adapters is not known"):
        row(replace(shape_of(catalog.model("qwen3-8b")), adapter=None), LoraSlots())


models = st.sampled_from(
    [configs.LLAMA_8B, configs.QWEN3_32B, configs.MIXTRAL_8X7B, configs.GPT_OSS_120B, configs.DEEPSEEK_V3]
)


@settings(max_examples=40, deadline=None)
@given(
    models, st.integers(1, 16), st.sampled_from(RANKS), st.sampled_from([1, 2, 4, 8]), st.sampled_from(["H100", "B200"])
)
def test_slots_never_help(config: dict[str, object], slots: int, rank: int, gpus: int, gpu: str) -> None:
    shape = read_config(config, "m")
    free, one, more = (
        row(shape, lora, gpu, gpus) for lora in (None, LoraSlots(slots, rank), LoraSlots(slots + 1, rank))
    )
    for before, after in ((free, one), (one, more)):
        assert before.fits >= after.fits
        assert (before.kv_tokens or 0) >= (after.kv_tokens or 0)
        assert (before.requests_per_s or 0.0) >= (after.requests_per_s or 0.0) * 0.999
    assert more.lora_bytes == pytest.approx((one.lora_bytes or 0.0) * (slots + 1) / slots)


@given(st.floats(1, 1e5), st.floats(1, 1e5), st.integers(1, 64))
def test_splitting_saves_at_most_all_but_one_share(inputs: float, outputs: float, gpus: int) -> None:
    for size in (AdapterSize.column(inputs, outputs), AdapterSize.row(inputs, outputs)):
        assert size.elements(1) == pytest.approx(inputs + outputs)
        assert size.elements(1) <= size.elements(gpus) * 1.000001
        assert size.elements(gpus) / gpus <= size.elements(1) * 1.000001
