"""What fits where: memory by hand, prices by hand, and laws that hold for any model."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.domain import catalog
from controlplane.domain.target import Slo
from controlplane.planning.fit_report import FitRow, Workload, best_widths, fit_rows, idle_ttft_s, mean_tpot_s
from controlplane.planning.model_config import read_config
from controlplane.planning.roofline import StepCost
from tests.planning import configs

CHAT = Workload(1000, 200)
SLO = Slo(2.0, 0.1)


def rows(
    config: dict[str, object],
    names: tuple[str, ...],
    widths: tuple[int, ...],
    workload: Workload = CHAT,
    slo: Slo = SLO,
) -> tuple[FitRow, ...]:
    gpus = [catalog.accelerator(name) for name in names]
    return fit_rows(read_config(config, "m"), gpus, widths, workload, slo)


def test_an_8b_on_one_h100() -> None:
    (row,) = rows(configs.LLAMA_8B, ("H100",), (1,))
    assert row.fits
    assert row.cheapest
    assert row.weight_bytes == pytest.approx(16.06e9, rel=0.001)
    # 0.9 * 80 GiB - 2 GiB - 16.06 GB leave 59.1 GB; a token takes 131,072 bytes.
    assert row.kv_tokens == pytest.approx(59.1e9 / 131072, rel=0.001)
    assert row.sequences == 256
    assert row.requests_per_s is not None
    usd_per_million = 4.0 / 3600 / (row.requests_per_s * 200) * 1e6
    assert row.usd_per_million_output == pytest.approx(usd_per_million)
    assert row.usd_per_million_tokens == pytest.approx(usd_per_million / 6)
    assert row.tpot_s is not None
    assert row.tpot_s <= SLO.tpot_s


def test_idle_ttft_and_mean_tpot_by_hand() -> None:
    cost = StepCost(0.008, 40e-6, 50e-6, 50e-9)
    # 5,000 tokens are three chunks of 2,048
    assert idle_ttft_s(cost, 5000) == pytest.approx(3 * 0.008 + 0.2)
    # S = 0.04 + 0.01 + 50e-9 * 200 * 1100 = 0.061; 8 / (1 - 10 * 0.061) = 20.5 ms
    assert mean_tpot_s(cost, CHAT, 10.0) == pytest.approx(0.008 / 0.39)
    assert mean_tpot_s(cost, CHAT, 20.0) is None


@pytest.mark.parametrize(
    ("config", "gpu", "width", "workload", "slo", "why"),
    [
        (configs.LLAMA_70B, "H100", 1, CHAT, SLO, "needs 141 GB for its weights; 1 x H100 leave 75 GB"),
        (configs.LLAMA4_SCOUT, "H200", 3, CHAT, SLO, "40 attention heads do not divide by 3"),
        (
            configs.MIXTRAL_8X7B,
            "H200",
            1,
            Workload(32000, 1000),
            SLO,
            "ISL + OSL is 33000; the model's context is 32768",
        ),
        (
            configs.LLAMA_8B,
            "L4",
            1,
            Workload(50000, 100),
            SLO,
            "the KV cache holds 38032 tokens; one request has 50100",
        ),
        (
            configs.LLAMA_8B,
            "H100",
            1,
            Workload(30000, 100),
            Slo(0.5, 0.1),
            "s on an idle replica; the TTFT limit is 0.5 s",
        ),
        (configs.LLAMA_70B, "A100-80", 4, CHAT, Slo(2.0, 0.01), "ms; the TPOT limit is 10 ms"),
    ],
)
def test_what_stands_against_it_is_said(
    config: dict[str, object], gpu: str, width: int, workload: Workload, slo: Slo, why: str
) -> None:
    (row,) = rows(config, (gpu,), (width,), workload, slo)
    assert row.why is not None
    assert why in row.why
    assert row.requests_per_s is None
    assert not row.cheapest


def test_a_mixture_of_experts_stores_all_and_multiplies_few() -> None:
    (row,) = rows(configs.DEEPSEEK_V3, ("H200",), (8,))
    # 36.6e9 active parameters, 2 FLOPs each, at 8 * 989 TFLOP/s: 1,000 tokens are 21 ms beside the pass over 673 GB.
    assert row.weight_bytes == pytest.approx(673e9, rel=0.001)
    assert row.ttft_s == pytest.approx(0.046, abs=0.02)


def test_the_cheapest_is_one_and_really_is() -> None:
    found = rows(configs.LLAMA_8B, ("L4", "L40S", "H100", "B200"), (1, 2, 4, 8))
    marked = [row for row in found if row.cheapest]
    priced = [row.usd_per_million_tokens for row in found if row.usd_per_million_tokens is not None]
    assert len(marked) == 1
    assert marked[0].usd_per_million_tokens == min(priced)


def test_each_accelerator_at_its_best_width_cheapest_first() -> None:
    found = best_widths(rows(configs.LLAMA_70B, ("L4", "H100", "H200"), (1, 2, 4, 8)))
    assert sorted(row.accelerator for row in found) == ["H100", "H200", "L4"]
    assert found[0].cheapest
    assert found[-1].accelerator == "L4"
    prices = [row.usd_per_million_tokens for row in found if row.usd_per_million_tokens is not None]
    assert prices == sorted(prices)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(list(catalog.ACCELERATORS)),
    st.sampled_from([configs.LLAMA_8B, configs.GPT_OSS_120B, configs.DEEPSEEK_V3, configs.GEMMA3_27B]),
    st.integers(1, 20_000),
    st.integers(1, 4_000),
)
def test_twice_the_gpus_never_hold_less(gpu: str, config: dict[str, object], isl: int, osl: int) -> None:
    narrow, wide = rows(config, (gpu,), (4, 8), Workload(isl, osl))
    if narrow.fits:
        assert wide.fits
        assert (wide.kv_tokens or 0) >= (narrow.kv_tokens or 0)
    for row in (narrow, wide):
        assert (row.requests_per_s is None) == (row.usd_per_million_tokens is None)
        assert row.fits or row.why
