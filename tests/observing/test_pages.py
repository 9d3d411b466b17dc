"""A metrics page -> a Sample: vLLM's own pages, and every way in which a page can be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from controlplane.domain.observation import FaultKind, Sample
from controlplane.observing import read_page

ENGINES = Path(__file__).resolve().parents[2] / ".." / "shared" / "engines"

PAGE = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0"} 3.0
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0"} 2.0
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{engine="0"} 0.25
# TYPE vllm:cache_config_info gauge
vllm:cache_config_info{block_size="16",num_gpu_blocks="1000"} 1.0
# TYPE vllm:generation_tokens_total counter
vllm:generation_tokens_total{engine="0"} 800.0
# TYPE vllm:request_success_total counter
vllm:request_success_total{engine="0",finished_reason="stop"} 4.0
vllm:request_success_total{engine="0",finished_reason="length"} 1.0
# TYPE vllm:time_to_first_token_seconds histogram
vllm:time_to_first_token_seconds_bucket{engine="0",le="0.1"} 3.0
vllm:time_to_first_token_seconds_bucket{engine="0",le="+Inf"} 5.0
vllm:time_to_first_token_seconds_sum{engine="0"} 1.5
vllm:time_to_first_token_seconds_count{engine="0"} 5.0
# TYPE vllm:request_prompt_tokens histogram
vllm:request_prompt_tokens_bucket{engine="0",le="1000.0"} 5.0
vllm:request_prompt_tokens_bucket{engine="0",le="+Inf"} 5.0
vllm:request_prompt_tokens_sum{engine="0"} 2500.0
vllm:request_prompt_tokens_count{engine="0"} 5.0
"""


def read(text: str) -> Sample:
    return read_page(text.encode(), "r1", "h100", 100.0)


def kinds(sample: Sample) -> list[tuple[FaultKind, str]]:
    return [(fault.kind, fault.metric) for fault in sample.faults]


def without(start: str) -> str:
    return "\n".join(line for line in PAGE.split("\n") if not line.startswith(start))


def test_a_page_is_read() -> None:
    sample = read(PAGE)
    assert (sample.running, sample.waiting, sample.kv_usage, sample.kv_capacity_tokens) == (3.0, 2.0, 0.25, 16_000.0)
    assert (sample.finished_total, sample.generation_tokens_total) == (5.0, 800.0)
    assert sample.ttft_s is not None
    assert (sample.ttft_s.bounds, sample.ttft_s.cumulative, sample.ttft_s.count) == ((0.1,), (3.0,), 5.0)
    assert sample.faults == ()


@pytest.mark.parametrize("state", ["idle", "under-load", "after-load"])
def test_the_engines_own_pages_are_read_whole(state: str) -> None:
    page = ENGINES / f"vllm-0.32-{state}.metrics.txt"
    if not page.is_file():
        pytest.skip(f"{page} is not there")
    sample = read_page(page.read_bytes(), "r1", "h100", 100.0)
    assert sample.faults == ()
    assert [name for name in Sample.__dataclass_fields__ if getattr(sample, name) is None] == ["lora"]
    assert sample.kv_capacity_tokens == 4_194_304.0
    if state == "under-load":
        assert (sample.running, sample.waiting, sample.finished_total) == (6.0, 31.0, 7.0)


@pytest.mark.parametrize(
    ("metric", "attribute"),
    [
        ("vllm:num_requests_running", "running"),
        ("vllm:num_requests_waiting", "waiting"),
        ("vllm:kv_cache_usage_perc", "kv_usage"),
        ("vllm:request_success", "finished_total"),
        ("vllm:time_to_first_token_seconds", "ttft_s"),
        ("vllm:request_prompt_tokens", "prompt_tokens"),
    ],
)
def test_what_is_missing_is_none_and_named(metric: str, attribute: str) -> None:
    sample = read(without(metric).replace(f"# TYPE {metric}", "# "))
    assert getattr(sample, attribute) is None
    assert (FaultKind.MISSING, metric) in kinds(sample)


@pytest.mark.parametrize(
    ("value", "kind"), [("NaN", FaultKind.NOT_FINITE), ("+Inf", FaultKind.NOT_FINITE), ("-1.0", FaultKind.NEGATIVE)]
)
def test_a_value_that_cannot_be_is_none_and_named(value: str, kind: FaultKind) -> None:
    line = 'vllm:num_requests_waiting{engine="0"} '
    sample = read(PAGE.replace(line + "2.0", line + value))
    assert sample.waiting is None
    assert (kind, "vllm:num_requests_waiting") in kinds(sample)


@pytest.mark.parametrize("value", ["NaN", None])
@pytest.mark.parametrize("part", ["sum", "count"])
def test_a_histogram_without_its_sum_or_count_is_not_nought(part: str, value: str | None) -> None:
    start = f"vllm:request_prompt_tokens_{part}"
    bad = without(start) if value is None else without(start) + f'\n{start}{{engine="0"}} {value}\n'
    sample = read(bad)
    assert sample.prompt_tokens is None
    assert (FaultKind.MISSING, "vllm:request_prompt_tokens") in kinds(sample)


def test_an_older_name_is_read_and_named() -> None:
    sample = read(PAGE.replace("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"))
    assert sample.kv_usage == 0.25
    assert kinds(sample) == [(FaultKind.RENAMED, "vllm:gpu_cache_usage_perc")]


@pytest.mark.parametrize(
    "body", [b"", b"404 page not found\n", b"<html><body>hi</body></html>", b"\xff\xfe\x00", b"{}"]
)
def test_what_is_no_metrics_page_says_nothing(body: bytes) -> None:
    sample = read_page(body, "r1", "h100", 100.0)
    assert [fault.kind for fault in sample.faults] == [FaultKind.NOT_METRICS]
    assert sample == Sample("r1", "h100", 100.0, faults=sample.faults)


def test_engines_behind_one_page_are_added_up() -> None:
    second = "\n".join(line.replace('engine="0"', 'engine="1"') for line in PAGE.split("\n") if 'engine="0"' in line)
    lines = sorted({*PAGE.strip().split("\n"), *second.strip().split("\n")}, key=_family)
    sample = read("\n".join(lines) + "\n")
    assert (sample.running, sample.finished_total, sample.kv_usage) == (6.0, 10.0, 0.25)
    assert sample.ttft_s is not None
    assert sample.ttft_s.count == 10.0


def _family(line: str) -> tuple[str, bool, str]:
    """Families together, each one's TYPE line first, as the exposition format asks."""
    words = line.lstrip("# ").split()
    name = words[1] if line.startswith("#") else line.split("{")[0]
    for suffix in ("_bucket", "_sum", "_count", "_total"):
        name = name.removesuffix(suffix)
    return name, not line.startswith("#"), line


def test_a_page_without_type_lines_is_read_as_well() -> None:
    assert read("\n".join(line for line in PAGE.split("\n") if not line.startswith("#"))) == read(PAGE)


def test_time_stamps_exemplars_and_braces_in_labels_do_not_matter() -> None:
    odd = (
        'vllm:num_requests_running{model_name="a b}c"} 3.0 1767600000000\n'
        'vllm:request_success_total{finished_reason="stop"} 4 # {trace_id="x"} 0.5 1.0\n'
        "vllm:num_requests_waiting 2\n"
    )
    sample = read(odd)
    assert (sample.running, sample.finished_total, sample.waiting) == (3.0, 4.0, 2.0)


@pytest.mark.parametrize("end", ['vllm:num_requests_running{engine="0"', "vllm:num_requests_running ", "<html>"])
def test_a_page_that_breaks_off_says_nothing(end: str) -> None:
    sample = read(PAGE + end + "\n")
    assert [fault.kind for fault in sample.faults] == [FaultKind.NOT_METRICS]


def test_engines_with_unlike_buckets_behind_one_page_never_go_down() -> None:
    name = "vllm:time_to_first_token_seconds"
    second = f'{name}_bucket{{engine="1",le="0.5"}} 1.0\n{name}_sum{{engine="1"}} 1\n{name}_count{{engine="1"}} 1\n'
    ttft = read(PAGE + second).ttft_s
    assert ttft is not None
    assert (ttft.bounds, ttft.cumulative, ttft.count) == ((0.1, 0.5), (3.0, 3.0), 6.0)
