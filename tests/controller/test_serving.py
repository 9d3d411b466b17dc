"""Everything that the controller serves, put together as its process does it."""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path

import aiohttp
import grpc
import pytest

from controlplane.adapters.clock import ManualClock
from controlplane.adapters.keda import externalscaler_pb2 as pb
from controlplane.adapters.keda.externalscaler_pb2_grpc import ExternalScalerStub
from controlplane.adapters.kube_http import KubeHttp
from controlplane.adapters.snapshot import MemorySnapshot
from controlplane.adapters.spool import MemorySpool
from controlplane.controller.board import Board
from controlplane.controller.bookkeeping import Bookkeeping
from controlplane.controller.directing import Directing
from controlplane.controller.metrics import Inside
from controlplane.controller.pulse import Pulse
from controlplane.controller.serving import serving_all
from controlplane.domain.ports import ClusterUnavailable
from controlplane.domain.status import Told
from controlplane.embedded.children import free_port
from controlplane.planning.status import status_of
from controlplane.settings import Address, ServingSettings
from controlplane.store.directives import MemoryDirectives
from controlplane.store.ledger import MemoryLedger
from tests.adapters.certificates import authority
from tests.builders import NOW_S, make_tick

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: c
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
users: [{name: u, user: {}}]
"""


def inside(clock: ManualClock) -> Inside:
    board, pulse = Board(clock), Pulse()
    pulse.turns(0.0)
    told = Told(make_tick())
    board.show(told, status_of(told, None))
    return Inside(
        board,
        pulse,
        Bookkeeping(MemoryLedger(), clock, lambda: 0.0, Directing(MemoryDirectives(), MemorySnapshot())),
        MemorySpool(),
    )


async def test_all_three_say_the_same_count_while_the_cluster_is_away(tmp_path: Path) -> None:
    servers = authority(tmp_path, "ca")
    (tmp_path / "kubeconfig").write_text(KUBECONFIG)
    own, external, keda = (Address("127.0.0.1", free_port()) for _ in range(3))
    settings = ServingSettings(
        pages=own,
        external_metrics=external,
        external_metrics_tls_dir=servers.sign(tmp_path / "tls", "localhost"),
        front_proxy=False,
        keda=keda,
    )
    clock = ManualClock(NOW_S)
    whole = inside(clock)
    wanted = whole.board.shown["default/chat"].told.tick.decision.desired["h100"]
    trust = ssl.create_default_context(cafile=str(servers.certificate))
    path = "/apis/external.metrics.k8s.io/v1beta1/namespaces/default/tidegate_desired_replicas"
    async with (
        KubeHttp(tmp_path / "kubeconfig") as http,
        serving_all(settings, whole, http, clock),
        aiohttp.ClientSession() as session,
    ):
        async with session.get(f"http://127.0.0.1:{own.port}/metrics") as answer:
            assert (
                f'tidegate_desired_replicas{{name="chat",namespace="default",variant="h100"}} {wanted:.1f}'
                in await answer.text()
            )
        async with session.get(
            f"https://localhost:{external.port}{path}?labelSelector=variant=h100", ssl=trust
        ) as answer:
            assert [item["value"] for item in (await answer.json())["items"]] == [str(wanted)]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{keda.port}") as channel:
            ref = pb.ScaledObjectRef(namespace="default", scalerMetadata={"target": "chat", "variant": "h100"})
            values = (
                await ExternalScalerStub(channel).GetMetrics(pb.GetMetricsRequest(scaledObjectRef=ref))
            ).metricValues
            assert [value.metricValue for value in values] == [wanted]


async def test_external_metrics_are_not_served_to_who_cannot_be_told_from_the_api_server(tmp_path: Path) -> None:
    servers = authority(tmp_path, "ca")
    (tmp_path / "kubeconfig").write_text(KUBECONFIG)
    address = Address("127.0.0.1", free_port())
    settings = ServingSettings(None, address, servers.sign(tmp_path / "tls", "localhost"))
    clock = ManualClock(NOW_S)
    async with KubeHttp(tmp_path / "kubeconfig") as http:
        with pytest.raises(ClusterUnavailable):
            async with serving_all(settings, inside(clock), http, clock):
                pass
        given = replace(settings, front_proxy_ca=servers.certificate)
        async with serving_all(given, inside(clock), http, clock):
            pass
