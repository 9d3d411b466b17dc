"""A router's metrics page -> what waits in front of a pool of replicas: the only sign of load while there are none."""

from __future__ import annotations

from dataclasses import dataclass

from controlplane.domain.observation import Fault, FaultKind
from controlplane.observing.dialects import ROUTERS
from controlplane.observing.page_lines import NotAPage
from controlplane.observing.reader import read_fields


@dataclass(frozen=True, slots=True)
class PoolSample:
    """A router's page, read. None means that the page did not say; never zero for missing.

    A queue's series appear with its first request, so that of a pool that never had one `queued` is None.
    """

    at_s: float
    router: str = ""
    queued: float | None = None
    """Requests that the router holds back: with flow control those that no replica may take yet."""
    queued_bytes: float | None = None
    running: float | None = None
    """Requests that it has passed on and that are not answered yet."""
    requests_total: float | None = None
    saturation: float | None = None
    """0: empty, 1: fully saturated."""
    average_waiting: float | None = None
    """Requests that wait in a replica, the mean over the pool."""
    average_running: float | None = None
    average_kv_usage: float | None = None
    ready: float | None = None
    """Endpoints that take requests."""
    faults: tuple[Fault, ...] = ()


def read_pool_page(body: bytes, pool: str, at_s: float) -> PoolSample:
    """What an endpoint picker's page says (llm-d, Gateway API Inference Extension), or a Dynamo frontend's.

    Faults name `pool`. Never raises.
    """
    try:
        fields = read_fields(body, pool, ROUTERS)
    except NotAPage as error:
        return PoolSample(at_s, faults=(Fault(FaultKind.NOT_METRICS, pool, detail=str(error)[:400]),))
    said = fields.scalars
    # A frontend calls its fields as an engine does.
    queued, total = said.get("queued", said.get("waiting")), said.get("requests_total", said.get("finished_total"))
    names = ("queued_bytes", "running", "saturation", "average_waiting", "average_running", "average_kv_usage", "ready")
    rest = {name: said.get(name) for name in names}
    faults = tuple(fault for fault in fields.faults if fault.kind is not FaultKind.MISSING)
    return PoolSample(at_s, fields.dialect.engine, queued, requests_total=total, faults=faults, **rest)
