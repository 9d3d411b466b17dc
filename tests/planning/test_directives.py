"""What people said through the API, beside what the resource says: which holds, in which words, at which price."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.domain.decision import Decision, Memory, Recommendation, TargetInputs, Verdict
from controlplane.domain.directives import DirectiveSet, PriceKind, PriceOverride, ScopedFreeze
from controlplane.domain.status import Told
from controlplane.domain.target import (
    CapacityType,
    Freeze,
    FreezeDirection,
    Mode,
    Origin,
    Override,
    OverrideKind,
    Policy,
    PriceSource,
    Slo,
    Target,
)
from controlplane.planning import decide, replay_group, validate
from controlplane.planning.conditions import scaling
from controlplane.planning.directives import directed
from controlplane.planning.notices import notices
from controlplane.planning.peoples_words import in_force
from controlplane.planning.status import status_of
from tests.builders import NOW_S, make_group, make_inputs, make_observation, make_target, make_tick, make_variant

SLO = Slo(2.0, 0.1)
UNTIL_S = 1_767_609_000.0  # 2026-01-05T10:30Z


def said(
    kind: OverrideKind,
    replicas: int | None,
    variant: str | None = "h100",
    api: bool = True,
    made_s: float | None = None,
    until_s: float | None = UNTIL_S,
) -> Override:
    origin = Origin.API if api else Origin.RESOURCE
    return Override(kind, replicas, variant, until_s, "ada", "load test", origin, created_at_s=made_s)


def freeze(direction: FreezeDirection, start_s: float = NOW_S - 60.0, end_s: float = UNTIL_S) -> Freeze:
    return Freeze(direction, start_s, end_s, "ada", "launch day")


def told(target: Target, rps: float = 5.0, ready: int = 4) -> TargetInputs:
    memory = Memory((Recommendation(NOW_S - 400.0, {"h100": 1}),), first_seen_at_s=NOW_S - 4000.0)
    return make_inputs(target, make_observation(target, rps, {"h100": ready}), None, memory)


def decided(*overrides: Override, frozen: tuple[Freeze, ...] = (), rps: float = 5.0, ready: int = 4) -> Decision:
    policy = Policy(Mode.LIVE, SLO, overrides=overrides, freezes=frozen)
    target = make_target((make_variant(low=1, high=10),), policy)
    return decide(make_group(told(target, rps, ready))).decisions[0]


PIN, FLOOR, CEILING, PAUSE = OverrideKind.PIN, OverrideKind.FLOOR, OverrideKind.CEILING, OverrideKind.PAUSE


@pytest.mark.parametrize(
    ("overrides", "replicas"),
    [
        ((said(PIN, 3, api=False), said(PIN, 6)), 6),
        ((said(PIN, 6), said(PIN, 3, api=False)), 6),
        ((said(PIN, 6, made_s=20.0), said(PIN, 3, made_s=10.0)), 6),
        ((said(PIN, 2, made_s=10.0), said(PIN, 5, None, made_s=10.0)), 2),
        ((said(PIN, 2, api=False), said(PIN, 5, api=False)), 5),
        ((said(PIN, 6), said(FLOOR, 8), said(CEILING, 2)), 6),
        ((said(FLOOR, 8), said(CEILING, 6)), 6),
        ((said(CEILING, 6), said(FLOOR, 8)), 6),
        ((said(FLOOR, 5), said(FLOOR, 7)), 7),
        ((said(PAUSE, None), said(PIN, 9)), 4),
        ((said(PIN, 9, until_s=NOW_S),), 1),
        ((said(PIN, 50),), 10),
    ],
)
def test_which_of_several_holds(overrides: tuple[Override, ...], replicas: int) -> None:
    assert decided(*overrides).desired == {"h100": replicas}


def test_the_trail_names_who_until_when_and_why() -> None:
    decision = decided(said(PIN, 6, made_s=2.0), said(PIN, 3, made_s=1.0))
    words = next(r.reason for r in decision.trail if r.rule == "override")
    pinned = "h100 pinned to 6 by ada until 2026-01-05T10:30Z: load test"
    assert words == f"{pinned} (over: {pinned.replace('6 by', '3 by')})"
    assert decision.verdict is Verdict.UP
    assert pinned in decision.reason


def test_a_bound_that_holds_over_a_pin_is_said() -> None:
    words = next(r.reason for r in decided(said(PIN, 50)).trail if r.rule == "override")
    assert words.endswith("load test; maxReplicas 10 of h100 holds all the same")


def test_a_freeze_holds_everything_and_one_of_downs_lets_ups_go() -> None:
    both, down = freeze(FreezeDirection.BOTH), freeze(FreezeDirection.DOWN)
    assert decided(frozen=(both,), rps=500.0).desired == {"h100": 4}
    assert decided(said(PIN, 9), frozen=(both,)).desired == {"h100": 4}
    assert decided(frozen=(down,), rps=1.0).desired == {"h100": 4}
    assert decided(said(PIN, 9), frozen=(down,)).desired == {"h100": 9}
    assert decided(frozen=(down, both), rps=500.0).desired == {"h100": 4}
    assert decided(said(PIN, 9), frozen=(freeze(FreezeDirection.BOTH, NOW_S + 1.0),)).desired == {"h100": 9}
    assert decided(said(PIN, 9), frozen=(freeze(FreezeDirection.BOTH, end_s=NOW_S),)).desired == {"h100": 9}
    held = decided(frozen=(both,), rps=500.0)
    assert held.reason.endswith("freeze, frozen by ada until 2026-01-05T10:30Z: launch day")


@given(
    st.lists(
        st.sampled_from(
            [said(k, 3, v, a) for k in (PIN, FLOOR, CEILING, PAUSE) for v in (None, "h100") for a in (True, False)]
        ),
        max_size=5,
    )
)
def test_one_kind_binds_at_a_time(overrides: list[Override]) -> None:
    holding = in_force(Policy(Mode.LIVE, SLO, overrides=tuple(overrides)), "h100", NOW_S)
    kinds = {o.kind for o in holding}
    assert kinds <= {FLOOR, CEILING} or len(holding) == 1
    assert bool(holding) == bool(overrides)
    assert in_force(Policy(Mode.LIVE, SLO, overrides=tuple(overrides)), "l40s", NOW_S) == in_force(
        Policy(Mode.LIVE, SLO, overrides=tuple(o for o in overrides if o.variant is None)), "l40s", NOW_S
    )


def test_a_pin_below_the_need_is_not_doubted_and_the_plans_own_down_is() -> None:
    target = make_target((make_variant(low=1, high=10),), Policy(Mode.LIVE, SLO, overrides=(said(PIN, 1),)))
    inputs = told(target, 60.0)
    outcome = decide(make_group(inputs))
    assert outcome.decisions[0].desired == {"h100": 1}
    checked = validate(outcome.decisions[0], inputs, outcome.plans[0], inputs.observation)
    assert (checked.allowed, "pinned to 1 by ada" in checked.reason) == (True, True)
    unsaid = replace(inputs, target=make_target((make_variant(low=1, high=10),)))
    assert not validate(outcome.decisions[0], unsaid, outcome.plans[0], inputs.observation).allowed


def test_a_target_gets_what_concerns_it_while_it_holds() -> None:
    target = make_target((make_variant(),), Policy(Mode.LIVE, SLO, overrides=(said(FLOOR, 2, api=False),)))
    both = freeze(FreezeDirection.BOTH)
    later = freeze(FreezeDirection.DOWN, NOW_S + 60.0)
    directives = DirectiveSet(
        {"default/chat": (said(PIN, 6), said(PIN, 7, until_s=NOW_S)), "default/other": (said(PIN, 1),)},
        (
            ScopedFreeze(None, None, both),
            ScopedFreeze("default", "chat", later),
            ScopedFreeze("default", "other", both),
            ScopedFreeze("elsewhere", None, both),
        ),
    )
    policy = directed(target, directives, NOW_S).policy
    assert policy.overrides == (said(FLOOR, 2, api=False), said(PIN, 6))
    assert policy.freezes == (both,)
    assert directed(target, directives, NOW_S + 60.0).policy.freezes == (both, later)
    assert directed(target, directives, UNTIL_S) == target


def price(kind: PriceKind, name: str, usd: float | None, spot: float | None = None) -> PriceOverride:
    return PriceOverride(kind, name, usd, spot, UNTIL_S, "ada", "new contract")


def test_prices_are_replaced_and_a_resources_own_is_not_the_catalogs() -> None:
    catalogs = replace(make_variant(gpus=2), priced_by=PriceSource.CATALOG)
    spot = replace(catalogs, name="spot", capacity_type=CapacityType.SPOT)
    own = make_variant("own", usd=1.0)
    target = make_target((catalogs, spot, own))
    gpu = price(PriceKind.ACCELERATOR, "H100", 2.5, 1.0)

    def prices(*given: PriceOverride) -> list[float]:
        return [v.usd_per_replica_hour for v in directed(target, DirectiveSet(prices=given), NOW_S).variants]

    assert prices(gpu) == [5.0, 2.0, 1.0]
    assert prices(gpu, price(PriceKind.ACCELERATOR, "H100", 3.0)) == [6.0, 2.0, 1.0]
    assert prices(gpu, price(PriceKind.VARIANT, "default/chat/own", 0.5)) == [5.0, 2.0, 0.5]
    assert prices(price(PriceKind.VARIANT, "default/chat/h100", 0.5), gpu) == [0.5, 2.0, 1.0]
    assert directed(target, DirectiveSet(prices=(gpu,)), UNTIL_S) == target


def test_a_tick_of_a_directed_target_replays() -> None:
    directives = DirectiveSet(
        {"default/chat": (said(PIN, 6),)}, (ScopedFreeze(None, None, freeze(FreezeDirection.DOWN)),)
    )
    target = directed(make_target((make_variant(),)), directives, NOW_S)
    assert all(result.reproduced for result in replay_group([make_tick(inputs=make_group(told(target)))]))


def test_the_status_and_the_events_say_it() -> None:
    pinned = make_target((make_variant(low=1),), Policy(Mode.LIVE, SLO, overrides=(said(PIN, 4),)))
    frozen = make_target((make_variant(low=1),), Policy(Mode.LIVE, SLO, freezes=(freeze(FreezeDirection.BOTH),)))
    first = Told(make_tick(inputs=make_group(told(pinned, 500.0))), ())
    then = Told(make_tick("t2", make_group(told(frozen, 500.0)), NOW_S + 15.0), ())
    assert (scaling(first).reason, scaling(then).reason) == ("Override", "Frozen")
    status = status_of(then, None)
    events = {n.reason: n.message for n in notices(then, first, None, status, remind=False)}
    assert events["OverrideEnded"].startswith("no longer h100 pinned to 4 by ada")
    assert events["FreezeActive"].startswith("frozen by ada until")
    assert not {"FreezeActive", "OverrideActive"} & {n.reason for n in notices(then, then, None, status, remind=False)}
