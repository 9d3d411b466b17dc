"""The engine against its formulas."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.domain.target import Role
from controlplane.planning.roofline import StepCost
from controlplane.simulation.engine import Engine, EngineLimits, Request

COST = StepCost(0.01, 4e-5, 5e-5, 1e-7)


def make(role: Role = Role.BOTH, blocks: int = 10_000) -> tuple[Engine, list[tuple[Request, float]]]:
    done: list[tuple[Request, float]] = []
    limits = EngineLimits(kv_blocks=blocks, max_context_tokens=100_000)
    return Engine(role, COST, limits, 0.0, lambda r, at: done.append((r, at))), done


@pytest.mark.parametrize("isl", [1, 100, 2048, 2049, 5000])
def test_ttft_of_one_request_is_its_chunks(isl: int) -> None:
    engine, _ = make()
    request = Request(0.0, isl, 1)
    engine.submit(request, 0.0)
    engine.advance(100.0)
    assert request.first_token_at_s == pytest.approx(math.ceil(isl / 2048) * COST.a_s + COST.b_s_per_token * isl)


@pytest.mark.parametrize(("isl", "osl"), [(100, 2), (1000, 50), (16, 400)])
def test_decode_of_one_request_is_the_sum_of_its_steps(isl: int, osl: int) -> None:
    engine, done = make()
    request = Request(0.0, isl, osl)
    engine.submit(request, 0.0)
    engine.advance(100.0)
    steps = sum(COST.step_s(0, 1, isl + k) for k in range(1, osl))
    assert request.first_token_at_s is not None
    assert done[0][1] - request.first_token_at_s == pytest.approx(steps)


def test_full_batch_throughput_is_the_closed_form() -> None:
    engine, done = make()
    for _ in range(2560):
        engine.submit(Request(0.0, 500, 200), 0.0)
    engine.advance(1e6)
    n = 256
    per_request = (
        COST.b_s_per_token * 500 + COST.c_s_per_sequence * 200 + COST.d_s_per_token * 200 * 600 + COST.a_s * 200 / n
    )
    assert len(done) / engine.now_s == pytest.approx(1 / per_request, rel=0.1)


def test_kv_exhaustion_preempts_and_still_finishes() -> None:
    engine, done = make(blocks=64)
    for _ in range(12):
        engine.submit(Request(0.0, 100, 300), 0.0)
    engine.advance(1e6)
    assert engine.telemetry.preemptions_total > 0
    assert len(done) == 12
    assert engine.kv_usage == 0.0
    assert engine.telemetry.generation_tokens_total == 12 * 300


ARRIVALS = st.lists(st.tuples(st.floats(0, 20), st.integers(1, 700), st.integers(1, 250)), min_size=1, max_size=40).map(
    sorted
)


def run(arrivals: list[tuple[float, int, int]], cuts: list[float], blocks: int) -> tuple[list[float], float, float]:
    engine, done = make(blocks=blocks)
    events = sorted([(t, 1, i, o) for t, i, o in arrivals] + [(c, 0, 0, 0) for c in cuts])
    requests = []
    for at_s, kind, isl, osl in events:
        engine.advance(at_s)
        assert -1e-9 <= engine.kv_usage <= 1.0
        if kind:
            requests.append(Request(at_s, isl, osl))
            engine.submit(requests[-1], at_s)
    engine.advance(1e6)
    ends = {id(r): at for r, at in done}
    assert engine.kv_usage == 0.0
    assert engine.telemetry.generation_tokens_total == sum(o for _, _, o in arrivals)
    return [ends[id(r)] for r in requests], engine.telemetry.itl.count, engine.telemetry.preemptions_total


@settings(max_examples=150, deadline=None)
@given(ARRIVALS, st.lists(st.floats(0, 40), max_size=15), st.sampled_from([64, 10_000]))
def test_slicing_time_changes_nothing(arrivals: list[tuple[float, int, int]], cuts: list[float], blocks: int) -> None:
    whole, pieces = run(arrivals, [], blocks), run(arrivals, cuts, blocks)
    assert pieces[0] == pytest.approx(whole[0])
    assert pieces[1:] == whole[1:]


def test_decode_replica_starts_where_the_prompt_was_read() -> None:
    engine, done = make(Role.DECODE)
    request = Request(0.0, 1000, 10)
    engine.submit(request, 1.5, handed_over_at_s=1.0)
    engine.advance(100.0)
    assert request.first_token_at_s == pytest.approx(1.5)  # the first token came with the cache
    assert done[0][1] == pytest.approx(1.5 + sum(COST.step_s(0, 1, 1000 + k) for k in range(1, 10)))
    assert engine.telemetry.ttft.sum == pytest.approx(0.5)
    assert engine.telemetry.prompt_tokens_total == 0


def test_prefill_replica_is_done_with_the_first_token() -> None:
    engine, done = make(Role.PREFILL)
    engine.submit(Request(0.0, 1000, 300), 0.0)
    engine.advance(100.0)
    assert done[0][1] == pytest.approx(COST.a_s + 1000 * COST.b_s_per_token)
    assert engine.telemetry.generation_tokens_total == 1


def test_a_prompt_holds_decoding_up_by_its_chunk() -> None:
    engine, _ = make()
    engine.submit(Request(0.0, 100, 1000), 0.0)
    engine.advance(1.0)
    before = engine.telemetry.itl.counts[:]
    engine.submit(Request(engine.now_s, 2047, 1), engine.now_s)
    engine.advance(engine.now_s + 0.001)
    chunk_s = COST.a_s + 2047 * COST.b_s_per_token
    place = next(i for i, b in enumerate(engine.telemetry.itl.bounds) if chunk_s <= b)
    assert engine.telemetry.itl.counts[place] == before[place] + 1


def test_what_can_never_fit_is_known_beforehand() -> None:
    engine, _ = make(blocks=10)
    assert engine.fits(Request(0.0, 100, 60))
    assert not engine.fits(Request(0.0, 101, 60))
