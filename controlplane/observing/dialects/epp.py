"""The endpoint picker of llm-d and of the Gateway API Inference Extension: a pool's page, not a replica's."""

from __future__ import annotations

from controlplane.observing.dialects.table import Dialect, Reading, read

_NOW, _BETWEEN, _THEN = "llm_d_epp_", "llm_d_router_epp_", "inference_extension_"


def _flow(name: str) -> tuple[Reading, ...]:
    return read(*(f"{prefix}flow_control_{name}" for prefix in (_NOW, _BETWEEN, _THEN)))


def _pool(name: str, before: str = "") -> tuple[Reading, ...]:
    return read(f"{_NOW}{name}", f"{_BETWEEN}{name}", f"inference_pool_{before or name}")


EPP = Dialect(
    engine="llm-d EPP",
    marks=(_NOW, _BETWEEN, _THEN, "inference_pool_", "inference_objective_", "inference_model_"),
    evidence="pkg/epp/metrics of llm-d-router and, before, of gateway-api-inference-extension",
    scalars={
        "queued": _flow("queue_size"),
        "queued_bytes": _flow("queue_bytes"),
        "saturation": _flow("pool_saturation"),
        "running": read(
            f"{_NOW}request_running", "inference_objective_running_requests", "inference_model_running_requests"
        ),
        "requests_total": read(
            f"{_NOW}request", f"{_BETWEEN}request", "inference_objective_request", "inference_model_request"
        ),
        "average_waiting": _pool("average_queue_size"),
        "average_running": _pool("average_running_requests"),
        "average_kv_usage": _pool("average_kv_cache_utilization"),
        "ready": _pool("ready_endpoints", before="ready_pods"),
    },
    histograms={},
    required=(),
    means=frozenset({"saturation", "average_waiting", "average_running", "average_kv_usage"}),
)
