"""WVA's analyzers and optimizer by hand, and the loop around them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.domain.target import Role
from controlplane.simulation.peers.registry import PEERS
from controlplane.simulation.peers.wva import Scene
from controlplane.simulation.peers.wva_optimizer import RoleNeed, optimise
from controlplane.simulation.peers.wva_v1 import ReplicaLoad, V1Thresholds, VariantState, decide
from controlplane.simulation.peers.wva_v2 import EngineArgs, Mix, TokenAnalyzer, V2Thresholds, derived_capacity
from controlplane.simulation.scenario import load_scenario
from tests.simulation.peers.views import T0, FakeView, sample

CHEAP, DEAR = VariantState("l40s", 1.9, 1, 1, 0, 8), VariantState("h100", 4.0, 2, 2, 0, 8)


def loads(*kv_and_queue: tuple[float, float], variant: str = "h100") -> list[ReplicaLoad]:
    return [ReplicaLoad(variant, kv, queue, 100_000.0) for kv, queue in kv_and_queue]


# V1: thresholds 0.80 and 5, triggers 0.10 and 3


@pytest.mark.parametrize(
    ("replicas", "h100", "l40s"),
    [
        (loads((0.75, 0), (0.75, 0)), 2, 2),  # spare KV 0.05 is below 0.10: one more of the cheapest
        (loads((0.1, 3), (0.1, 2)), 2, 2),  # spare queue 2.5 is below 3
        (loads((0.9, 0), (0.85, 9)), 2, 2),  # all are saturated
        (loads((0.3, 0), (0.3, 0)), 1, 1),  # 0.8 - 0.3 * 2 = 0.2 and 5: one less of the dearest
        (loads((0.4, 0), (0.4, 0)), 2, 1),  # 0.8 - 0.8 = 0: not safe
        (loads((0.3, 1.5), (0.3, 1.5)), 2, 1),  # 5 - 1.5 * 2 = 2 is below 3: not safe
        (loads((0.3, 0), (0.9, 0)), 2, 1),  # one healthy replica alone is too few to go down
        ([], 2, 1),  # nothing reported: hold
    ],
)
def test_v1(replicas: list[ReplicaLoad], h100: int, l40s: int) -> None:
    assert decide(replicas, [DEAR, CHEAP], V1Thresholds()) == {"h100": h100, "l40s": l40s}


def test_v1_is_locked_while_a_replica_is_on_its_way() -> None:
    pending = replace(DEAR, ready=1)
    assert decide(loads((0.9, 9)), [pending, CHEAP], V1Thresholds()) == {"h100": 2, "l40s": 1}
    undone = replace(DEAR, desired=3)
    assert decide(loads((0.1, 0), (0.1, 0)), [undone, CHEAP], V1Thresholds()) == {"h100": 3, "l40s": 1}


def test_v1_a_full_cheapest_variant_blocks_the_dearer_one() -> None:
    full = replace(CHEAP, high=1)
    assert decide(loads((0.9, 9)), [DEAR, full], V1Thresholds()) == {"h100": 2, "l40s": 1}


# V2: 0.80 of the KV, up above 0.85 of the capacity, to spare below 0.70

ARGS = EngineArgs(2048, 256)
MIX = Mix(1000.0, 200.0)


def analyzer() -> TokenAnalyzer:
    return TokenAnalyzer(V2Thresholds(), {"h100": ARGS, "l40s": ARGS}, {"h100": "H100 x 1", "l40s": "L40S x 1"})


def test_v2_counts_tokens_in_use_and_to_come() -> None:
    """KV 100,000: memory bound 80,000; in use 50,000 and 3 * 1,200 waiting."""
    found = analyzer().analyse(T0, Role.BOTH, loads((0.5, 3)), [replace(DEAR, current=1, ready=1)], MIX)
    assert (found.per_replica, found.supply, found.demand) == ({"h100": 80_000.0}, 80_000.0, 53_600.0)
    assert found.required(V2Thresholds()) == 0.0
    assert found.spare(V2Thresholds()) == pytest.approx(80_000 - 53_600 / 0.7)  # 3,429


def test_v2_credits_what_is_on_its_way() -> None:
    two = loads((0.9, 2), (0.9, 2))
    demand = 2 * (90_000 + 2 * 1200)
    alone = analyzer().analyse(T0, Role.BOTH, two, [DEAR], MIX)
    assert alone.required(V2Thresholds()) == pytest.approx(demand / 0.85 - 160_000)  # 57,412
    coming = analyzer().analyse(T0, Role.BOTH, two, [replace(DEAR, current=3)], MIX)
    assert coming.required(V2Thresholds()) == 0.0


def test_v2_a_prefill_role_waits_for_prompts_alone() -> None:
    found = analyzer().analyse(T0, Role.PREFILL, loads((0.1, 4)), [DEAR], MIX)
    assert found.demand == 10_000 + 4 * 1000


def test_v2_a_cold_burst_poisons_the_compute_bound_for_a_day() -> None:
    """Six wait while 20,000 tokens are in use: 20,000 is taken for the bound, and stays it."""
    brain, one = analyzer(), [replace(DEAR, current=1, ready=1)]
    assert brain.analyse(T0, Role.BOTH, loads((0.2, 6)), one, MIX).per_replica == {"h100": 20_000.0}
    assert brain.analyse(T0 + 60, Role.BOTH, loads((0.6, 0)), one, MIX).per_replica == {"h100": 20_000.0}
    assert brain.analyse(T0 + 90_000, Role.BOTH, loads((0.6, 0)), one, MIX).per_replica == {"h100": 80_000.0}


def test_v2_a_variant_that_never_ran_is_judged_by_its_arguments() -> None:
    """2,048 * 200 / 1,200 = 341 requests, at most 256, of 1,000 + 100 tokens."""
    assert derived_capacity(ARGS, MIX) == 281_600.0
    assert derived_capacity(EngineArgs(1200, 256), MIX) == 220_000.0  # 200 requests
    assert derived_capacity(ARGS, Mix(None, None)) is None
    found = analyzer().analyse(T0, Role.BOTH, loads((0.5, 0)), [DEAR, replace(CHEAP, current=0, ready=0)], MIX)
    assert found.per_replica["l40s"] == 281_600.0


# The optimizer

A, B = VariantState("a", 4.0, 1, 1, 0, 8), VariantState("b", 2.0, 1, 1, 0, 8)
TOKENS = {"a": 60.0, "b": 20.0}


def test_up_takes_the_cheapest_per_token() -> None:
    """a costs 0.067 a token and b 0.1: ceil(100 / 60) = 2 more of a."""
    assert optimise({Role.BOTH: RoleNeed([A, B], TOKENS, 100.0, 0.0)}) == {"a": 3, "b": 1}


def test_up_goes_on_with_the_next_one_where_the_cheapest_is_full() -> None:
    """One more of a carries 60, the other 40 take two of b."""
    assert optimise({Role.BOTH: RoleNeed([replace(A, high=2), B], TOKENS, 100.0, 0.0)}) == {"a": 2, "b": 3}


def test_roles_grow_in_step_and_a_full_one_stops_the_other() -> None:
    """Prefill has room for 1 of the 2 that it needs, a share of 0.5, so decode gets 2 of its 4; then prefill is full."""
    prefill, decode = VariantState("p", 4.0, 1, 1, 0, 2), VariantState("d", 4.0, 1, 1, 0, 9)
    needs = {
        Role.PREFILL: RoleNeed([prefill], {"p": 50.0}, 100.0, 0.0),
        Role.DECODE: RoleNeed([decode], {"d": 50.0}, 200.0, 0.0),
    }
    assert optimise(needs) == {"p": 2, "d": 3}


def test_down_takes_the_dearest_first_and_leaves_one() -> None:
    """Of 130 to spare two of a take 120; the 10 left are no b."""
    two, three = replace(A, current=2), replace(B, current=3)
    assert optimise({Role.BOTH: RoleNeed([two, three], TOKENS, 0.0, 130.0)}) == {"a": 0, "b": 3}
    assert optimise({Role.BOTH: RoleNeed([two, three], TOKENS, 0.0, 1e9)}) == {"a": 0, "b": 1}


def test_one_role_that_needs_more_keeps_what_another_could_spare() -> None:
    needs = {
        Role.PREFILL: RoleNeed([replace(A, current=4)], TOKENS, 0.0, 200.0),
        Role.DECODE: RoleNeed([B], TOKENS, 20.0, 0.0),
    }
    assert optimise(needs) == {"a": 4, "b": 2}


@given(st.floats(0.0, 5000.0), st.floats(0.0, 5000.0), st.integers(0, 8), st.integers(0, 8))
def test_what_is_needed_is_added_or_everything_is_full(required: float, spare: float, a: int, b: int) -> None:
    variants = [replace(A, current=a, ready=a), replace(B, current=b, ready=b)]
    wanted = optimise({Role.BOTH: RoleNeed(variants, TOKENS, required, spare)})
    added = sum((wanted[v.name] - v.current) * TOKENS[v.name] for v in variants)
    assert all(v.low <= wanted[v.name] <= v.high for v in variants)
    if required > 0:
        assert added >= required - 1e-6 or all(wanted[v.name] == v.high for v in variants)
    else:
        assert -added <= spare + 1e-6
        assert not (a + b) or sum(wanted.values()) >= 1


# The loop: a decision a minute, an HPA with two minutes of patience, KEDA at nought


def test_the_hpa_follows_a_decision_after_two_minutes() -> None:
    scenario = load_scenario("chat-8b")
    policy = PEERS["wva-v1"].policy(scenario)
    view = FakeView(T0, {"h100": 2, "l40s": 1})
    wanted = []
    for tick in range(12):
        view.now_s = T0 + 15.0 * tick
        view.pages = [sample(f"h100-{i}", "h100", view.now_s, kv_usage=0.75) for i in range(2)]
        wanted.append(policy.step(view)["default/chat"])
    assert [w["l40s"] for w in wanted] == [1] * 8 + [2] * 4  # decided at once, carried out 120 s later
    assert all(w["h100"] == 2 for w in wanted)


def test_it_decides_once_a_minute() -> None:
    """Load rises at 15 s, is seen at 60 s, and the HPA agrees once its 1 of 45 s is 120 s old: at 165 s."""
    policy = PEERS["wva-v1"].policy(load_scenario("chat-8b"))
    view = FakeView(T0, {"h100": 2, "l40s": 1})
    wanted = []
    for tick in range(13):
        view.now_s = T0 + 15.0 * tick
        view.pages = [sample(f"h100-{i}", "h100", view.now_s, kv_usage=0.75 if tick else 0.4) for i in range(2)]
        wanted.append(policy.step(view)["default/chat"]["l40s"])
    assert wanted == [1] * 11 + [2] * 2


def test_keda_wakes_a_variant_that_has_none() -> None:
    scenario = load_scenario("chat-8b")
    policy = PEERS["wva-v1"].policy(scenario)
    pages = [sample("h100-0", "h100", T0, kv_usage=0.9, waiting=50.0)]
    view = FakeView(T0, {"h100": 1, "l40s": 0}, pages=pages)
    assert policy.step(view)["default/chat"] == {"h100": 1, "l40s": 1}


def test_v2_holds_when_nothing_reports() -> None:
    scenario = load_scenario("chat-8b")
    policy = PEERS["wva-v2"].policy(scenario)
    assert policy.step(FakeView(T0, {"h100": 2, "l40s": 1}))["default/chat"] == {"h100": 2, "l40s": 1}


def test_a_role_without_any_replica_is_woken() -> None:
    policy = PEERS["wva-v2"].policy(load_scenario("chat-8b"))
    assert policy.step(FakeView(T0, {"h100": 0, "l40s": 0}))["default/chat"] == {"h100": 0, "l40s": 1}


def test_a_scene_splits_loads_by_role() -> None:
    scene = Scene(T0, {Role.PREFILL: [A], Role.DECODE: [B]}, [*loads((0.1, 0), variant="a")], MIX)
    assert len(scene.loads_of(Role.PREFILL)) == 1
    assert scene.loads_of(Role.DECODE) == []
