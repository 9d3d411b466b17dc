"""The engine against its formulas."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.domain.target import Role
from controlplane.planning.roofline import StepCost
from controlplane.simulation.core import state as s
from controlplane.simulation.engine import Engine, EngineLimits
from controlplane.simulation.lifecycle import ColdStartStages, Workload
from controlplane.simulation.meters import RequestMeter, meter_of
from controlplane.simulation.service import Routing, Service
from controlplane.simulation.traffic import Arrivals
from tests.builders import make_target, make_variant

COST = StepCost(0.01, 4e-5, 5e-5, 1e-7, 1e-10)


class Lane:
    """One replica, its requests in the order of their arrivals, and the rows of those that are over."""

    def __init__(self, role: Role = Role.BOTH, blocks: int = 10_000) -> None:
        roles = [Role.PREFILL, Role.DECODE] if role is not Role.BOTH else [Role.BOTH]
        variants = tuple(make_variant(name=r.value.lower(), role=r) for r in roles)
        self.target = make_target(variants)
        self.service = Service(self.target, meter_of(self.target))
        self.rows: list[list[float]] = []
        self.service.meter = _Rows(self.target.policy.slo, rows=self.rows)
        self.limits = EngineLimits(kv_blocks=blocks, max_context_tokens=100_000)
        self.engine = self.open(role)

    def open(self, role: Role) -> Engine:
        variant = next(v for v in self.target.variants if v.role is role)
        work = Workload("default/x", self.target, variant, COST, self.limits, ColdStartStages(), 1)
        return self.service.open(work, 0.0)

    def send(self, arrivals: list[tuple[float, int, int]], until_s: float, cached: int = 0) -> None:
        columns = list(zip(*arrivals, strict=True)) if arrivals else [(), (), ()]
        at_s, isl, osl = (np.array(column) for column in columns)
        self.service.play(until_s, Arrivals.of(at_s, isl, osl, np.full(len(at_s), cached)))

    def ends(self) -> list[float]:
        return [row[s.DONE_END] for row in sorted(self.rows)]


@dataclass(slots=True)
class _Rows(RequestMeter):
    rows: list[list[float]] = field(default_factory=list)

    def conclude(self, rows: np.ndarray) -> None:
        self.rows.extend(rows.tolist())
        RequestMeter.conclude(self, rows)


@pytest.mark.parametrize("isl", [1, 100, 2048, 2049, 5000])
def test_ttft_of_one_request_is_its_chunks_and_its_attention(isl: int) -> None:
    lane = Lane()
    lane.send([(0.0, isl, 1)], 100.0)
    work_s = COST.b_s_per_token * isl + COST.e_s_per_token_pair * isl * isl / 2
    assert lane.rows[0][s.DONE_FIRST] == pytest.approx(math.ceil(isl / 2048) * COST.a_s + work_s)


def test_what_a_prefix_cache_holds_is_not_read_again() -> None:
    lane = Lane()
    lane.send([(0.0, 1000, 1)], 100.0, cached=900)
    work_s = 100 * COST.b_s_per_token + 100 * (900 + 50) * COST.e_s_per_token_pair
    assert lane.rows[0][s.DONE_FIRST] == pytest.approx(COST.a_s + work_s)
    assert lane.engine.telemetry.cached_tokens_total == 900


@pytest.mark.parametrize(("isl", "osl"), [(100, 2), (1000, 50), (16, 400)])
def test_decode_of_one_request_is_the_sum_of_its_steps(isl: int, osl: int) -> None:
    lane = Lane()
    lane.send([(0.0, isl, osl)], 100.0)
    steps = sum(COST.step_s(0, 1, isl + k) for k in range(1, osl))
    assert lane.rows[0][s.DONE_END] - lane.rows[0][s.DONE_FIRST] == pytest.approx(steps)


def test_full_batch_throughput_is_the_closed_form() -> None:
    lane = Lane()
    lane.send([(0.0, 500, 200)] * 2560, 1e6)
    n = 256
    per_request = (
        COST.b_s_per_token * 500 + COST.c_s_per_sequence * 200 + COST.d_s_per_token * 200 * 600 + COST.a_s * 200 / n
    )
    assert len(lane.rows) / lane.engine.now_s == pytest.approx(1 / per_request, rel=0.1)


def test_kv_exhaustion_preempts_and_still_finishes() -> None:
    lane = Lane(blocks=64)
    lane.send([(0.0, 100, 300)] * 12, 1e6)
    assert lane.engine.telemetry.preemptions_total > 0
    assert len(lane.rows) == 12
    assert lane.engine.kv_usage == 0.0
    assert lane.engine.telemetry.generation_tokens_total == 12 * 300


ARRIVALS = st.lists(
    st.tuples(st.floats(0, 20), st.integers(1, 700), st.integers(1, 250)),
    min_size=1,
    max_size=40,
    unique_by=lambda a: a[0],
).map(sorted)


def run(
    arrivals: list[tuple[float, int, int]], cuts: list[float], blocks: int, role: Role = Role.BOTH
) -> tuple[list[float], float, float]:
    lane = Lane(role, blocks)
    sides = [lane.engine] + ([lane.open(Role.DECODE)] if role is Role.PREFILL else [])
    edges = [*sorted(cuts), 1e6]
    for low, high in zip([0.0, *edges], edges, strict=False):
        lane.send([a for a in arrivals if low <= a[0] < high], high)
        assert all(-1e-9 <= engine.kv_usage <= 1.0 for engine in sides)
    assert all(engine.kv_usage == 0.0 for engine in sides)
    made = sum(engine.telemetry.generation_tokens_total for engine in sides)
    assert made == sum(o for _, _, o in arrivals)
    counts = sum(engine.telemetry.itl.count for engine in sides)
    return lane.ends(), counts, sum(engine.telemetry.preemptions_total for engine in sides)


@settings(max_examples=150, deadline=None)
@given(
    ARRIVALS,
    st.lists(st.floats(0, 40), max_size=15),
    st.sampled_from([64, 10_000]),
    st.sampled_from([Role.BOTH, Role.PREFILL]),
)
def test_slicing_time_changes_nothing(
    arrivals: list[tuple[float, int, int]], cuts: list[float], blocks: int, role: Role
) -> None:
    whole, pieces = run(arrivals, [], blocks, role), run(arrivals, cuts, blocks, role)
    assert pieces[0] == pytest.approx(whole[0])
    assert pieces[1:] == whole[1:]


def test_decode_replica_starts_where_the_prompt_was_read() -> None:
    lane = Lane(Role.PREFILL)
    decoder = lane.open(Role.DECODE)
    lane.send([(0.0, 1000, 10)], 100.0)
    read_s = COST.a_s + 1000 * COST.b_s_per_token + 1000 * 500 * COST.e_s_per_token_pair
    first_s = lane.rows[0][s.DONE_FIRST]
    moved_s = first_s - read_s
    assert moved_s > 0  # the first token comes to the client with the cache
    assert lane.rows[0][s.DONE_END] == pytest.approx(first_s + sum(COST.step_s(0, 1, 1000 + k) for k in range(1, 10)))
    assert decoder.telemetry.ttft.sum == pytest.approx(moved_s)
    assert decoder.telemetry.prompt_tokens_total == 0
    assert lane.engine.telemetry.generation_tokens_total == 1


def test_a_prompt_holds_decoding_up_by_its_chunk() -> None:
    lane = Lane()
    lane.send([(0.0, 100, 1000)], 1.0)
    before = lane.engine.telemetry.itl.counts
    lane.send([(1.0, 2047, 1)], 1.05)
    chunk_s = COST.step_s(2047, 1, 200, 2047 * 2047 / 2)
    after = lane.engine.telemetry.itl
    place = next(i for i, b in enumerate(after.bounds) if chunk_s <= b)
    assert after.counts[place] == before[place] + 1


@pytest.mark.parametrize(("isl", "refused"), [(100, False), (101, True)])
def test_what_can_never_fit_is_refused_at_once(isl: int, refused: bool) -> None:
    lane = Lane(blocks=10)
    lane.send([(0.0, isl, 60)], 100.0)
    assert math.isnan(lane.rows[0][s.DONE_END]) == refused
    assert lane.service.meter.rejected == refused


def test_a_prompt_is_in_the_batch_until_its_step_is_over() -> None:
    lane = Lane(Role.PREFILL)
    step_s = COST.a_s + COST.b_s_per_token * 2000 + COST.e_s_per_token_pair * 2000**2 / 2
    lane.send([(0.0, 2000, 9)], step_s / 2)
    assert (lane.engine.running, lane.engine.kv_usage) == (1, pytest.approx(2000 / 16 / 10_000))
    lane.send([], step_s * 1.01)
    assert (lane.engine.running, lane.engine.kv_usage) == (0, 0.0)


def test_a_router_sends_past_a_replica_that_reads_a_prompt() -> None:
    lane = Lane(Role.PREFILL)
    other = lane.open(Role.PREFILL)
    lane.send([(0.0, 2000, 9), (0.01, 2000, 9)], 1.0)
    assert [e.histogram("ttft").count for e in (lane.engine, other)] == [1, 1]


def test_round_robin_takes_turns_and_least_requests_fills_the_emptiest() -> None:
    lane = Lane()
    other = lane.open(Role.BOTH)
    lane.service.route_by(Routing.ROUND_ROBIN)
    lane.send([(0.0, 10, 1), (0.1, 10, 500), (0.2, 10, 1), (0.3, 10, 500)], 0.4)
    assert sorted((lane.engine.running, other.running)) == [0, 2]
    lane.service.route_by(Routing.LEAST_REQUESTS)
    lane.send([(0.5, 10, 500), (0.6, 10, 500)], 0.7)
    assert (lane.engine.running, other.running) == (2, 2)
