"""LoRA slots: hand-worked batches, laws, and a Monte Carlo of the scheduler's rule."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.lora_slots import mixes, played, sequences_for
from controlplane.domain.decision import Calibration, CapacityBound, Memory, TargetInputs
from controlplane.domain.observation import LoraUse, VariantObservation
from controlplane.domain.target import Role
from controlplane.planning.adapters import MEMORY_S, MOST_BATCH, Crowd, with_lora
from controlplane.planning.calibration import PRIOR
from controlplane.planning.capacity import capacity, expected_misses
from controlplane.planning.demand import observed_demand
from tests.builders import NOW_S, make_inputs, make_observation, make_target, make_variant


def crowd(slots: int, adapters: int, share: float | None = None, rest: float | None = None) -> Crowd:
    made = Crowd.of(LoraUse(slots, adapters, None, share, share if rest is None else rest))
    assert made is not None
    return made


def test_four_adapters_on_two_slots() -> None:
    """4(1 - 0.75^n) = 2 at n = ln 2 / ln(4/3)."""
    made = crowd(2, 4)
    assert (
        made.most_sequences() == pytest.approx(math.log(2.0) / math.log(4.0 / 3.0)) == pytest.approx(2.4094, abs=1e-4)
    )
    assert made.touched(1.0) == pytest.approx(1.0)
    assert made.touched(2.0) == pytest.approx(1.75)
    assert made.touched(made.most_sequences()) == pytest.approx(2.0)
    assert made.starving == pytest.approx(0.5)


def test_half_of_the_requests_are_of_the_base_model() -> None:
    """Each of four adapters has an eighth of the requests: ln 2 / ln(8/7)."""
    assert crowd(2, 4, 0.125).most_sequences() == pytest.approx(math.log(2.0) / math.log(8.0 / 7.0))


def test_unlike_adapters() -> None:
    """One has half of the requests, two a quarter each, one slot: 1 - 0.5^n + 2(1 - 0.75^n) = 1 at n = 1."""
    made = crowd(1, 3, 0.5, 0.25)
    assert made.touched(1.0) == pytest.approx(1.0)
    assert made.most_sequences() == pytest.approx(1.0)
    assert made.starving == pytest.approx(0.5)


def test_deferred_requests_by_hand() -> None:
    """Two adapters on one slot, each busy for q = 0.5 of the time: who finds the other alone waits, a quarter of all. A
    busy period lasts (e^x - 1)/x = 1/ln 2 stays, and all of the slot is in use: 0.2 of the ends are for who waits."""
    made = crowd(1, 2)
    assert made.late(1.0, 5.0, 0.0) == pytest.approx(0.25)
    assert made.late(1.0, 5.0, 2.0) == pytest.approx(0.25 * math.exp(-2.0 / 5.0 * math.log(2.0) * 0.2))


@pytest.mark.parametrize(
    "use",
    [None, LoraUse(4, 0), LoraUse(4, 4), LoraUse(4, 3, 3.0), LoraUse(0, 4), LoraUse(2, 4, 0.0, 0.1, 0.0)],
    ids=["not told", "none", "as many", "fewer", "no slots", "none asks for the others"],
)
def test_what_has_room_does_not_bind(use: LoraUse | None) -> None:
    assert Crowd.of(use) is None


def test_shares_that_cannot_be_are_cut() -> None:
    assert crowd(2, 4, 0.9) == Crowd(2, 4, 0.5, 0.25)


crowds = st.builds(
    lambda slots, more, part, rest: crowd(slots, slots + more, part / slots, rest * part / (slots + more)),
    st.integers(1, 32),
    st.integers(1, 64),
    st.floats(0.01, 1.0),
    st.floats(0.01, 1.0),
)


@given(crowds, st.floats(0.01, 3.0), st.floats(1.0, 2.0), st.floats(0.0, 10.0), st.floats(0.0, 5.0))
def test_more_load_touches_more_and_patience_makes_fewer_late(
    made: Crowd, fill: float, more: float, limit_s: float, patience_s: float
) -> None:
    sequences = fill * made.most_sequences()
    late = made.late(sequences, 5.0, limit_s)
    assert 0.0 <= late <= 1.0
    assert made.late(sequences, 5.0, limit_s + patience_s) <= late + 1e-12
    assert made.touched(sequences * more) >= made.touched(sequences) - 1e-12
    most = made.most_sequences()
    assert made.touched(most) == pytest.approx(made.slots) or most == pytest.approx(MOST_BATCH)


@given(st.integers(1, 32), st.integers(1, 64), st.floats(0.01, 3.0), st.floats(1.0, 2.0), st.floats(0.0, 10.0))
def test_more_load_makes_more_late(slots: int, more: int, fill: float, growth: float, limit_s: float) -> None:
    """Of adapters that are asked for alike. A busy adapter has more requests that wait for another's to end where it
    is a little less busy."""
    made = crowd(slots, slots + more)
    sequences = fill * made.most_sequences()
    assert made.late(sequences * growth, 5.0, limit_s) >= made.late(sequences, 5.0, limit_s) - 1e-9


@given(st.integers(1, 32), st.integers(1, 64))
def test_slots_help_and_adapters_do_not(slots: int, more: int) -> None:
    most = crowd(slots, slots + more).most_sequences()
    assert most >= slots
    assert crowd(slots, slots + more + 1).most_sequences() <= most
    if more > 1:
        assert crowd(slots + 1, slots + more).most_sequences() >= most


@given(st.lists(st.floats(0.001, 1.0), min_size=2, max_size=40), st.floats(1.0, 200.0), st.floats(0.0, 5.0))
def test_even_shares_touch_the_most(weights: list[float], sequences: float, base: float) -> None:
    """So who does not know the shares is on the safe side with even ones; `base` is the base model's weight."""
    whole = sum(weights) + base
    touched = sum(1.0 - (1.0 - weight / whole) ** sequences for weight in weights)
    assert crowd(len(weights) - 1, len(weights)).touched(sequences) >= touched - 1e-9


@pytest.mark.parametrize("mix", ["even", "zipf"])
@pytest.mark.parametrize(("slots", "adapters", "fill"), [(2, 4, 0.4), (4, 5, 0.7), (4, 16, 0.5), (8, 50, 0.6)])
def test_the_closed_form_is_near_the_schedulers_rule(slots: int, adapters: int, fill: float, mix: str) -> None:
    """At loads at which a few percent wait longer than a fifth of a stay, told what pages tell."""
    shares = mixes(adapters)[mix]
    sequences = sequences_for(shares, fill * slots)
    waits, use = played(slots, shares, sequences)
    late, found = float(np.mean(waits > 0.2)), Crowd.of(use)
    assert found is not None
    assert 0.005 < late < 0.1
    assert late / 1.6 < found.late(sequences, 1.0, 0.2) < late * 1.8
    assert found.most_sequences() < 1.05 * sequences_for(shares, slots)


def test_what_cannot_be_served_is_late() -> None:
    """Two adapters on one slot that is far too full: one of them is in, the other's half of the requests waits."""
    shares = mixes(2)["even"]
    waits, use = played(1, shares, 12.0)
    found = Crowd.of(use)
    assert found is not None
    assert found.starving == pytest.approx(0.5, abs=0.1)
    assert found.late(100.0 * found.most_sequences(), 1.0, 1.0) == pytest.approx(found.starving, rel=0.02)
    assert float(np.mean(waits > 1.0)) == pytest.approx(0.5, abs=0.2)


def test_a_rare_adapter_behind_four_busy_ones_is_no_reason_for_a_larger_fleet() -> None:
    """One in five hundred requests is of a fifth adapter, which starves at any load; the others never wait."""
    waits, use = played(4, np.array([0.2495] * 4 + [0.002]), 50.0)
    found = Crowd.of(use)
    assert found is not None
    assert float(np.mean(waits > 0.2)) < 0.003
    assert found.starving < 0.01
    assert found.late(50.0, 1.0, 0.2) < 0.01
    rate, bound = rate_and_bound(use)
    assert bound is not CapacityBound.LORA_SLOTS
    assert rate > 0.9 * rate_and_bound(None)[0]


def told(use: LoraUse | None, **changes: object) -> Calibration:
    return replace(PRIOR, lora=use, **changes)  # type: ignore[arg-type]


def rate_and_bound(use: LoraUse | None, role: Role = Role.BOTH) -> tuple[float, CapacityBound]:
    target = make_target((make_variant(role=role),))
    wanted = observed_demand(make_inputs(target))
    assert wanted is not None
    found = capacity(target, target.variants[0], wanted, told(use))
    return found.requests_per_s, found.bound


def test_slots_bound_a_replica_and_say_so() -> None:
    free, bound = rate_and_bound(None)
    assert bound is CapacityBound.TPOT
    few, why = rate_and_bound(LoraUse(2, 4))
    assert why is CapacityBound.LORA_SLOTS
    assert few < 0.2 * free
    assert rate_and_bound(LoraUse(4, 4, 4.0)) == (free, bound)
    assert rate_and_bound(LoraUse(30, 31, 3.0, 0.0005, 0.0005)) == (free, bound)


def test_the_batch_stays_where_it_touches_as_many_as_there_are_slots() -> None:
    """By Little's law: at the rate found the mean batch is at most `most_sequences`."""
    target = make_target((make_variant(),))
    wanted = observed_demand(make_inputs(target))
    assert wanted is not None
    known = told(LoraUse(16, 20))
    found = capacity(target, target.variants[0], wanted, known)
    misses = expected_misses(target, target.variants[0], wanted, known, found.requests_per_s)
    assert found.bound is CapacityBound.LORA_SLOTS
    assert 0.001 < misses < 0.1
    assert expected_misses(target, target.variants[0], wanted, known, 2.0 * found.requests_per_s) > 2.0 * misses


@given(st.integers(1, 40), st.integers(0, 60), st.floats(0.0, 1.0))
def test_no_crowd_makes_a_replica_carry_more(slots: int, adapters: int, part: float) -> None:
    use = LoraUse(slots, adapters, None, *[part / max(adapters, 1)] * 2)
    free, _ = rate_and_bound(None)
    rate, bound = rate_and_bound(use)
    assert 0.0 < rate <= free
    if adapters <= slots:
        assert rate == free
    if bound is CapacityBound.LORA_SLOTS:
        assert adapters > slots


def test_replicas_that_decode_are_bound_and_those_that_read_are_not() -> None:
    assert rate_and_bound(LoraUse(2, 8), Role.DECODE)[1] is CapacityBound.LORA_SLOTS
    assert rate_and_bound(LoraUse(2, 8), Role.PREFILL) == rate_and_bound(None, Role.PREFILL)


def seen(use: LoraUse | None, memory: Memory | None = None, reporting: int = 1) -> TargetInputs:
    """A target of which the first variant tells `use`; the second has `reporting` busy replicas that tell nothing."""
    target = make_target()
    observation = make_observation(target, counts={"h100": 1, "l40s": reporting})
    variants = [replace(v, lora=use) if v.variant == "h100" else v for v in observation.variants]
    return make_inputs(target, replace(observation, variants=tuple(variants)), None, memory)


USE = LoraUse(4, 9, 3.2, 0.05, 0.04)


def test_what_pages_tell_is_remembered_for_a_while() -> None:
    known = with_lora(seen(USE), {"h100": PRIOR, "l40s": PRIOR})
    assert (known["h100"].lora, known["h100"].lora_at_s) == (USE, NOW_S)
    later = with_lora(seen(None), {"h100": told(USE, lora_at_s=NOW_S - MEMORY_S + 1.0), "l40s": PRIOR})
    assert later["h100"].lora == USE
    gone = with_lora(seen(None), {"h100": told(USE, lora_at_s=NOW_S - MEMORY_S), "l40s": PRIOR})
    assert gone == {"h100": PRIOR, "l40s": PRIOR}


def test_a_variant_without_a_page_is_taken_to_be_used_as_the_others() -> None:
    both = {"h100": PRIOR, "l40s": PRIOR}
    assert with_lora(seen(USE, reporting=0), both)["l40s"].lora == USE
    assert with_lora(seen(USE, reporting=1), both)["l40s"] == PRIOR
    assert with_lora(seen(None, reporting=0), both) == both


def test_a_variant_of_before_has_no_adapters() -> None:
    assert VariantObservation("h100", 1, 1, 0, 0, 0, 1).lora is None
    assert Calibration(1.0, 0.0).lora is None
