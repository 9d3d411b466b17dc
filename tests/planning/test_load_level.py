"""A load whose minutes differ by chance: what is taken to come."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from controlplane.domain.decision import Demand, LoadLevel, Memory
from controlplane.domain.observation import EXPONENTIAL_LENGTHS, Load
from controlplane.planning.demand import demand
from controlplane.planning.explain import sentences
from controlplane.planning.load_level import NOTICED, load_level
from controlplane.planning.recent_load import RecentLoad
from controlplane.planning.work import side_costs
from tests.builders import NOW_S, make_forecast, make_group, make_inputs, make_observation, make_target, make_tick

LOAD = Load(10.0, 1000.0, 200.0, 250_000.0)


def seen(rates: list[float], prompts: list[float] | None = None) -> RecentLoad:
    """One observation a minute, of requests whose prompts have the mean that is given."""
    recent = RecentLoad()
    for minute, rate in enumerate(rates):
        prompt = prompts[minute] if prompts else 1000.0
        lengths = tuple(prompt * depth for depth in EXPONENTIAL_LENGTHS)
        load = Load(rate, prompt, 200.0, 200.0 * (prompt + 200.0), 0.0, 2.0 * prompt**2, lengths, lengths)
        recent = recent.adding(load, 60.0 * minute)
    return recent


def noisy(minutes: int = 60, noise: float = 0.2, rate: float = 100.0, seed: int = 1) -> list[float]:
    return (rate * (1.0 + np.random.default_rng(seed).normal(0.0, noise, minutes))).tolist()


def of(recent: RecentLoad) -> LoadLevel | None:
    return load_level(recent, recent.at_s[-1], side_costs(make_target()), 0.0)


def test_a_steady_load_has_no_level_of_its_own() -> None:
    assert of(seen([100.0] * 60)) is None
    assert of(seen([100.0 * 1.02**minute for minute in range(60)])) is None, "nor one that grows"


def test_a_noisy_load_stands_where_it_stands() -> None:
    found = of(seen([*noisy(), 150.0]))
    assert found is not None
    assert found.load.requests_per_s == pytest.approx(100.0, rel=0.12)
    assert found.noise == pytest.approx(0.2, rel=0.35)


def test_lengths_that_jump_about_are_brought_to_their_level_and_keep_their_spread() -> None:
    found = of(seen([100.0] * 61, [*noisy(rate=1000.0), 1500.0]))
    assert found is not None
    prompt = found.load.input_tokens
    assert prompt == pytest.approx(1000.0, rel=0.12)
    assert found.load.requests_per_s == pytest.approx(100.0)
    assert found.load.input_tokens_squared == pytest.approx(2.0 * prompt**2)
    assert found.load.input_lengths == pytest.approx(tuple(prompt * depth for depth in EXPONENTIAL_LENGTHS))
    assert found.noise > 4 * NOTICED


def test_where_a_minute_had_nothing_or_the_last_is_not_known_nothing_is_said() -> None:
    silent = noisy()
    silent[30] = 0.0
    assert of(seen(silent)) is None
    recent = seen(noisy())
    assert load_level(recent, recent.at_s[-1] + 3600.0, side_costs(make_target()), 0.0) is None
    assert load_level(RecentLoad(), 0.0, (), 0.0) is None


def test_pages_without_lengths_have_none() -> None:
    recent = RecentLoad()
    for minute, rate in enumerate(noisy()):
        recent = recent.adding(Load(rate, 1000.0, 200.0, 250_000.0), 60.0 * minute)
    found = of(recent)
    assert found is not None
    assert (found.load.input_lengths, found.load.input_tokens_squared) == ((), None)


def planned(level: LoadLevel | None, now_rps: float) -> Demand:
    """What is planned for a target seen for a quarter of an hour, whose last minute had `now_rps`."""
    target = make_target()
    forecast = replace(make_forecast(target, 10.0), level=level)
    memory = Memory(first_seen_at_s=NOW_S - 900.0)
    found = demand(make_inputs(target, make_observation(target, now_rps), forecast, memory))
    assert found is not None
    return found


def test_it_is_planned_for_the_level_and_not_for_the_minute() -> None:
    level = LoadLevel(LOAD, 0.2)
    assert planned(level, 16.0).requests_per_s == planned(level, 6.0).requests_per_s
    assert planned(level, 16.0).requests_per_s < planned(None, 16.0).requests_per_s


def test_who_asks_why_is_told_of_the_noise() -> None:
    target = make_target()
    forecast = replace(make_forecast(target, 10.0), level=LoadLevel(LOAD, 0.2))
    inputs = make_inputs(target, make_observation(target, 16.0), forecast, Memory(first_seen_at_s=NOW_S - 900.0))
    said = sentences(make_tick(inputs=make_group(inputs)))[0]
    assert "16.00 requests/s came (10.00 but for the noise of its minutes, 20%)" in said
