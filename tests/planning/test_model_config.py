"""Shapes read from config.json: totals as the models' cards give them, caches by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.domain import catalog
from controlplane.domain.json_object import FieldError
from controlplane.planning.model_config import read_config
from controlplane.planning.model_shape import shape_of
from tests.planning import configs


@pytest.mark.parametrize(
    ("config", "total", "active"),
    [
        (configs.LLAMA_8B, 8.03e9, 8.03e9),
        (configs.LLAMA_70B, 70.6e9, 70.6e9),
        (configs.LLAMA_1B, 1.236e9, 1.236e9),  # the tied table counts once
        (configs.QWEN3_32B, 32.8e9, 32.8e9),
        (configs.MIXTRAL_8X7B, 46.7e9, 12.9e9),
        (configs.QWEN3_235B, 235e9, 22e9),
        (configs.DEEPSEEK_V3, 671e9, 37e9),
        (configs.GPT_OSS_120B, 117e9, 5.1e9),
        (configs.LLAMA4_SCOUT, 108e9, 16.1e9),  # the card adds the vision tower (109e9) and the input table (17e9)
        (configs.GEMMA3_27B, 27.0e9, 27.0e9),
    ],
    ids=lambda value: value.get("model_type") if isinstance(value, dict) else None,
)
def test_parameters_are_those_of_the_models_card(config: dict[str, object], total: float, active: float) -> None:
    shape = read_config(config, "m")
    assert shape.parameters == pytest.approx(total, rel=0.006)
    assert shape.active_parameters == pytest.approx(active, rel=0.025)


@pytest.mark.parametrize(
    ("config", "context", "gpus", "bytes_per_token"),
    [
        # 2 (key, value) * 32 layers * 8 heads * 128 * 2 bytes
        (configs.LLAMA_8B, 1200, 1, 2 * 32 * 8 * 128 * 2),
        # with 16 ranks each of the 8 heads has two copies
        (configs.LLAMA_8B, 1200, 16, 2 * 32 * 16 * 128 * 2),
        # latent attention: 512 + 64 per layer, whole on every rank
        (configs.DEEPSEEK_V3, 1200, 1, 61 * 576 * 2),
        (configs.DEEPSEEK_V3, 1200, 8, 61 * 576 * 2 * 8),
        # 18 full layers, and 18 that keep 128 of 1,280 tokens: a tenth
        (configs.GPT_OSS_120B, 1280, 1, 2 * 8 * 64 * 2 * (18 + 1.8)),
        # every sixth of 62 layers is full; the rest keep 1,024 of 2,048 tokens
        (configs.GEMMA3_27B, 2048, 1, 2 * 16 * 128 * 2 * (10 + 52 / 2)),
        # below the window nothing is saved
        (configs.GEMMA3_27B, 512, 1, 2 * 16 * 128 * 2 * 62),
    ],
)
def test_cache_per_token(config: dict[str, object], context: int, gpus: int, bytes_per_token: float) -> None:
    shape = read_config(config, "m")
    assert shape.kv_bytes_per_token(context, gpus) == pytest.approx(bytes_per_token)
    assert shape.model(context, gpus).kv_bytes_per_token == pytest.approx(bytes_per_token)


@pytest.mark.parametrize(
    ("quantization", "name", "gigabytes"),
    [
        (None, "bf16", 2 * 70.55),
        ({"quant_method": "fp8"}, "fp8", 68.45 + 2 * 2.1),
        # 4 bits, and per 128 weights a scale of 16 and a zero point of 4
        ({"quant_method": "awq", "bits": 4, "group_size": 128}, "awq int4", 68.45 * 4.15625 / 8 + 2 * 2.1),
        ({"quant_method": "gptq", "bits": 8, "group_size": -1}, "gptq int8", 68.45 + 2 * 2.1),
        (
            {
                "quant_method": "compressed-tensors",
                "config_groups": {"group_0": {"weights": {"num_bits": 4, "type": "int", "group_size": 32}}},
                "ignore": ["lm_head", "re:.*self_attn.*"],
            },
            "int4",
            # attention (80 layers of 8192*128*144) stays in BF16
            (68.45 - 12.08) * 4.5 / 8 + 2 * (2.1 + 12.08),
        ),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "nvfp4", 68.45 * 4.5 / 8 + 2 * 2.1),
    ],
)
def test_quantised_weights(quantization: dict[str, object] | None, name: str, gigabytes: float) -> None:
    shape = read_config(configs.LLAMA_70B | {"quantization_config": quantization}, "m")
    assert shape.weight_format == name
    assert shape.weight_bytes / 1e9 == pytest.approx(gigabytes, rel=0.002)


def test_gpt_oss_has_its_published_checkpoint_size() -> None:
    assert read_config(configs.GPT_OSS_120B, "m").weight_bytes / 1e9 == pytest.approx(65.2, rel=0.01)


def test_an_fp8_cache_of_the_checkpoint_is_followed() -> None:
    scheme = {"quant_method": "fp8", "kv_cache_scheme": {"num_bits": 8, "type": "float"}}
    assert read_config(configs.LLAMA_8B | {"quantization_config": scheme}, "m").kv_bytes_per_token(1, 1) == 65536


def test_qwens_window_is_used_only_where_it_is_switched_on() -> None:
    off = read_config(configs.QWEN3_32B | {"sliding_window": 4096}, "m")
    on = read_config(configs.QWEN3_32B | {"sliding_window": 4096, "use_sliding_window": True}, "m")
    assert [group.window_tokens for group in off.kv] == [None]
    assert [group.window_tokens for group in on.kv] == [4096]


def test_a_model_of_the_catalog_and_its_config_agree() -> None:
    known, read = shape_of(catalog.model("llama-3.1-8b")), read_config(configs.LLAMA_8B, "m")
    assert read.weight_bytes == pytest.approx(known.weight_bytes, rel=0.001)
    assert read.kv_bytes_per_token(1200, 1) == known.kv_bytes_per_token(1200, 1)


def test_a_vision_tower_is_left_out_and_said() -> None:
    assert read_config(configs.GEMMA3_27B, "m").notes == ("the vision tower's weights are not counted",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_size": None}, "hidden_size is absent; allowed: an integer of 1 or more"),
        ({"num_hidden_layers": "32"}, "num_hidden_layers is '32'; allowed: an integer of 1 or more"),
        ({"torch_dtype": "int3"}, "torch_dtype is 'int3'; allowed: bfloat16"),
        ({"quantization_config": {"quant_method": "magic"}}, "quant_method is 'magic'; allowed: fp8"),
        ({"layer_types": ["full_attention"]}, "layer_types has 1 entries; allowed: one per layer"),
        ({"layer_types": ["linear_attention"] * 32}, "layer_types has 'linear_attention'; allowed: full_attention"),
        ({"mamba_d_state": 128}, "mamba_d_state is 128; allowed: absent"),
        ({"num_local_experts": 8, "num_experts_per_tok": 9}, "num_experts_per_tok is 9; allowed: 1 to"),
        ({"is_encoder_decoder": True}, "allowed: false"),
    ],
)
def test_what_cannot_be_read_is_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(FieldError) as error:
        read_config(configs.LLAMA_8B | change, "m")
    assert "config.json of m" in str(error.value)
    assert message in str(error.value)


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 10**6),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(0, 9), max_size=3),
    st.dictionaries(st.sampled_from(["quant_method", "bits", "config_groups", "x"]), st.integers(0, 9), max_size=2),
)
DOCUMENTS = [configs.LLAMA_8B, configs.DEEPSEEK_V3, configs.GPT_OSS_120B, configs.LLAMA4_SCOUT]


@given(st.data())
def test_whatever_a_field_holds_it_is_read_or_named(data: st.DataObject) -> None:
    document = data.draw(st.sampled_from(DOCUMENTS))
    field = data.draw(st.sampled_from([*document, "quantization_config", "sliding_window", "head_dim"]))
    try:
        shape = read_config(document | {field: data.draw(ODD)}, "m")
    except FieldError:
        return
    assert shape.parameters >= shape.active_parameters > 0
    assert shape.weight_bytes > 0
    assert shape.kv_bytes_per_token(1000, 1) > 0


def test_a_config_that_is_no_object_is_refused() -> None:
    with pytest.raises(FieldError, match=r"config.json of m is \[1, 2\]; allowed: a JSON object"):
        read_config([1, 2], "m")


@given(st.integers(1, 200_000), st.sampled_from([1, 2, 4, 8, 16]))
def test_a_longer_context_never_costs_more_cache_per_token(context: int, gpus: int) -> None:
    shape = read_config(configs.GPT_OSS_120B, "m")
    assert shape.kv_bytes_per_token(context + 1, gpus) <= shape.kv_bytes_per_token(context, gpus) * (1 + 1e-12)
    assert shape.kv_bytes_per_token(context, gpus * 2) >= shape.kv_bytes_per_token(context, gpus)


def test_a_model_brought_along_is_known_within_its_block_alone() -> None:
    brought = read_config(configs.DEEPSEEK_V3, "mine").model(1200, 8)
    with catalog.also(brought):
        assert catalog.model("mine") is brought
        assert catalog.model("llama-3.1-8b").name == "llama-3.1-8b"
    with pytest.raises(catalog.UnknownName):
        catalog.model("mine")
