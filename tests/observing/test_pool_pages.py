"""What a router says of the pool behind it, and above all of its queue while there is no replica."""

from __future__ import annotations

from controlplane.domain.observation import FaultKind
from controlplane.observing import read_pool_page
from tests.observing.engine_pages import FRONTEND_PAGE

EPP_PAGE = """\
# HELP inference_extension_flow_control_queue_size [ALPHA] [Deprecated: Use llm_d_epp_flow_control_queue_size]
# TYPE inference_extension_flow_control_queue_size gauge
inference_extension_flow_control_queue_size{fairness_id="a",inference_pool="p",model_name="m",priority="0"} 3
# TYPE llm_d_epp_flow_control_queue_size gauge
llm_d_epp_flow_control_queue_size{fairness_id="a",inference_pool="p",model_name="m",priority="0"} 3
llm_d_epp_flow_control_queue_size{fairness_id="b",inference_pool="p",model_name="m",priority="-10"} 4
llm_d_epp_flow_control_queue_bytes{fairness_id="a",inference_pool="p"} 9000
llm_d_epp_flow_control_pool_saturation{inference_pool="p"} 1
llm_d_epp_request_running{model_name="m",fairness_id="a",priority="0"} 5
llm_d_epp_request_total{model_name="m",target_model_name="m",fairness_id="a",priority="0"} 100
llm_d_epp_average_queue_size{name="p"} 1.5
llm_d_epp_average_running_requests{name="p"} 2.5
llm_d_epp_average_kv_cache_utilization{name="p"} 0.3
llm_d_epp_ready_endpoints{name="p"} 2
"""


def test_an_endpoint_pickers_queue_is_read_once() -> None:
    seen = read_pool_page(EPP_PAGE.encode(), "p", 100.0)
    assert (seen.router, seen.queued, seen.queued_bytes, seen.saturation) == ("llm-d EPP", 7.0, 9000.0, 1.0)
    assert (seen.running, seen.requests_total, seen.ready) == (5.0, 100.0, 2.0)
    assert (seen.average_waiting, seen.average_running, seen.average_kv_usage) == (1.5, 2.5, 0.3)
    assert seen.faults == ()


def test_older_names_are_read_and_named() -> None:
    text = """\
inference_extension_flow_control_queue_size{inference_pool="p"} 3
inference_pool_ready_pods{name="p"} 0
inference_model_running_requests{model_name="m"} 2
"""
    seen = read_pool_page(text.encode(), "p", 100.0)
    assert (seen.queued, seen.ready, seen.running, seen.average_waiting) == (3.0, 0.0, 2.0, None)
    assert {(fault.kind, fault.metric) for fault in seen.faults} == {
        (FaultKind.RENAMED, "inference_extension_flow_control_queue_size"),
        (FaultKind.RENAMED, "inference_pool_ready_pods"),
        (FaultKind.RENAMED, "inference_model_running_requests"),
    }


def test_a_queue_that_is_not_on_the_page_is_not_an_empty_one() -> None:
    assert read_pool_page(b'llm_d_epp_ready_endpoints{name="p"} 0\n', "p", 100.0).queued is None


def test_a_queue_that_cannot_be_is_none_and_named() -> None:
    seen = read_pool_page(b'llm_d_epp_flow_control_queue_size{inference_pool="p"} NaN\n', "p", 100.0)
    assert seen.queued is None
    assert [fault.kind for fault in seen.faults] == [FaultKind.NOT_FINITE]


def test_a_dynamo_frontend_is_a_router_too() -> None:
    seen = read_pool_page(FRONTEND_PAGE.text.encode(), "p", 100.0)
    assert (seen.router, seen.queued, seen.running, seen.requests_total) == ("Dynamo frontend", 7.0, 3.0, 41.0)


def test_another_page_is_no_routers() -> None:
    (fault,) = read_pool_page(b"node_load1 0.5\n", "p", 100.0).faults
    assert fault.kind is FaultKind.NOT_METRICS
    assert "llm_d_epp_" in fault.detail
