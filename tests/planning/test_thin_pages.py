"""What is learned from pages of a few lines: no histograms, so no lengths' spread and no latency."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlplane.domain import catalog
from controlplane.domain.decision import Calibration, Memory
from controlplane.domain.observation import LatencySummary
from controlplane.domain.target import Role
from controlplane.planning.calibration import BUSIEST, COUNTS_LIMITS, PRIOR, calibrations
from controlplane.planning.queues import shared_wait
from controlplane.planning.roofline import MAX_BATCHED_TOKENS, prior
from controlplane.planning.third_party import ReplicaState, Stepper
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


def read(seconds: float, busy: float, held: float, replicas: int = 5, times: float = 1.3) -> Calibration:
    """What is learned, in so many seconds, of replicas that read prompts alone, take `times` the prior and are `busy`,
    and hold `held` prompts in all."""
    target = make_target((make_variant("p", role=Role.PREFILL), make_variant("d", role=Role.DECODE)))
    observation = make_observation(target, RPS, {"p": replicas, "d": 1})
    assert observation.load is not None
    load = replace(observation.load, input_tokens=ISL)
    turn_s = (COST.b_s_per_token + COST.a_s / MAX_BATCHED_TOKENS) * ISL + COST.e_s_per_token_pair * ISL**2
    rps = replicas * busy / (times * turn_s)
    reading, decode = observation.variants
    reading = replace(reading, arrival_rps=rps, finished_rps=rps, prompt_tokens_per_s=rps * ISL)
    reading = replace(reading, running=held / 2.0, waiting=held / 2.0, queued_mean=held / 2.0)
    known: dict[str, Calibration] = {}
    for _ in range(int(seconds / target.policy.interval_s)):
        inputs = make_inputs(target, replace(observation, load=load, variants=(reading, decode)))
        known = calibrations(replace(inputs, memory=Memory(calibrations=known)))
    return known["p"]


def held(busy: float, replicas: int) -> float:
    """Prompts at replicas that are so busy: those that are read, and those that wait."""
    waits, wait = shared_wait(busy, replicas, 2.0)
    return replicas * busy * (1.0 + waits * wait)


@pytest.mark.parametrize("busy", [0.3, 0.6, 0.85, 0.95])
@pytest.mark.parametrize("times", [0.8, 1.3])
@pytest.mark.parametrize("replicas", [1, 5, 20])
def test_a_prefill_replica_without_latencies_is_known_by_what_it_holds(
    busy: float, times: float, replicas: int
) -> None:
    found = read(3600.0, busy, held(busy, replicas), replicas, times)
    assert found.ratio == pytest.approx(times, rel=0.02)
    assert found.factors[1] == pytest.approx(1.0 + (times - 1.0) * 900.0 / 1200.0, rel=0.02)


def test_a_standing_queue_tells_that_what_is_finished_is_all_that_can_be() -> None:
    assert read(3600.0, 1.0, 500.0).ratio == pytest.approx(BUSIEST * 1.3, rel=0.01)


def test_counts_are_less_evidence_than_latencies_and_move_little_beyond_the_prior() -> None:
    assert 1.0 < read(60.0, 0.95, held(0.95, 5)).factors[1] < 1.1
    # An engine that counts prompts whose cache is on its way seems always busy.
    assert read(36_000.0, 0.2, 500.0).factors[1] < COUNTS_LIMITS[1]
    assert read(36_000.0, 0.9, 0.0).factors[1] > COUNTS_LIMITS[0]


def test_counts_that_are_not_told_teach_nothing() -> None:
    target = make_target((make_variant("p", role=Role.PREFILL), make_variant("d", role=Role.DECODE)))
    observation = make_observation(target, RPS, {"p": 2, "d": 1})
    seen = replace(observation.variants[0], arrival_rps=RPS, finished_rps=RPS)
    for one in (replace(seen, queued_mean=None), replace(seen, running=None), replace(seen, finished_rps=None)):
        found = calibrations(make_inputs(target, replace(observation, variants=(one, observation.variants[1]))))
        assert found["p"] == PRIOR


def test_four_lines_of_each_role_are_enough() -> None:
    """What docs/stepper.md says that a Prefill and a Decode replica's page must hold at least."""
    variants = "".join(
        f"  - {{name: {name}, accelerator: H100, role: {role}, minReplicas: 1, maxReplicas: 20}}\n"
        for name, role in (("p", "Prefill"), ("d", "Decode"))
    )
    stepper = Stepper.from_yaml(
        "apiVersion: tidegate.io/v1alpha1\nkind: InferenceAutoscaler\nmetadata: {name: chat}\nspec:\n"
        f"  model: llama-3.1-8b\n  slo: {{ttftSeconds: 2, tpotSeconds: 0.1}}\n  variants:\n{variants}"
    )
    gauges = "vllm:num_requests_running {}\nvllm:num_requests_waiting 0\nvllm:request_success_total {}\n"
    for now_s in range(0, 1800, 15):
        done = 20.0 * now_s
        pages = {
            "p-0": gauges.format(0.5, done) + f"vllm:prompt_tokens_total {800 * done}\n",
            "d-0": gauges.format(30.0, done) + f"vllm:generation_tokens_total {150 * done}\n",
        }
        replicas = [ReplicaState(f"{name}-0", name, "Ready") for name in ("p", "d")]
        answer = stepper.step(now_s, replicas, pages, desired={"p": 1, "d": 1})
    inputs = answer.only.inputs
    assert answer.plan is not None
    assert answer.plan.demand is not None
    assert answer.plan.demand.input_tokens == pytest.approx(800.0, rel=0.02)
    assert answer.plan.demand.output_tokens == pytest.approx(150.0, rel=0.02)
    assert all(capacity.requests_per_s > 1.0 for capacity in answer.plan.capacities)
    assert all(known.factors for known in inputs.memory.calibrations.values()), "both are learned"
