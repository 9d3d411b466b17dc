"""Scenarios, traces, generated days and backtests."""

from __future__ import annotations

import gzip
import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.domain import catalog
from controlplane.planning.roofline import DoesNotFit, kv_capacity_tokens, prior
from controlplane.simulation.backtest import backtest, play
from controlplane.simulation.policies import StaticPolicy, policy_named
from controlplane.simulation.scenario import ScenarioError, load_scenario, parse_scenario, shipped
from controlplane.simulation.traffic import (
    Arrivals,
    DayShape,
    GeneratedTraffic,
    Trace,
    TraceError,
    TraceTraffic,
    read_trace,
)

REAL_TRACE = Path(__file__).resolve().parents[3] / "shared" / "traces" / "azure2023_conv.csv.gz"
DAY = GeneratedTraffic(DayShape(5.0, 1000, 200), 7, "default/chat")


def rows(arrivals: Arrivals) -> list[tuple[float, ...]]:
    return list(zip(*arrivals.columns, strict=True))


def trace(requests: int = 600, seconds: float = 300.0) -> Trace:
    random = np.random.default_rng(1)
    at_s = np.sort(random.random(requests)) * seconds
    return Trace(at_s - at_s[0], random.integers(1, 800, requests), random.integers(1, 200, requests))


@pytest.mark.parametrize("name", ["chat-8b", "demo"])
def test_shipped_scenarios_are_whole(name: str) -> None:
    scenario = load_scenario(name)
    assert name in shipped()
    assert {w.target.key for w in scenario.workloads} == {t.key for t in scenario.targets}


def test_true_costs_differ_from_the_prior_by_at_most_the_stated_error() -> None:
    ratios = []
    for workload in load_scenario("demo").workloads:
        variant = workload.variant
        cost = prior(
            catalog.model(workload.target.model), catalog.accelerator(variant.accelerator), variant.gpus_per_replica
        )
        ratios += [
            workload.cost.a_s / cost.a_s,
            workload.cost.b_s_per_token / cost.b_s_per_token,
            workload.cost.d_s_per_token / cost.d_s_per_token,
        ]
    assert all(0.7 <= ratio <= 1.3 for ratio in ratios)
    assert max(ratios) - min(ratios) > 0.2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("name: chat-8b", "nam: chat-8b"), "name: Field required"),
        (("coefficientError: 0.3", "coefficientError: 3"), "coefficientError"),
        (("accelerator: H100", "accelerator: H1000"), "accelerator 'H1000' is not in the catalog"),
        (("default/chat-h100:", "default/chat-h200:"), "workloads has no default/chat-h100"),
        (("{H100: 24", "{H1000: 24"), "inventory has 'H1000'"),
        (("{H100: 24", "{H100: -1"), "inventory.H100 is -1"),
        (("default/chat: {mean", "default/chta: {mean"), "traffic has 'default/chta'"),
        (("name: chat-8b", "name: [chat"), "is not YAML"),
    ],
)
def test_a_wrong_scenario_is_refused_by_its_field(change: tuple[str, str], said: str) -> None:
    path = Path(load_scenario.__globals__["_shipped_dir"]() / "chat-8b.yaml")
    text = path.read_text().replace(*change, 1)
    with pytest.raises(ScenarioError, match=said.replace("[", r"\[")):
        parse_scenario(text, "test")


def test_an_unknown_scenario_lists_those_that_there_are() -> None:
    with pytest.raises(ScenarioError, match=r"'nope'; allowed: chat-8b, demo"):
        load_scenario("nope")


def test_traces_are_read_plain_and_compressed(tmp_path: Path) -> None:
    text = "arrival_s,input_tokens,output_tokens,model\n5.0,10,0,x\n2.0,20,7,x\n"
    (tmp_path / "a.csv").write_text(text)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text.encode()))
    for name in ("a.csv", "a.csv.gz"):
        read = read_trace(tmp_path / name)
        assert read.at_s.tolist() == [0.0, 3.0]
        assert (read.input_tokens.tolist(), read.output_tokens.tolist()) == ([20, 10], [7, 1])


@pytest.mark.parametrize(
    "text",
    [
        "arrival_s,input_tokens,output_tokens,prefix_cached_tokens\n1,10,3,8\n0,20,0,\n",
        'output_tokens,"note",input_tokens,prefix_cached_tokens,arrival_s\n3,"a, b",10,8,1\n\n0,"",20,0,0\n',
        "arrival_s,input_tokens,output_tokens,prefix_cached_tokens\r\n1_0,10,3,8\r\n9,20,-5,0\r\n",
    ],
)
def test_numbers_are_the_same_however_they_are_written(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.csv").write_text(text, newline="")
    read = read_trace(tmp_path / "t.csv")
    columns = (read.at_s, read.input_tokens, read.output_tokens, read.cached_tokens)
    assert [c.tolist() for c in columns if c is not None] == [[0.0, 1.0], [20, 10], [1, 3], [0, 8]]


@settings(max_examples=25, deadline=None)
@given(st.floats(0.2, 4.0), st.floats(0, 250), st.floats(5, 400))
def test_a_window_of_a_scaled_trace_needs_no_whole_one(rate: float, from_s: float, length_s: float) -> None:
    part, whole = trace().scaled_window(rate, from_s, length_s), trace().scaled(rate).window(from_s, length_s)
    assert part.at_s.tolist() == whole.at_s.tolist()
    assert part.output_tokens.tolist() == whole.output_tokens.tolist()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("arrival_s,input_tokens\n1,2\n", "has no column output_tokens"),
        ("arrival_s,input_tokens,output_tokens\n1,2,3\n1,x,3\n", r"line 3: input_tokens is 'x'"),
        ("arrival_s,input_tokens,output_tokens\n-1,2,3\n", r"line 2: arrival_s is '-1'"),
        ("arrival_s,input_tokens,output_tokens\n", "has no requests"),
    ],
)
def test_a_wrong_trace_is_refused_by_line_and_column(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(TraceError, match=said):
        read_trace(path)


def test_a_trace_that_is_not_there_or_not_gzip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv.gz").write_text("no gzip")
    for name in ("none.csv", "x.csv.gz"):
        with pytest.raises(TraceError, match="cannot be read"):
            read_trace(tmp_path / name)


@pytest.mark.parametrize(("rate", "requests"), [(1.0, 600), (4.0, 2400), (0.5, 300), (2.5, 1500)])
def test_rate_scale_superposes_shifted_copies(rate: float, requests: int) -> None:
    scaled = trace().scaled(rate)
    assert len(scaled) == requests
    assert scaled.at_s.tolist() == sorted(scaled.at_s.tolist())
    assert scaled.duration_s <= trace().duration_s + 1e-6


def test_copies_within_seconds_come_in_clumps() -> None:
    near = replace(trace(), copies_within_s=0.5).scaled(8.0)
    counts = [np.histogram(one.at_s, np.arange(0.0, 300.0, 2.0))[0] for one in (near, trace().scaled(8.0))]
    assert len(near) == 8 * 600
    assert counts[0].std() > 2.0 * counts[1].std(), "as many requests, in clumps of eight"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 900), max_size=8), st.booleans())
def test_slices_of_a_trace_lose_and_double_nothing(cuts: list[float], repeat: bool) -> None:
    traffic = TraceTraffic(trace(), 1000.0, repeat)
    edges = [1000.0, *sorted(1000.0 + c for c in cuts), 1900.0]
    pieces = [a for low, high in itertools.pairwise(edges) for a in rows(traffic.arrivals(low, high))]
    assert pieces == rows(traffic.arrivals(1000.0, 1900.0))
    assert len(pieces) > 600 if repeat else len(pieces) == 600


def test_a_generated_day_can_be_taken_up_anywhere() -> None:
    start_s = 1_767_600_000.0
    whole = rows(DAY.arrivals(start_s, start_s + 600.0))
    pieces = [a for k in range(20) for a in rows(DAY.arrivals(start_s + 30.0 * k, start_s + 30.0 * (k + 1)))]
    assert pieces == whole
    assert len(whole) == pytest.approx(600 * DAY.rate_rps(start_s), rel=0.3)


def test_a_generated_day_has_a_quiet_night_a_step_and_bursts() -> None:
    midnight = 1_767_571_200.0
    rates = [DAY.rate_rps(midnight + 60.0 * m) for m in range(1440)]
    assert max(rates[180:240]) < 0.3 * min(rates[780:830])
    assert min(rates[600:720]) > 1.3 * np.median(rates[540:595])
    bursts = [
        DAY.rate_rps(midnight + 86_400 * d + 60.0 * m) / DAY.shape.mean_rps for d in range(3) for m in range(1440)
    ]
    assert max(bursts) > 2.0


def test_roofline_numbers_are_those_of_the_datasheets() -> None:
    cost = prior(catalog.model("llama-3.1-8b"), catalog.accelerator("H100"), 1)
    assert cost.a_s == pytest.approx(16.06e9 / (3.35e12 * 0.8) + 0.002)
    assert 2048 * cost.b_s_per_token == pytest.approx(0.074, rel=0.05)  # a chunk on an H100 takes about 73 ms
    assert cost.d_s_per_token == pytest.approx(131_072 / (3.35e12 * 0.8))
    assert kv_capacity_tokens(catalog.model("llama-3.1-8b"), catalog.accelerator("L4"), 1) % 16 == 0
    with pytest.raises(DoesNotFit, match=r"llama-3\.1-70b needs 141 GB"):
        kv_capacity_tokens(catalog.model("llama-3.1-70b"), catalog.accelerator("H100"), 1)


@pytest.mark.parametrize("policy", ["static:2", "tidegate"])
def test_a_backtest_accounts_for_every_request(policy: str) -> None:
    scenario = load_scenario("chat-8b")
    result = play(scenario, trace(), policy_named(policy, scenario), lambda _: None, lambda: 1.5)
    assert result.requests == 600 == result.finished + result.rejected + result.in_system
    assert result.gpu_hours == pytest.approx(sum(v.gpu_hours for v in result.variants.values()))
    assert 0.9 < result.attainment <= 1.0
    assert set(json.loads(result.to_json())) == {
        *("policy", "requests", "finished", "rejected", "in_system", "attainment", "goodput_rps", "gpu_hours"),
        *("cost_usd", "ttft_s", "tpot_s", "scale_ups", "scale_downs", "variants", "wall_s"),
    }


def test_backtests_are_the_same_every_time() -> None:
    scenario = load_scenario("chat-8b")
    first, second = (
        play(scenario, trace(), policy_named("tidegate", scenario), lambda _: None, lambda: 0.0) for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize("name", ["static:0", "static:x", "hpa"])
def test_an_unknown_policy_is_refused(name: str) -> None:
    with pytest.raises(ScenarioError, match="policy is"):
        policy_named(name, load_scenario("chat-8b"))


def test_the_real_trace_is_carried_within_its_slo() -> None:
    if not REAL_TRACE.exists():
        pytest.skip(f"{REAL_TRACE} is absent: traces are not part of the repository")
    result = backtest(REAL_TRACE, "chat-8b", 1.0, lambda s: policy_named("tidegate", s), lambda _: None, lambda: 0.0)
    static = backtest(REAL_TRACE, "chat-8b", 1.0, lambda s: StaticPolicy(s, 4), lambda _: None, lambda: 0.0)
    assert result.requests == 19_366 == result.finished + result.rejected + result.in_system
    assert result.attainment > 0.98
    assert result.cost_usd < static.cost_usd
