"""The cost of a step from runs: made-up engines whose coefficients are known, and measured ones."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.domain import catalog
from controlplane.domain.measurement import Latency, Measurement
from controlplane.planning.roofline import StepCost, prior
from controlplane.planning.step_fit import TooFewPoints, fit_step_cost

PRIOR = prior(catalog.model("llama-3.1-8b"), catalog.accelerator("H100"), 1)
TABLE = Path(__file__).resolve().parents[2] / ".." / "shared" / "profiles" / "measured_e2e_agg.csv"


def run_at(cost: StepCost, rate: float, isl: float, osl: float) -> Measurement | None:
    """What an engine of that cost shows at that rate; None beyond its capacity."""
    work_s = cost.b_s_per_token * isl + cost.c_s_per_sequence * osl + cost.d_s_per_token * osl * (isl + osl / 2)
    if rate * work_s >= 0.95:
        return None
    tpot_s = cost.a_s / (1 - rate * work_s)
    ttft_s = cost.a_s + cost.b_s_per_token * isl
    in_flight = rate * osl * tpot_s
    idle = Latency(ttft_s, None, None) if in_flight < 1 else None
    tpot = Latency(tpot_s, None, None)
    return Measurement("t", None, rate, in_flight, isl, osl, 100, 0, 60, idle, tpot, None, rate, rate * osl)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.5, 2.0), st.floats(0.5, 2.0), st.floats(0.5, 2.0), st.floats(0.5, 2.0))
def test_a_known_engine_is_found_again(a: float, b: float, c: float, d: float) -> None:
    true = StepCost(PRIOR.a_s * a, PRIOR.b_s_per_token * b, PRIOR.c_s_per_sequence * c, PRIOR.d_s_per_token * d)
    made = [run_at(true, rate, isl, osl) for rate in (0.2, 1, 3, 6, 10) for isl, osl in ((100, 400), (2000, 100))]
    runs = [run for run in made if run is not None]
    fitted = fit_step_cost(runs, PRIOR)
    assert fitted.relative_error < 0.03
    assert fitted.cost.a_s == pytest.approx(true.a_s, rel=0.03)
    for run in runs:
        assert run.tpot is not None
        assert run.tpot.mean_s is not None
        steps = (run.rate_rps or 0) * run.tpot.mean_s
        isl, osl = run.input_tokens or 0, run.output_tokens or 0
        predicted = fitted.cost.step_s(steps * isl, steps * osl, steps * osl * (isl + osl / 2))
        assert predicted == pytest.approx(run.tpot.mean_s, rel=0.06)


def test_what_the_runs_do_not_show_stays_the_priors() -> None:
    # All at the same mix and nearly idle: the step's fixed part is seen, what context costs is not.
    runs = [run for rate in (0.1, 0.2, 0.3) if (run := run_at(PRIOR, rate, 100, 50)) is not None]
    fitted = fit_step_cost(runs, PRIOR)
    assert fitted.cost.a_s == pytest.approx(PRIOR.a_s, rel=0.02)
    assert fitted.cost.d_s_per_token == pytest.approx(PRIOR.d_s_per_token, rel=0.05)


def test_too_few_runs_are_refused_in_words() -> None:
    empty = Measurement("t", None, 1.0, None, None, None, 1, 0, None, None, None, None, None, None)
    with pytest.raises(TooFewPoints, match="2 runs give 0 equations; allowed: at least 3"):
        fit_step_cost([empty, empty], PRIOR)


def measured(model: str, gpu: str, backend: str, tp: str) -> list[Measurement]:
    if not TABLE.is_file():
        pytest.skip(f"the measured tables are absent: {TABLE}")
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if (row["model"], row["gpu"], row["backend"], row["tp_size"]) == (model, gpu, backend, tp)
        ]
    return [measurement(row) for row in rows]


def measurement(row: dict[str, str]) -> Measurement:
    tpot_s, ttft_s, rate = float(row["tpot_ms"]) / 1e3, float(row["ttft_ms"]) / 1e3, float(row["req_s_per_replica"])
    isl, osl = float(row["isl"]), float(row["osl"])
    return Measurement(
        *("table", row["model"], None, float(row["concurrency_eff"]), isl, osl, 1, 0, None),
        *(Latency(ttft_s, None, None), Latency(tpot_s, None, None), None, rate, rate * osl),
    )


@pytest.mark.parametrize("tp", ["2.0", "4.0"])
def test_measured_tables_are_met_on_the_half_that_was_not_fitted(tp: str) -> None:
    runs = measured("Qwen/Qwen3-32B", "h100_sxm", "vllm", tp)
    cost = fit_step_cost(runs[::2], prior(catalog.model("qwen3-32b"), catalog.accelerator("H100"), int(float(tp)))).cost
    errors = []
    for run in runs[1::2]:
        assert run.tpot is not None
        seconds, steps = run.tpot.mean_s or 0.0, (run.throughput_rps or 0.0) * (run.tpot.mean_s or 0.0)
        isl, osl = run.input_tokens or 0.0, run.output_tokens or 0.0
        errors.append(abs(cost.step_s(steps * isl, steps * osl, steps * osl * (isl + osl / 2)) / seconds - 1))
    print(f"TP{tp}: {cost}, median error {sorted(errors)[len(errors) // 2]:.1%}")
    assert sorted(errors)[len(errors) // 2] < 0.25
