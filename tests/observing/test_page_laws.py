"""Any bytes as a page give a fault or an observation: never a crash, never a number that was not there."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics_families
from prometheus_client.parser import text_string_to_metric_families

from controlplane.domain.observation import FaultKind, Histogram, Sample
from controlplane.observing import read_page
from controlplane.observing.dialects import VLLM
from tests.observing.engine_pages import OLD_VLLM_PAGE, PAGES
from tests.observing.test_pages import PAGE

ENGINES = Path(__file__).resolve().parents[2] / ".." / "shared" / "engines"
STATES = ("idle", "under-load", "after-load")
SCALARS = tuple(VLLM.scalars)
HISTOGRAMS = tuple(VLLM.histograms)


def page_of(state: str) -> bytes:
    page = ENGINES / f"vllm-0.32-{state}.metrics.txt"
    if not page.is_file():
        pytest.skip(f"{page} is not there")
    return page.read_bytes()


def read(body: bytes) -> Sample:
    return read_page(body, "r1", "h100", 100.0)


def reference(text: str) -> dict[str, float | Histogram | None]:
    """The same fields by prometheus_client's parser, added up in the plainest way."""
    plain: dict[str, list[float]] = defaultdict(list)
    buckets: dict[str, dict[float, float]] = defaultdict(lambda: defaultdict(float))
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if "le" in sample.labels:
                buckets[sample.name.removesuffix("_bucket")][float(sample.labels["le"])] += sample.value
            else:
                plain[sample.name].append(sample.value)
    found: dict[str, float | Histogram | None] = {}
    for name in SCALARS:
        if VLLM.scalars[name][0].plus[0].where:
            continue
        for metric in VLLM.names(name):
            values = plain.get(f"{metric}_total") or plain.get(metric)
            if values and name != "kv_capacity_tokens":
                found[name] = sum(values) / (len(values) if name in VLLM.means else 1)
                break
    for name in HISTOGRAMS:
        (metric, *_) = VLLM.names(name)
        if metric in buckets:
            bounds = sorted(bound for bound in buckets[metric] if math.isfinite(bound))
            at = tuple(buckets[metric][bound] for bound in bounds)
            found[name] = Histogram(tuple(bounds), at, sum(plain[f"{metric}_sum"]), sum(plain[f"{metric}_count"]))
    return found


def said(sample: Sample, names: Mapping[str, object]) -> dict[str, object]:
    return {name: getattr(sample, name) for name in names}


@pytest.mark.parametrize("state", STATES)
def test_the_engines_pages_read_as_prometheus_reads_them(state: str) -> None:
    body = page_of(state)
    expected = reference(body.decode())
    # All but the capacity, which is in labels, and the aborted, which are a part of the finished.
    assert len(expected) == len(SCALARS) + len(HISTOGRAMS) - 2
    assert said(read(body), expected) == expected


_TEXT = st.text(st.sampled_from('ab{}",=#\\\n é_ 1.+Inf'), max_size=8)
_COUNT = st.integers(0, 10**9).map(float)


def escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


@st.composite
def made_pages(draw: st.DrawFn) -> str:
    """vLLM pages with one or two engines, odd labels and help, time stamps, in any order of families."""
    model = escaped(draw(_TEXT))
    engines = draw(st.integers(1, 2))
    stamp = draw(st.sampled_from(["", " 1767600000000"]))
    blocks = []
    for readings in VLLM.scalars.values():
        name = readings[0].plus[0].name
        if draw(st.booleans()) and not readings[0].plus[0].label and not readings[0].plus[0].where:
            blocks.append(
                f"# HELP {name} {escaped(draw(_TEXT))}\n"
                + "".join(
                    f'{name}{{engine="{i}",model_name="{model}"}} {draw(_COUNT)!r}{stamp}\n' for i in range(engines)
                )
            )
    for family, *_ in VLLM.histograms.values():
        if draw(st.booleans()):
            lines = [f"# TYPE {family.name} histogram\n"]
            for i in range(engines):
                labels = f'engine="{i}",model_name="{model}"'
                low, high = sorted((draw(_COUNT), draw(_COUNT)))
                lines += [f'{family.name}_bucket{{le="0.5",{labels}}} {low}{stamp}\n']
                lines += [f'{family.name}_bucket{{{labels},le="+Inf"}} {high}{stamp}\n']
                lines += [
                    f"{family.name}_count{{{labels}}} {high}\n",
                    f"{family.name}_sum{{{labels}}} {draw(_COUNT)}\n",
                ]
            blocks.append("".join(lines))
    return "".join(draw(st.permutations(blocks)))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(made_pages())
def test_made_pages_read_as_prometheus_reads_them(text: str) -> None:
    expected = reference(text)
    if "vllm:" not in text:
        assert [fault.kind for fault in read(text.encode()).faults] == [FaultKind.NOT_METRICS]
        return
    assert said(read(text.encode()), expected) == pytest.approx(expected)


OPEN_METRICS = """\
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0"} 3.0 1767600000.123
# TYPE vllm:request_success counter
vllm:request_success_total{engine="0"} 5.0 # {trace_id="a b"} 1.0 1767600000.1
vllm:request_success_created{engine="0"} 1767500000.0
# TYPE vllm:time_to_first_token_seconds histogram
vllm:time_to_first_token_seconds_bucket{engine="0",le="0.1"} 3.0 # {trace_id="x"} 0.05
vllm:time_to_first_token_seconds_bucket{engine="0",le="+Inf"} 5.0
vllm:time_to_first_token_seconds_count{engine="0"} 5.0
vllm:time_to_first_token_seconds_sum{engine="0"} 1.5
vllm:time_to_first_token_seconds_created{engine="0"} 1767500000.0
# EOF
"""


def test_open_metrics_pages_are_read_as_well() -> None:
    assert list(open_metrics_families(OPEN_METRICS))  # it is one
    sample = read(OPEN_METRICS.encode())
    assert (sample.running, sample.finished_total) == (3.0, 5.0)
    assert sample.ttft_s == Histogram((0.1,), (3.0,), 1.5, 5.0)


def test_all_that_wraps_a_page_does_not_matter() -> None:
    expected = read(PAGE.encode())
    assert read(b"\xef\xbb\xbf" + PAGE.encode()) == expected
    assert read(PAGE.replace("\n", "\r\n").encode()) == expected
    assert read(PAGE.replace("} ", "}\t").replace("\n", "  \n\n").encode()) == expected
    assert read(b'# HELP x {"\xff\xfe\nnode_info{name="\xff"} 1\n' + PAGE.encode()) == expected


@pytest.mark.parametrize("value", ["1e400", "-1e400", "NaN", "+Inf", "-7", "-0.001"])
def test_a_number_that_cannot_be_is_none_wherever_it_stands(value: str) -> None:
    for line in PAGE.splitlines():
        if line.startswith("#") or "cache_config" in line:
            continue
        head, _, _ = line.rpartition(" ")
        sample = read(PAGE.replace(line, f"{head} {value}").encode())
        expected = FaultKind.NEGATIVE if value in ("-7", "-0.001") else FaultKind.NOT_FINITE
        assert {fault.kind for fault in sample.faults} >= {expected}
        assert any(getattr(sample, name) is None and getattr(read(PAGE.encode()), name) is not None for name in FIELDS)


@pytest.mark.parametrize("value", ["1_000", "0x1p3", "abc", "1,5", '"5"', "--1"])
def test_what_is_no_number_spoils_the_page(value: str) -> None:
    sample = read(PAGE.replace("} 800.0", f"}} {value}").encode())
    assert [fault.kind for fault in sample.faults] == [FaultKind.NOT_METRICS]


def test_a_series_that_stands_there_twice_is_not_counted_twice() -> None:
    line = 'vllm:generation_tokens_total{engine="0"} 800.0\n'
    sample = read((PAGE + line).encode())
    assert sample.generation_tokens_total is None
    assert (FaultKind.DUPLICATE, "vllm:generation_tokens_total") in {(f.kind, f.metric) for f in sample.faults}


def test_one_engine_of_two_that_cannot_be_believed_spoils_the_sum() -> None:
    sample = read((PAGE + 'vllm:generation_tokens_total{engine="1"} NaN\n').encode())
    assert sample.generation_tokens_total is None


def test_one_engine_of_two_without_its_sum_spoils_the_histogram() -> None:
    more = (
        PAGE
        + 'vllm:request_prompt_tokens_bucket{engine="1",le="+Inf"} 9\nvllm:request_prompt_tokens_count{engine="1"} 9\n'
    )
    sample = read(more.encode())
    assert sample.prompt_tokens is None
    assert [(f.kind, f.metric) for f in sample.faults] == [(FaultKind.MISSING, "vllm:request_prompt_tokens")]


def test_a_counter_in_both_forms_is_one_counter() -> None:
    assert read((PAGE + 'vllm:generation_tokens{engine="0"} 800.0\n').encode()).generation_tokens_total == 800.0


def test_a_total_below_its_buckets_is_at_least_theirs() -> None:
    ttft = read(PAGE.replace('seconds_count{engine="0"} 5.0', 'seconds_count{engine="0"} 2.0').encode()).ttft_s
    assert ttft is not None
    assert ttft.count == 3.0


FIELDS = (*SCALARS, *HISTOGRAMS)
FULL = PAGE.encode()


def check_believable(sample: Sample, whole: Sample) -> None:
    """Faults are named for what is gone, and nothing is nought that was not."""
    for name in FIELDS:
        before, now = getattr(whole, name), getattr(sample, name)
        assert now != 0.0 or before == 0.0, name
        if isinstance(now, Histogram):
            assert now.count > 0 or before.count == 0, name
        if before is not None and now is None and name in VLLM.required:
            assert sample.faults, name


def test_a_page_cut_anywhere_is_named_or_believable() -> None:
    whole = read(FULL)
    for end in range(len(FULL)):
        cut = read(FULL[:end])
        assert cut.faults
        check_believable(cut, whole)


LINES = FULL.splitlines(keepends=True)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, len(LINES) - 1), max_size=6), st.lists(st.integers(0, len(LINES) - 1), max_size=3))
def test_lines_that_are_lost_or_come_twice_are_named_or_believable(lost: list[int], again: list[int]) -> None:
    kept = [line for place, line in enumerate(LINES) if place not in lost] + [LINES[place] for place in again]
    check_believable(read(b"".join(kept)), read(FULL))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_any_bytes_give_a_fault_or_a_sample(body: bytes) -> None:
    sample = read(body)
    assert sample.faults or any(getattr(sample, name) is not None for name in FIELDS)


_BASES = [FULL, OPEN_METRICS.encode(), *(page.text.encode() for page in PAGES)]
_CHUNKS = st.binary(max_size=5) | st.sampled_from(
    [
        b"\n",
        b"{",
        b"}",
        b'"',
        b"\\",
        b" ",
        b"\t",
        b"#",
        b"NaN",
        b"-",
        b"1e400",
        b"\xff",
        b"\r\n",
        b'le="',
        b"_total",
        b"\x00",
    ]
)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(_BASES), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 9), _CHUNKS), min_size=1, max_size=4)
)
def test_garbled_pages_give_a_fault_or_a_sample(base: bytes, edits: list[tuple[float, int, bytes]]) -> None:
    for where, lost, put in edits:
        place = int(where * len(base))
        base = base[:place] + put + base[place + lost :]
    sample = read(base)
    assert sample.faults or sample.engine
    for name in FIELDS:
        value = getattr(sample, name)
        if isinstance(value, Histogram):
            assert list(value.cumulative) == sorted(value.cumulative)
            assert value.cumulative[-1] <= value.count < math.inf
        elif value is not None:
            assert 0 <= value < math.inf


def test_what_an_old_page_lacks_is_not_nought() -> None:
    assert read(OLD_VLLM_PAGE.text.encode()).uncached_prompt_tokens is None


def test_two_engines_whose_sum_is_beyond_numbers_say_nothing() -> None:
    page = PAGE.replace("} 800.0", "} 1e308") + 'vllm:generation_tokens_total{engine="1"} 1e308\n'
    assert read(page.encode()).generation_tokens_total is None
