"""What would have changed the answer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.domain.decision import GroupInputs, LoadLevel, Memory, Recommendation, SideForecast, Verdict
from controlplane.planning import decide
from controlplane.planning.counterfactuals import (
    ChangeKind,
    Counterfactual,
    counterfactuals,
    with_load,
    with_price,
    with_slo,
)
from forecasters.regimes import RAMP
from forecasters.types import DEFAULT_LEVELS, Regime
from tests.builders import NOW_S, make_forecast, make_group, make_inputs, make_observation, make_target

TARGET = make_target()
KEY = TARGET.key


def group(rps: float, counts: dict[str, int], held: dict[str, int] | None = None, **gpus: int) -> GroupInputs:
    recent = () if held is None else (Recommendation(NOW_S - 10, held),)
    memory = Memory(recommendations=recent, first_seen_at_s=NOW_S - 3_000_000.0)
    forecast = make_forecast(TARGET, rps * 1.2, spread=rps)
    return make_group(make_inputs(TARGET, make_observation(TARGET, rps, counts), forecast, memory), gpus=gpus)


def of(found: tuple[Counterfactual, ...], kind: ChangeKind) -> list[Counterfactual]:
    return [one for one in found if one.change.kind is kind]


def test_the_rule_that_held_a_down_is_named() -> None:
    inputs = group(23.5, {"h100": 3, "l40s": 1}, {"h100": 4, "l40s": 1})
    assert decide(inputs).decisions[0].verdict is Verdict.HOLD
    (lifted,) = of(counterfactuals(inputs, KEY), ChangeKind.RULE)
    assert (lifted.change.subject, lifted.verdict, lifted.flips) == ("stabilization", Verdict.DOWN, True)
    assert lifted.sentence == "one fewer l40s at 08:00 if the rule stabilization were lifted"


def test_a_tighter_slo_asks_for_more_in_words() -> None:
    found = of(counterfactuals(group(25.0, {"h100": 3, "l40s": 1}, {"h100": 4, "l40s": 1}), KEY), ChangeKind.TPOT_SLO)
    assert [one.sentence for one in found] == ["one more h100 at 08:00 if the TPOT SLO were 50 ms (it is 100 ms)"]


def test_the_smallest_that_flips_is_told_and_no_larger_one() -> None:
    inputs = group(5.0, {"h100": 1})
    (less, more) = of(counterfactuals(inputs, KEY), ChangeKind.LOAD)
    for one, smaller in ((less, 0.75), (more, 1.33)):
        assert one.flips
        assert decide(with_load(inputs, 0, smaller)).decisions[0].verdict is decide(inputs).decisions[0].verdict


def test_half_as_much_again_is_more_of_all_that_is_seen_and_expected() -> None:
    inputs = group(20.0, {"h100": 4})
    (one,) = inputs.targets
    seen = one.observation.load
    assert one.forecast is not None
    assert seen is not None
    ramp = Regime(RAMP, 0.9, None, tuple(20.0 + level for level in DEFAULT_LEVELS))
    side = SideForecast(one.forecast.requests_per_s, (ramp,))
    told = replace(one.forecast, regimes=(ramp,), sides=(side, side), recent_rps=20.0, level=LoadLevel(seen, 0.1))
    more = with_load(make_group(replace(one, forecast=told)), 0, 1.5).targets[0].forecast
    assert more is not None
    assert more.level is not None
    peaks = [more.regimes[0].peak, more.sides[0].regimes[0].peak, more.sides[1].work_s_per_s.peak]
    before = [ramp.peak, ramp.peak, one.forecast.requests_per_s.peak]
    assert peaks == [pytest.approx([1.5 * v for v in peak]) for peak in before]
    assert (more.recent_rps, more.level.load.requests_per_s, more.level.load.input_tokens) == pytest.approx(
        (30.0, 30.0, seen.input_tokens)
    )


def test_one_more_gpu_where_they_are_short() -> None:
    inputs = group(40.0, {"h100": 1}, H100=1, L40S=0)
    found = of(counterfactuals(inputs, KEY), ChangeKind.GPUS)
    assert ("H100", 2.0, Verdict.UP) in [(c.change.subject, c.change.after, c.verdict) for c in found]


def test_a_target_that_is_not_there_is_named() -> None:
    with pytest.raises(KeyError, match=r"default/none.*default/chat"):
        counterfactuals(group(5.0, {"h100": 1}), "default/none")


@settings(max_examples=15, deadline=None)
@given(rps=st.floats(0.5, 60.0), replicas=st.integers(1, 6))
def test_each_is_what_the_decider_says_under_its_change(rps: float, replicas: int) -> None:
    inputs = group(rps, {"h100": replicas})
    before = decide(inputs).decisions[0]
    slo = inputs.targets[0].target.policy.slo
    for one in counterfactuals(inputs, KEY):
        change, after = one.change, one.change.after or 0.0
        match change.kind:
            case ChangeKind.TTFT_SLO:
                changed = with_slo(inputs, 0, replace(slo, ttft_s=after))
            case ChangeKind.PRICE:
                changed = with_price(inputs, 0, change.subject, after)
            case _:
                continue
        again = decide(changed).decisions[0]
        assert (again.verdict, dict(again.desired)) == (one.verdict, dict(one.desired))
        assert one.flips == (again.verdict is not before.verdict)
