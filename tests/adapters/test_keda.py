"""KEDA's external scaler over a real channel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from grpc_tools import protoc

from controlplane.adapters.clock import ManualClock
from controlplane.adapters.keda import externalscaler_pb2 as pb
from controlplane.adapters.keda.externalscaler_pb2_grpc import ExternalScalerStub
from controlplane.adapters.keda.scaler import serving
from controlplane.adapters.kube_desired import FakeCounts
from controlplane.domain.status import DesiredCount
from tests.adapters.certificates import authority

NOW_S = 1_767_600_000.0
H100 = DesiredCount("prod", "chat", "h100", "H100", "chat-h100", 3, NOW_S - 5, NOW_S + 55)
L40S = replace(H100, variant="l40s", accelerator="L40S", object_name="chat-l40s", replicas=0)
RAG = replace(H100, target="rag", variant="only", replicas=7)


class Scaler:
    def __init__(self, stub: ExternalScalerStub, counts: FakeCounts, clock: ManualClock) -> None:
        self.stub = stub
        self.counts = counts
        self.clock = clock


@pytest.fixture
async def scaler() -> AsyncIterator[Scaler]:
    counts, clock = FakeCounts(H100, L40S, RAG), ManualClock(NOW_S)
    async with serving(counts, clock, "127.0.0.1:0") as port, grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Scaler(ExternalScalerStub(channel), counts, clock)


def ref(**metadata: str) -> pb.ScaledObjectRef:
    return pb.ScaledObjectRef(name="chat-scaler", namespace="prod", scalerMetadata=metadata)


async def test_one_of_the_metric_is_one_replica(scaler: Scaler) -> None:
    (spec,) = (await scaler.stub.GetMetricSpec(ref(target="chat", variant="h100"))).metricSpecs
    assert (spec.metricName, spec.targetSize, spec.targetSizeFloat) == ("tidegate-prod-chat-h100", 1, 1.0)
    request = pb.GetMetricsRequest(scaledObjectRef=ref(target="chat", variant="h100"), metricName=spec.metricName)
    (value,) = (await scaler.stub.GetMetrics(request)).metricValues
    assert (value.metricName, value.metricValue, value.metricValueFloat) == (spec.metricName, 3, 3.0)


async def test_a_target_of_one_variant_needs_no_name_of_it_and_another_namespace_may_be_named(scaler: Scaler) -> None:
    request = pb.GetMetricsRequest(scaledObjectRef=ref(target="prod/rag"))
    assert (await scaler.stub.GetMetrics(request)).metricValues[0].metricValue == 7


async def test_it_is_active_where_any_replica_is_wanted(scaler: Scaler) -> None:
    assert (await scaler.stub.IsActive(ref(target="chat", variant="h100"))).result
    assert not (await scaler.stub.IsActive(ref(target="chat", variant="l40s"))).result


@pytest.mark.parametrize(
    ("metadata", "code", "words"),
    [
        ({}, grpc.StatusCode.INVALID_ARGUMENT, "metadata.target is ''"),
        ({"target": "a/b/c"}, grpc.StatusCode.INVALID_ARGUMENT, "metadata.target is 'a/b/c'"),
        ({"target": "chat"}, grpc.StatusCode.INVALID_ARGUMENT, "metadata.variant is ''; allowed: h100, l40s"),
        ({"target": "chat", "variant": "x"}, grpc.StatusCode.INVALID_ARGUMENT, "metadata.variant is 'x'"),
        ({"target": "gone"}, grpc.StatusCode.UNAVAILABLE, "metadata.target prod/gone has no desired count"),
        ({"target": "dev/chat"}, grpc.StatusCode.UNAVAILABLE, "dev/chat"),
    ],
)
async def test_what_cannot_be_answered_is_a_status_that_names_the_field(
    scaler: Scaler, metadata: dict[str, str], code: grpc.StatusCode, words: str
) -> None:
    for call, request in (
        (scaler.stub.IsActive, ref(**metadata)),
        (scaler.stub.GetMetricSpec, ref(**metadata)),
        (scaler.stub.GetMetrics, pb.GetMetricsRequest(scaledObjectRef=ref(**metadata))),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(request)
        assert (caught.value.code(), words in str(caught.value.details())) == (code, True)


async def test_a_stale_count_is_unavailable_and_not_zero(scaler: Scaler) -> None:
    scaler.clock.advance(60.0)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await scaler.stub.GetMetrics(pb.GetMetricsRequest(scaledObjectRef=ref(target="prod/rag")))
    assert (caught.value.code(), "65 s old" in str(caught.value.details())) == (grpc.StatusCode.UNAVAILABLE, True)


async def test_another_metric_than_ours_is_named(scaler: Scaler) -> None:
    request = pb.GetMetricsRequest(scaledObjectRef=ref(target="prod/rag"), metricName="cpu")
    with pytest.raises(grpc.aio.AioRpcError, match="metricName is 'cpu'; allowed: tidegate-prod-rag-only"):
        await scaler.stub.GetMetrics(request)


async def test_the_stream_says_how_it_is_and_then_each_change_alone(scaler: Scaler) -> None:
    stream = scaler.stub.StreamIsActive(ref(target="prod/rag"))
    assert (await stream.read()).result
    scaler.counts.set(replace(RAG, replicas=9))
    await asyncio.sleep(0.05)
    scaler.counts.set(replace(RAG, replicas=0))
    assert not (await asyncio.wait_for(stream.read(), 2.0)).result
    scaler.counts.set(replace(RAG, replicas=1))
    assert (await asyncio.wait_for(stream.read(), 2.0)).result
    scaler.counts.set()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(stream.read(), 2.0)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_it_speaks_tls_with_a_mounted_secret(tmp_path: Path) -> None:
    servers = authority(tmp_path, "ca")
    files = servers.sign(tmp_path / "tls", "localhost")
    trust = grpc.ssl_channel_credentials(servers.certificate.read_bytes())
    counts, clock = FakeCounts(RAG), ManualClock(NOW_S)
    async with (
        serving(counts, clock, "127.0.0.1:0", files) as port,
        grpc.aio.secure_channel(f"localhost:{port}", trust) as channel,
    ):
        assert (await ExternalScalerStub(channel).IsActive(ref(target="prod/rag"))).result


async def test_an_address_that_is_taken_is_said() -> None:
    counts, clock = FakeCounts(), ManualClock(NOW_S)
    with pytest.raises(OSError, match=r"cannot listen at nowhere\.invalid:1"):
        async with serving(counts, clock, "nowhere.invalid:1"):
            pass


def test_the_python_is_that_of_the_proto(tmp_path: Path) -> None:
    proto, root = "controlplane/adapters/keda/externalscaler.proto", Path(__file__).resolve().parents[2]
    assert protoc.main(["protoc", f"-I{root}", f"--descriptor_set_out={tmp_path / 'set'}", str(root / proto)]) == 0
    (of_proto,) = FileDescriptorSet.FromString((tmp_path / "set").read_bytes()).file
    for message in of_proto.message_type:
        for part in (message, *message.nested_type):
            for field in part.field:
                field.ClearField("json_name")
    assert of_proto == FileDescriptorProto.FromString(pb.DESCRIPTOR.serialized_pb)
    assert of_proto.package == "externalscaler"
