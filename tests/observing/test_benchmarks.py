"""Results of other tools: small files by hand, of the shape that each of them writes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.domain.json_object import FieldError
from controlplane.domain.measurement import Latency
from controlplane.domain.target import Slo
from controlplane.observing.benchmarks import read_benchmarks, written

# vllm/benchmarks/serve.py, result_json without --save-detailed
VLLM: dict[str, object] = {
    "date": "20260301-120000",
    "endpoint_type": "openai",
    "backend": "openai",
    "label": None,
    "model_id": "meta-llama/Llama-3.1-8B-Instruct",
    "tokenizer_id": "meta-llama/Llama-3.1-8B-Instruct",
    "num_prompts": 100,
    "request_rate": 5.0,
    "burstiness": 1.0,
    "max_concurrency": None,
    "duration": 20.0,
    "completed": 98,
    "failed": 2,
    "total_input_tokens": 98000,
    "total_output_tokens": 19600,
    "request_throughput": 4.9,
    "request_goodput": 4.5,
    "output_throughput": 980.0,
    "total_token_throughput": 5880.0,
    "max_output_tokens_per_s": 1200.0,
    "max_concurrent_requests": 17,
    "mean_ttft_ms": 60.0,
    "median_ttft_ms": 50.0,
    "std_ttft_ms": 20.0,
    "p99_ttft_ms": 200.0,
    "mean_tpot_ms": 10.0,
    "median_tpot_ms": 9.0,
    "std_tpot_ms": 1.0,
    "p99_tpot_ms": 15.0,
    "mean_itl_ms": 10.0,
    "median_itl_ms": 8.0,
    "std_itl_ms": 5.0,
    "p99_itl_ms": 40.0,
}


def summary(mean: float, median: float, p99: float) -> dict[str, object]:
    percentiles = {"p001": 0.0, "p01": 0.0, "p50": median, "p90": median, "p95": p99, "p99": p99, "p999": p99}
    kept = {"mean": mean, "median": median, "mode": median, "variance": 1.0, "std_dev": 1.0, "min": 0.0, "max": p99}
    return {
        "successful": kept | {"count": 40, "total_sum": 1.0, "percentiles": percentiles, "pdf": None},
        "errored": kept | {"count": 0, "percentiles": percentiles},
        "incomplete": None,
        "total": None,
    }


# guidellm/benchmark/schemas: report, benchmark, metrics
GUIDELLM: dict[str, object] = {
    "metadata": {"version": 2, "guidellm_version": "0.8.1", "python_version": "3.12", "platform": "Linux"},
    "config": {"model": "Qwen/Qwen3-8B"},
    "benchmarks": [
        {
            "type_": "generative_benchmark",
            "config": {"run_index": 0, "strategy": {"type_": "poisson", "rate": 2.0}},
            "start_time": 1000.0,
            "end_time": 1020.0,
            "duration": 20.0,
            "metrics": {
                "request_totals": {"successful": 40, "errored": 1, "incomplete": 3, "total": 44},
                "requests_per_second": summary(2.0, 2.0, 4.0),
                "request_concurrency": summary(4.5, 4.0, 8.0),
                "request_latency": summary(2.1, 2.0, 3.0),
                "prompt_token_count": summary(1000.0, 1000.0, 1000.0),
                "output_token_count": summary(200.0, 200.0, 200.0),
                "time_to_first_token_ms": summary(80.0, 70.0, 150.0),
                "time_per_output_token_ms": summary(10.4, 10.0, 12.0),
                "inter_token_latency_ms": summary(10.0, 9.9, 11.0),
                "output_tokens_per_second": summary(400.0, 400.0, 800.0),
                "slo_attainment": 0.95,
                "request_goodput": summary(1.9, 2.0, 4.0),
            },
        },
        {
            "type_": "generative_benchmark",
            "config": {"run_index": 1, "strategy": {"type_": "concurrent", "streams": 8}},
            "start_time": 1030.0,
            "end_time": 1050.0,
            "metrics": {
                "request_totals": {"successful": 100, "errored": 0, "incomplete": 0, "total": 100},
                "requests_per_second": summary(5.0, 5.0, 8.0),
                "request_concurrency": summary(8.0, 8.0, 8.0),
                "slo_attainment": None,
                "request_goodput": None,
            },
        },
    ],
}

# AIPerf's "profile_export_aiperf.json Schema"
AIPERF: dict[str, object] = {
    "schema_version": "1.1",
    "aiperf_version": "0.13.0",
    "request_throughput": {"unit": "requests/sec", "avg": 3.0},
    "request_latency": {"unit": "ms", "avg": 2000.0, "p50": 1900.0, "p99": 3000.0, "count": 60},
    "request_count": {"unit": "requests", "avg": 60.0},
    "error_request_count": {"unit": "requests", "avg": 4.0},
    "good_request_count": {"unit": "requests", "avg": 48.0},
    "goodput": {"unit": "requests/sec", "avg": 2.4},
    "time_to_first_token": {"unit": "ms", "avg": 90.0, "p50": 80.0, "p99": 300.0},
    "inter_token_latency": {"unit": "ms", "avg": 9.6, "p50": 9.5, "p99": 14.0},
    "inter_chunk_latency": {"unit": "us", "avg": 9600.0, "p50": 9000.0, "p99": 30000.0},
    "output_token_throughput": {"unit": "tokens/sec", "avg": 600.0},
    "output_sequence_length": {"unit": "tokens", "avg": 200.0},
    "input_sequence_length": {"unit": "tokens", "avg": 1000.0},
    "benchmark_duration": {"unit": "sec", "avg": 20.0},
    "input_config": {
        "models": ["openai/gpt-oss-20b"],
        "phases": [
            {"name": "warmup", "type": "concurrency", "concurrency": 1},
            {"name": "profiling", "type": "poisson", "rate": 3.2, "concurrency": 64},
        ],
    },
    "was_cancelled": False,
}


def test_vllm() -> None:
    (run,) = read_benchmarks(json.dumps(VLLM), "bench.json")
    assert (run.source, run.model, run.rate_rps) == ("vllm", "meta-llama/Llama-3.1-8B-Instruct", 5.0)
    assert (run.requests, run.failed, run.duration_s) == (100, 2, 20.0)
    assert (run.input_tokens, run.output_tokens) == (1000.0, 200.0)
    assert run.ttft == Latency(0.06, 0.05, 0.2)
    assert run.tpot == Latency(pytest.approx(0.01), pytest.approx(0.009), pytest.approx(0.015))
    assert run.itl == Latency(pytest.approx(0.01), pytest.approx(0.008), pytest.approx(0.04))
    assert (run.throughput_rps, run.output_tokens_per_s, run.goodput_rps) == (4.9, 980.0, 4.5)
    # 4.5/s for 20 s are 90 of the 100 that were sent
    assert run.attainment == pytest.approx(0.9)
    # Little's law: 4.9 * (0.060 + 199 * 0.010)
    assert run.concurrency == pytest.approx(4.9 * 2.05)


def test_vllm_appended_runs_without_a_rate_or_percentiles() -> None:
    fewer = {key: value for key, value in VLLM.items() if not key.endswith(("_ttft_ms", "_itl_ms", "failed"))}
    second = fewer | {"request_rate": "inf", "max_concurrency": 16, "request_goodput": None}
    runs = read_benchmarks(f"{json.dumps(VLLM)}\n{json.dumps(second)}", "bench.json")
    assert [run.rate_rps for run in runs] == [5.0, None]
    assert runs[1].ttft is None
    assert runs[1].concurrency == 16
    assert runs[1].goodput_rps is None
    assert runs[1].failed == 2


def test_guidellm() -> None:
    first, second = read_benchmarks(json.dumps(GUIDELLM), "benchmarks.json")
    assert (first.source, first.model, first.rate_rps) == ("guidellm", "Qwen/Qwen3-8B", 2.0)
    # three requests that the end of the run cut off are not the server's failures
    assert (first.requests, first.failed) == (41, 1)
    assert first.ttft == Latency(0.08, 0.07, 0.15)
    # not time_per_output_token_ms, which has the first token in it
    assert first.tpot == Latency(pytest.approx(0.01), pytest.approx(0.0099), pytest.approx(0.011))
    assert (first.input_tokens, first.output_tokens, first.concurrency) == (1000.0, 200.0, 4.5)
    assert (first.goodput_rps, first.attainment, first.duration_s) == (1.9, 0.95, 20.0)
    assert (second.rate_rps, second.concurrency, second.duration_s) == (None, 8.0, 20.0)
    assert second.tpot is None
    assert second.goodput_rps is None


def test_aiperf() -> None:
    (run,) = read_benchmarks(json.dumps(AIPERF), "profile_export_aiperf.json")
    assert (run.source, run.model, run.rate_rps) == ("aiperf", "openai/gpt-oss-20b", 3.2)
    assert (run.requests, run.failed) == (64, 4)
    assert run.concurrency == pytest.approx(6.0)
    assert run.ttft == Latency(0.09, 0.08, 0.3)
    assert run.tpot == Latency(pytest.approx(0.0096), pytest.approx(0.0095), pytest.approx(0.014))
    assert run.itl == Latency(pytest.approx(0.0096), pytest.approx(0.009), pytest.approx(0.03))
    assert (run.goodput_rps, run.attainment) == (2.4, 0.75)
    assert run.duration_s == 20.0


@pytest.mark.parametrize(
    ("config", "rate"),
    [
        ({"loadgen": {"concurrency": 8, "request_rate": 4.0}, "endpoint": {"model_names": ["m"]}}, 4.0),
        ({"perf_analyzer": {"stimulus": {"concurrency": 8}}, "model_names": ["m"]}, None),
        ({"request_rate": 2.5, "concurrency": None, "model_names": ["m"]}, 2.5),
    ],
    ids=["aiperf 0.7", "genai-perf 0.0.16", "genai-perf 0.0.8"],
)
def test_the_forerunners_say_the_load_elsewhere(config: dict[str, object], rate: float | None) -> None:
    (run,) = read_benchmarks(json.dumps(AIPERF | {"input_config": config}), "profile_export_genai_perf.json")
    assert run.rate_rps == rate
    assert run.model == "m"


def test_our_own_document_comes_back_as_it_was() -> None:
    runs = read_benchmarks(json.dumps(GUIDELLM), "benchmarks.json")
    text = written(runs, Slo(2.0, 0.1), runs[0])
    assert read_benchmarks(text, "ours.json") == runs
    document = json.loads(text)
    assert (document["goodput_rps"], document["offered_rps"], document["slo"]["ttft_s"]) == (1.9, 2.0, 2.0)


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 9), st.floats(), st.text(max_size=4), st.just([]), st.just({})
)


@given(st.data())
def test_whatever_a_field_holds_it_is_read_or_named(data: st.DataObject) -> None:
    document = data.draw(st.sampled_from([VLLM, AIPERF, GUIDELLM]))
    changed = document | {data.draw(st.sampled_from(list(document))): data.draw(ODD)}
    if document is GUIDELLM and data.draw(st.booleans()):
        run = GUIDELLM["benchmarks"][0]  # type: ignore[index]
        metrics = run["metrics"] | {data.draw(st.sampled_from(list(run["metrics"]))): data.draw(ODD)}
        changed = GUIDELLM | {"benchmarks": [run | {"metrics": metrics}]}
    try:
        runs = read_benchmarks(json.dumps(changed), "x.json")
    except FieldError:
        return
    assert all(run.requests >= run.failed >= 0 for run in runs)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "x.json is not JSON"),
        ("[1]", "x.json is [1]; allowed: a JSON object"),
        ('{"a": 1, "b": 2}', "x.json has a, b; allowed: the JSON of `vllm bench serve --save-result`"),
        (json.dumps(VLLM | {"mean_ttft_ms": "fast"}), "x.json: mean_ttft_ms is 'fast'; allowed: a finite number"),
        (json.dumps(VLLM | {"duration": -1}), "x.json: duration is -1; allowed: a finite number of 0 or more"),
        ('{"benchmarks": [{}]}', "x.json: benchmarks[0]: metrics is absent"),
        ('{"benchmarks": [3]}', "x.json: benchmarks[0] is 3; allowed: a JSON object"),
        (
            json.dumps(AIPERF | {"time_to_first_token": {"unit": "weeks", "avg": 1}}),
            "x.json: time_to_first_token: unit is 'weeks'; allowed: s, sec",
        ),
        ('{"kind": "tidegate-profile", "measurements": [{"source": 1}]}', "x.json: measurements.0."),
    ],
)
def test_what_cannot_be_read_is_named(text: str, message: str) -> None:
    with pytest.raises(FieldError) as error:
        read_benchmarks(text, "x.json")
    assert message in str(error.value)
