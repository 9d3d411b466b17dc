"""Dynamo's sums by hand, on engines whose costs make them easy."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.domain.target import Role, Slo
from controlplane.planning.roofline import StepCost
from controlplane.simulation.peers.dynamo_classic import DEFAULTS, ClassicScaler, Corrections, corrections, replicas
from controlplane.simulation.peers.dynamo_load import (
    DECODE_THROUGHPUT,
    EngineLoad,
    LoadLoop,
    Typical,
    easy_step,
    engine_load,
    throughput_floor,
    typical,
)
from controlplane.simulation.peers.dynamo_load_peer import DynamoLoadScaler, DynamoLoadSettings, OptimizationTarget
from controlplane.simulation.peers.dynamo_model import EngineModel, engine_model
from controlplane.simulation.peers.dynamo_predictors import Arima, Constant, Kalman, Predictor, PredictorName, predictor
from controlplane.simulation.peers.dynamo_traffic import Traffic, TrafficForecast
from controlplane.simulation.peers.increase import Increase
from controlplane.simulation.scenario import load_scenario
from tests.simulation.peers.views import T0, histogram, sample, seen

COST = StepCost(a_s=0.010, b_s_per_token=1e-5, c_s_per_sequence=0.0, d_s_per_token=1e-7)
"""10 ms a step, 10 us a prompt token, 0.1 us a token in the caches."""


def model(role: Role) -> EngineModel:
    return EngineModel(role, COST, max_kv_tokens=110_000.0, max_num_seqs=256, max_batched_tokens=2000)


def did(arrivals: float = 1800.0, ttft_s: float = 0.04, itl_s: float = 0.02) -> Increase:
    """Prompts of 1,000 and answers of 200 tokens."""
    return Increase(
        arrivals=arrivals,
        finished=arrivals,
        ttft_s=histogram(ttft_s, arrivals),
        itl_s=histogram(itl_s, arrivals * 200),
        prompt_lengths=histogram(1000.0, arrivals),
        output_lengths=histogram(200.0, arrivals),
    )


# The model


def test_a_prompt_is_read_in_chunks() -> None:
    """5,000 tokens: two chunks of 2,000 at 30 ms and one of 1,000 at 20 ms."""
    assert model(Role.PREFILL).prefill_s(5000) == pytest.approx(0.08)


@pytest.mark.parametrize(("ttft_s", "rps"), [(0.025, 50.0), (1.0, 2 / 0.03), (0.001, 2 / 0.03)])
def test_prefill_capacity(ttft_s: float, rps: float) -> None:
    """One prompt of 1,000 takes 20 ms, two 30 ms. Where none is within the SLA the most is taken all the same."""
    assert model(Role.PREFILL).capacity_rps(1000, 200, ttft_s, 1.0) == pytest.approx(rps)


def test_decode_capacity() -> None:
    """Context 1,000 + 100. At 15.5 ms: 0.0055 / 1e-7 = 55,000 tokens, 50 sequences: 50 / (200 * 0.0155) rps."""
    found = model(Role.DECODE).capacity_rps(1000, 200, 1.0, 0.01550001)
    assert found == pytest.approx(50 / (200 * 0.0155))


def test_a_whole_engine_reads_beside_its_batch() -> None:
    """Batch 50: ceil(50 * 1,000 / 200) = 250 prompt tokens a step: 10 + 2.5 + 5.5 = 18 ms."""
    assert model(Role.BOTH)._both_point(50, 1000, 1100.0, 200.0).itl_s == pytest.approx(0.018)  # type: ignore[union-attr]
    assert model(Role.BOTH).capacity_rps(1000, 200, 1.0, 0.01800001) == pytest.approx(50 / (200 * 0.018))


def test_classic_decode_throughput() -> None:
    """Half of the KV is 50 sequences at 15.5 ms; nothing is as fast as 1 ms, so the emptiest cell: one, at 10.11 ms."""
    assert model(Role.DECODE).decode_tokens_per_s(1100.0, 0.01550001) == pytest.approx(50 / 0.0155)
    assert model(Role.DECODE).decode_tokens_per_s(1100.0, 0.001) == pytest.approx(1 / 0.01011)


def test_the_true_cost_unless_it_was_not_profiled() -> None:
    workload = load_scenario("chat-8b").workloads[0]
    assert engine_model(workload, profiled=True).cost == workload.cost
    assert engine_model(workload, profiled=False).cost != workload.cost


# Classic


def test_corrections() -> None:
    """TTFT 40 ms over 20 ms. In flight 1,800 * (0.04 + 200 * 0.02) / 180 / 4 = 10.1 at 1,100 tokens: 11.111 ms."""
    found = corrections(model(Role.BOTH), did(), engines=4, window_s=180.0)
    assert found is not None
    assert found.prefill == pytest.approx(2.0)
    assert found.decode == pytest.approx(0.02 / 0.011111)
    assert corrections(model(Role.BOTH), Increase(), 4, 180.0) is None


COMING = Traffic(18_000.0, 1000.0, 200.0)
"""100 requests/s over three minutes."""


def test_classic_replicas() -> None:
    """Prefill: 100 * 20 ms = 2 engines. Decode: 20,000 tokens/s over 50 / 15.5 ms = 3,226 are 6.2. Whole: 8.2."""
    slo = Slo(1.0, 0.01550001)
    assert replicas(model(Role.PREFILL), slo, COMING, Corrections(), 180.0) == 2
    assert replicas(model(Role.DECODE), slo, COMING, Corrections(), 180.0) == 7
    assert replicas(model(Role.BOTH), slo, COMING, Corrections(), 180.0) == 9


def test_a_slow_prefill_is_never_corrected_upwards() -> None:
    slo = Slo(1.0, 0.02)
    assert replicas(model(Role.PREFILL), slo, COMING, Corrections(prefill=5.0), 180.0) == 2
    assert replicas(model(Role.PREFILL), slo, COMING, Corrections(prefill=0.4), 180.0) == 1  # 0.8 engines


def test_a_slow_decode_tightens_the_limit() -> None:
    """31 ms / 2 is 15.5 ms again."""
    slo = Slo(1.0, 0.03100002)
    assert replicas(model(Role.DECODE), slo, COMING, Corrections(decode=2.0), 180.0) == 7


def test_classic_decides_at_the_end_of_an_interval() -> None:
    scaler = ClassicScaler(load_scenario("chat-8b").workloads[0], DEFAULTS)
    wanted = [
        scaler.step(seen(T0 + 15.0 * tick, [sample(finished=6000.0 * tick, at_s=T0 + 15.0 * tick)]))
        for tick in range(13)
    ]
    assert wanted[:12] == [1] * 12
    assert wanted[12] > 1


# 1.6, the throughput loop


def test_the_floor_moves_by_eight_at_most() -> None:
    """100 rps over 50 rps are 2; 1,000 rps are 20, but 9 from 1; and down from 20 no further than 12."""
    slo = Slo(0.025, 0.1)
    assert throughput_floor(model(Role.PREFILL), slo, COMING, 180.0, current=1) == 2
    assert throughput_floor(model(Role.PREFILL), slo, Traffic(180_000.0, 1000.0, 200.0), 180.0, current=1) == 9
    assert throughput_floor(model(Role.PREFILL), slo, COMING, 180.0, current=20) == 12


# 1.6, the load loop


MEAN = Typical(prompt_tokens=1000.0, context_tokens=1100.0, beside_tokens=0.0)


def loop(role: Role, ttft_s: float = 0.05, itl_s: float = 0.02) -> LoadLoop:
    return LoadLoop(model(role), Slo(ttft_s, itl_s), 0.8)


def queues(*tokens: float) -> list[EngineLoad]:
    return [EngineLoad(t / 1000, t, 0.0, 0.0) for t in tokens]


@pytest.mark.parametrize(
    ("engines", "move"),
    [
        (queues(2500, 3000), 1),  # 3,500 and 4,000 tokens: 55 and 60 ms, both above 50
        (queues(2500, 1000), 0),  # 55 and 30 ms: not all above; and not down
        (queues(0, 0), -1),  # alone 20 ms, and still 20 ms with one fewer
        (queues(1000, 0), 0),  # twice 1,000 and the next: T(3,000) = 50 ms, 30 ms more than alone; the budget is 24
        (queues(400, 0), -1),  # T(1,800) = 28 ms, 8 ms more
        (queues(0), 0),  # the last one stays
    ],
)
def test_prefill_load(engines: list[EngineLoad], move: int) -> None:
    assert loop(Role.PREFILL).step(engines, MEAN) == move


@pytest.mark.parametrize(
    ("kv_tokens", "move"),
    [
        ((99_000.0, 100_000.0), 1),  # with one more of 1,100: 20.01 and 20.11 ms, both above 20
        ((99_000.0, 90_000.0), 0),  # 19.11 ms is not; twice 99,000 tokens do not fit
        ((20_000.0, 25_000.0), -1),  # twice that and one more: 14.1 and 15.1 ms of the 16 that 0.8 leaves
        ((20_000.0, 30_000.0), 0),  # 16.1 ms
    ],
)
def test_decode_load(kv_tokens: tuple[float, ...], move: int) -> None:
    assert loop(Role.DECODE).step([EngineLoad(0.0, 0.0, kv / 1100, kv) for kv in kv_tokens], MEAN) == move


def test_a_whole_engine_goes_up_for_either_and_down_for_both() -> None:
    idle, queued = EngineLoad(0.0, 0.0, 0.0, 0.0), EngineLoad(4.0, 4000.0, 0.0, 0.0)
    full, half = EngineLoad(0.0, 0.0, 100.0, 100_000.0), EngineLoad(0.0, 0.0, 30.0, 33_000.0)
    assert loop(Role.BOTH, ttft_s=0.1).step([full, full], MEAN) == 1  # 10 + 10.1 ms is above 20
    assert loop(Role.BOTH).step([queued, queued], MEAN) == 1  # 5,000 tokens: 80 ms
    assert loop(Role.BOTH).step([idle, idle], MEAN) == -1
    assert loop(Role.BOTH).step([half, half], MEAN) == 0  # twice 33,000 and one more: 16.7 ms of 16


def test_a_whole_engines_steps_read_prompts_beside() -> None:
    """600 tokens beside: 10 + 6 + 4.1 + 0.1 = 20.2 ms, above 20."""
    busy = EngineLoad(0.0, 0.0, 40.0, 41_000.0)
    assert loop(Role.BOTH).step([busy], MEAN) == 0
    assert loop(Role.BOTH).step([busy], replace(MEAN, beside_tokens=600.0)) == 1


def test_what_passes_are_like() -> None:
    """100 prompts of 1,000 in 400 passes: a quarter has one, so 250 tokens a prompt and a pass. Prompts of 5,000 take
    three chunks of 2,000 each: 300 of 400 passes, 1,500 a prompt, 1,250 in a pass."""
    short = replace(did(100.0), prompt_tokens=100_000.0, iterations=400.0)
    assert typical(short, 2000) == Typical(250.0, 1100.0, 250.0)
    long = replace(short, prompt_tokens=500_000.0, prompt_lengths=histogram(5000.0, 100.0))
    assert typical(long, 2000) == Typical(1500.0, 5100.0, 1250.0)
    assert typical(Increase(), 2000) is None


@pytest.mark.parametrize(
    ("values", "move"),
    [((0.2, 1.0), 1), ((0.6, 0.5), 0), ((0.5, 0.45, 0.4), -1), ((0.5, 0.4), 0), ((0.1,), 0)],
)
def test_easy_targets(values: tuple[float, ...], move: int) -> None:
    """At 1.0 up. 0.6 doubled is 1.2; 0.5 by 3/2 is 0.75, so one fewer is safe; 0.5 doubled is 1.0, which is not."""
    assert easy_step(values, DECODE_THROUGHPUT) == move


def test_a_page_as_a_forward_pass() -> None:
    page = sample(running=10.0, waiting=3.0, kv_usage=0.4, kv_tokens=100_000.0)
    assert engine_load(page, Role.BOTH, 1000.0) == EngineLoad(3.0, 3000.0, 10.0, 40_000.0)
    assert engine_load(page, Role.PREFILL, 1000.0) == EngineLoad(3.0, 3000.0, 0.0, 40_000.0)
    assert engine_load(page, Role.DECODE, 1000.0) == EngineLoad(0.0, 0.0, 13.0, 43_000.0)
    assert engine_load(sample(kv_usage=None), Role.BOTH, 1000.0) is None


def test_no_step_while_replicas_are_on_their_way() -> None:
    workload = load_scenario("chat-8b").workloads[0]
    scaler = DynamoLoadScaler(workload, DynamoLoadSettings())
    moves = []
    for tick, pending in enumerate([0, 0, 2, 2, 0]):
        now_s = T0 + 5.0 * tick
        page = sample(running=200.0, waiting=500.0, kv_usage=0.9, finished=50.0 * tick, at_s=now_s)
        moves.append(scaler.step(seen(now_s, [page], pending=pending)))
    # The first page tells no lengths yet; while a replica is on its way what is wanted stays.
    assert moves == [1, 2, 3, 3, 2]


def test_easy_targets_have_no_throughput_loop() -> None:
    workload = load_scenario("chat-8b").workloads[0]
    scaler = DynamoLoadScaler(workload, DynamoLoadSettings(target=OptimizationTarget.THROUGHPUT))
    for tick in range(60):
        now_s = T0 + 5.0 * tick
        page = sample(running=9.0, kv_usage=0.5, finished=9000.0 * tick, at_s=now_s, kv_tokens=1000.0)
        assert scaler.step(seen(now_s, [page])) == 1


# Predictors


@pytest.mark.parametrize("name", PredictorName)
def test_a_constant_stays(name: PredictorName) -> None:
    one = predictor(name)
    assert one.next() == 0.0
    for _ in range(12):
        one.add(40.0)
    assert one.next() == pytest.approx(40.0, rel=0.01)


def test_kalman_finds_a_trend_and_waits_for_five_points() -> None:
    kalman = Kalman()
    for value in (10.0, 20.0, 30.0, 40.0):
        kalman.add(value)
    assert kalman.next() == 40.0
    for value in range(50, 310, 10):
        kalman.add(float(value))
    assert kalman.next() == pytest.approx(310.0, abs=2.0)


def test_arima_fits_at_the_fifth_point_and_drops_leading_noughts() -> None:
    arima = Arima()
    for value in (0.0, 0.0, 10.0, 30.0, 20.0, 40.0):
        arima.add(value)
    assert arima.next() == 40.0
    for value in (25.0, 45.0, 30.0):
        arima.add(value)
    assert 0.0 <= arima.next() <= 100.0


def test_a_series_that_no_model_fits_is_its_last_value() -> None:
    arima = Arima()
    _feed(arima, [1.0, 2.0, float("inf"), 3.0, 4.0, 5.0])
    assert arima.next() == 5.0


@given(st.lists(st.floats(0.0, 1e4), min_size=1, max_size=15))
def test_forecasts_are_never_negative(values: list[float]) -> None:
    for one in (Constant(), Kalman()):
        _feed(one, values)
        assert one.next() >= 0.0


def _feed(one: Predictor, values: list[float]) -> None:
    for value in values:
        one.add(value)


def test_an_idle_interval_carries_the_lengths_on() -> None:
    forecast = TrafficForecast(PredictorName.CONSTANT)
    assert forecast.next() is None
    forecast.add(did(100.0))
    forecast.add(Increase())
    assert forecast.next() == Traffic(0.0, 1000.0, 200.0)
