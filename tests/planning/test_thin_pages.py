"""What is learned from pages of a few lines: no histograms, so no lengths' spread and no latency."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlplane.domain import catalog
from controlplane.domain.decision import Calibration, Memory
from controlplane.domain.observation import LatencySummary
from controlplane.planning.calibration import calibrations
from controlplane.planning.roofline import prior
from tests.builders import make_inputs, make_observation, make_target, make_variant

RPS, ISL, OSL, STEP_S = 10.0, 3000.0, 100.0, 0.04
COST = prior(catalog.model("llama-3.1-8b"), catalog.accelerator("H100"), 1)


def learned(thin: bool, finishing: bool = True) -> Calibration:
    """After half an hour of an engine that is just as the prior says, with exponential prompts; `finishing` is whether
    answers ended in the window, of which alone TPOT is told."""
    target = make_target((make_variant(),))
    observation = make_observation(target, RPS, {"h100": 1})
    assert observation.load is not None
    context = OSL * ISL + OSL**2
    load = replace(observation.load, requests_per_s=RPS, input_tokens=ISL, output_tokens=OSL)
    load = replace(load, context_tokens_weighted=context, input_tokens_squared=None if thin else 2.0 * ISL**2)
    reading_s = COST.b_s_per_token * ISL + COST.e_s_per_token_pair * ISL**2
    work_s = reading_s + COST.c_s_per_sequence * OSL + COST.d_s_per_token * context
    step_s = COST.a_s / (1.0 - RPS * work_s)
    # By Little's law a request's own prompt lengthens the time that each of its tokens takes.
    shown_s = step_s + reading_s / OSL if thin else step_s
    told = None if thin else LatencySummary(600, step_s, step_s, step_s, step_s, 1.0)
    (seen,) = observation.variants
    seen = replace(seen, arrival_rps=RPS, finished_rps=RPS, generation_tokens_per_s=RPS * OSL)
    seen = replace(seen, prompt_tokens_per_s=RPS * ISL, step_time_s=shown_s, ttft=told)
    seen = replace(seen, tpot=told if finishing else None)
    seen = replace(seen, step_batch=RPS * OSL * step_s, step_prompt_tokens=RPS * ISL * step_s)
    known: dict[str, Calibration] = {}
    for _ in range(120):
        inputs = make_inputs(target, replace(observation, load=load, variants=(seen,)))
        known = calibrations(replace(inputs, memory=Memory(calibrations=known)))
    return known["h100"]


@pytest.mark.parametrize("thin", [False, True])
def test_an_engine_that_is_as_the_prior_says_is_learned_as_such(thin: bool) -> None:
    assert learned(thin).factors == pytest.approx((1.0,) * 4, abs=0.01)


def test_long_answers_of_which_none_ended_make_no_page_thin() -> None:
    assert learned(thin=False, finishing=False).factors == pytest.approx((1.0,) * 4, abs=0.01)
