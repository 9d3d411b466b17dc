"""Every engine's page is known by itself and read in its own words and units."""

from __future__ import annotations

import dataclasses

import pytest

from controlplane.domain.observation import FaultKind, Histogram, Sample
from controlplane.observing import read_page
from controlplane.observing.dialects import ENGINES, ROUTERS
from tests.observing.engine_pages import (
    OLD_VLLM_PAGE,
    PAGES,
    SGLANG_PAGE,
    TRITON_PAGE,
    TRTLLM_PAGE,
    WORKER_PAGE,
    EnginePage,
    histogram,
)


def read(text: str) -> Sample:
    return read_page(text.encode(), "r1", "h100", 100.0)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.engine)
def test_an_engines_page_is_known_and_read(page: EnginePage) -> None:
    sample = read(page.text)
    assert sample.engine == page.engine
    assert {name: getattr(sample, name) for name in page.scalars} == pytest.approx(dict(page.scalars))
    for name, (bound, first, total, count) in page.histograms.items():
        found = getattr(sample, name)
        assert isinstance(found, Histogram), name
        assert (found.bounds[0], found.cumulative[0], found.sum, found.count) == pytest.approx(
            (bound, first, total, count)
        )


@pytest.mark.parametrize("page", [page for page in PAGES if page is not OLD_VLLM_PAGE], ids=lambda page: page.engine)
def test_a_current_page_is_without_fault(page: EnginePage) -> None:
    assert read(page.text).faults == ()


def test_what_vllm_has_renamed_is_read_and_named() -> None:
    faults = {(fault.kind, fault.metric) for fault in read(OLD_VLLM_PAGE.text).faults}
    assert faults == {
        (FaultKind.RENAMED, "vllm:gpu_cache_usage_perc"),
        (FaultKind.RENAMED, "vllm:time_per_output_token_seconds"),
    }


def test_sglang_of_long_ago_is_read_and_named() -> None:
    text = SGLANG_PAGE.text.replace("sglang:inter_token_latency_seconds", "sglang:time_per_output_token_seconds")
    sample = read(text)
    assert sample.itl_s is not None
    assert [(fault.kind, fault.metric) for fault in sample.faults] == [
        (FaultKind.RENAMED, "sglang:time_per_output_token_seconds")
    ]


def test_a_decode_replica_of_sglang_counts_what_waits_for_its_kv_cache() -> None:
    text = SGLANG_PAGE.text.replace("num_prefill_bootstrap_queue", "num_decode_prealloc_queue")
    assert read(text.replace("num_prefill_inflight_queue", "num_decode_transfer_queue")).waiting == 10.0


def test_a_newer_triton_says_itself_what_waits() -> None:
    waiting = 'nv_trt_llm_request_metrics{request_type="waiting",model="tensorrt_llm",version="1"} 9\n'
    fraction = 'nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="fraction",model="tensorrt_llm"} 0.75\n'
    sample = read(TRITON_PAGE.text + waiting + fraction)
    assert (sample.waiting, sample.kv_usage) == (9.0, 0.75)


def test_a_difference_of_two_gauges_is_never_below_nought() -> None:
    sample = read(TRITON_PAGE.text.replace('"scheduled",model="tensorrt_llm",version="1"} 5', '"scheduled"} 8'))
    assert sample.waiting == 0.0


def test_a_workers_engine_says_more_than_the_worker() -> None:
    assert read(WORKER_PAGE.text + TRTLLM_PAGE.text).engine == "TensorRT-LLM"


def test_an_older_dynamos_prefix_is_read_and_named() -> None:
    text = histogram("trtllm:time_to_first_token_seconds", "", 1.0, ("0.1", 1), ("+Inf", 2))
    sample = read(text + "trtllm:request_success_total 2\n")
    assert (sample.engine, sample.finished_total) == ("TensorRT-LLM", 2.0)
    assert {fault.metric for fault in sample.faults if fault.kind is FaultKind.RENAMED} == {
        "trtllm:time_to_first_token_seconds",
        "trtllm:request_success",
    }


def test_a_page_that_is_nobodys_says_what_was_looked_for() -> None:
    sample = read("process_start_time_seconds 1.7e9\nnode_load1 0.5\n")
    (fault,) = sample.faults
    assert fault.kind is FaultKind.NOT_METRICS
    assert all(dialect.marks[0] in fault.detail for dialect in ENGINES)
    assert sample.started_at_s is None


def test_every_field_of_a_table_is_one_that_there_is() -> None:
    fields = {field.name for field in dataclasses.fields(Sample)}
    for dialect in ENGINES:
        assert {*dialect.scalars, *dialect.histograms} <= fields, dialect.engine
        assert set(dialect.required) <= {*dialect.scalars, *dialect.histograms}, dialect.engine
    assert len({dialect.engine for dialect in (*ENGINES, *ROUTERS)}) == len({*map(id, (*ENGINES, *ROUTERS))})
