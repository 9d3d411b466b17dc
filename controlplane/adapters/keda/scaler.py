"""The desired counts for KEDA, over gRPC.

KEDA divides the value by the target size and has an HPA keep that many replicas: with a size of 1 the value is the
count. What is missing or stale is an error, so that KEDA takes the ScaledObject's `fallback`; a zero would be obeyed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import grpc

from controlplane.adapters.keda import externalscaler_pb2 as pb
from controlplane.adapters.keda import externalscaler_pb2_grpc as pb_grpc
from controlplane.adapters.serving_tls import CERTIFICATE, KEY
from controlplane.domain.ports import Clock, DesiredCounts
from controlplane.domain.status import DesiredCount

LOOK_EVERY_REAL_S = 15.0
"""Real seconds after which a stream looks whether its count has become stale, which no change tells it."""
GRACE_S = 1.0
"""Real seconds that calls under way get when the process ends."""


class ScalerError(Exception):
    """What a caller is told: a gRPC status code, and words that name the field."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class ExternalScaler(pb_grpc.ExternalScalerServicer):
    """KEDA's four calls. `scalerMetadata` is `target` (name, or namespace/name) and, where there are several,
    `variant`."""

    def __init__(self, counts: DesiredCounts, clock: Clock) -> None:
        self._counts = counts
        self._clock = clock

    async def IsActive(self, request: pb.ScaledObjectRef, context: grpc.aio.ServicerContext) -> pb.IsActiveResponse:
        """Whether more than none is wanted: KEDA itself goes between 0 and 1 by this."""
        found = await self._found(request, context)
        return pb.IsActiveResponse(result=found.replicas > 0)

    async def StreamIsActive(
        self, request: pb.ScaledObjectRef, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.IsActiveResponse]:
        """Whether more than none is wanted, now and whenever that changes."""
        last: bool | None = None
        while True:
            changed = asyncio.ensure_future(self._counts.changed())
            try:
                active = (await self._found(request, context)).replicas > 0
                if active is not last:
                    yield pb.IsActiveResponse(result=active)
                last = active
                await asyncio.wait([changed], timeout=LOOK_EVERY_REAL_S)
            finally:
                changed.cancel()

    async def GetMetricSpec(
        self, request: pb.ScaledObjectRef, context: grpc.aio.ServicerContext
    ) -> pb.GetMetricSpecResponse:
        """One metric, of which one is one replica."""
        name = metric_name(await self._found(request, context))
        return pb.GetMetricSpecResponse(metricSpecs=[pb.MetricSpec(metricName=name, targetSize=1, targetSizeFloat=1.0)])

    async def GetMetrics(
        self, request: pb.GetMetricsRequest, context: grpc.aio.ServicerContext
    ) -> pb.GetMetricsResponse:
        """The desired count."""
        found = await self._found(request.scaledObjectRef, context)
        name = metric_name(found)
        if request.metricName not in ("", name):
            words = f"metricName is {request.metricName!r}; allowed: {name}"
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, words)
        value = pb.MetricValue(metricName=name, metricValue=found.replicas, metricValueFloat=float(found.replicas))
        return pb.GetMetricsResponse(metricValues=[value])

    async def _found(self, request: pb.ScaledObjectRef, context: grpc.aio.ServicerContext) -> DesiredCount:
        """The count that is asked for; otherwise the call ends with the error's code and words."""
        try:
            return find(self._counts, request.namespace, dict(request.scalerMetadata), self._clock.now_s())
        except ScalerError as error:
            await context.abort(error.code, str(error))
            raise


def metric_name(count: DesiredCount) -> str:
    """What the metric is called; KEDA puts the trigger's place before it."""
    return f"tidegate-{count.namespace}-{count.target}-{count.variant}"


def find(counts: DesiredCounts, namespace: str, metadata: Mapping[str, str], now_s: float) -> DesiredCount:
    """The fresh count that a trigger's metadata name; `namespace` is the ScaledObject's.

    Raises:
        ScalerError: INVALID_ARGUMENT where the metadata cannot be understood, UNAVAILABLE where the count is missing
            or stale.
    """
    target = metadata.get("target", "")
    wanted_namespace, _, name = target.rpartition("/")
    wanted_namespace = wanted_namespace or namespace
    if not name or "/" in wanted_namespace:
        words = f"metadata.target is {target!r}; allowed: the InferenceAutoscaler's name, or namespace/name"
        raise ScalerError(grpc.StatusCode.INVALID_ARGUMENT, words)
    own = [c for c in counts.counts() if (c.namespace, c.target) == (wanted_namespace, name)]
    if not own:
        words = f"metadata.target {wanted_namespace}/{name} has no desired count yet, or there is no such target"
        raise ScalerError(grpc.StatusCode.UNAVAILABLE, words)
    found = _variant(own, metadata.get("variant", ""))
    if now_s > found.fresh_until_s:
        words = f"the desired count of {wanted_namespace}/{name} is {now_s - found.at_s:.0f} s old"
        raise ScalerError(grpc.StatusCode.UNAVAILABLE, words)
    return found


def _variant(own: list[DesiredCount], variant: str) -> DesiredCount:
    if not variant and len(own) == 1:
        return own[0]
    for count in own:
        if count.variant == variant:
            return count
    names = ", ".join(c.variant for c in own)
    raise ScalerError(grpc.StatusCode.INVALID_ARGUMENT, f"metadata.variant is {variant!r}; allowed: {names}")


@asynccontextmanager
async def serving(counts: DesiredCounts, clock: Clock, address: str, tls_dir: Path | None = None) -> AsyncIterator[int]:
    """Serve at `host:port` while inside; gives the port.

    Raises:
        OSError: if the address cannot be listened at, or the certificate cannot be read.
    """
    server = grpc.aio.server()
    pb_grpc.add_ExternalScalerServicer_to_server(ExternalScaler(counts, clock), server)  # type: ignore[no-untyped-call]
    try:
        if tls_dir is not None:
            pair = [((tls_dir / KEY).read_bytes(), (tls_dir / CERTIFICATE).read_bytes())]
            port = server.add_secure_port(address, grpc.ssl_server_credentials(pair))
        else:
            port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(f"the external scaler cannot listen at {address}: {error}") from error
    await server.start()
    try:
        yield int(port)
    finally:
        await server.stop(GRACE_S)
