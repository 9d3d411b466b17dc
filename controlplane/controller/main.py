"""Puts the real adapters together and runs the loop."""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import AsyncExitStack
from uuid import uuid4

from controlplane.adapters.clock import clock_from_anchor, monotonic_s
from controlplane.adapters.http_scraper import HttpScraper
from controlplane.adapters.kube_actuator import KubernetesActuator
from controlplane.adapters.kube_around import Around
from controlplane.adapters.kube_cluster import KubernetesCluster
from controlplane.adapters.kube_http import KubeHttp
from controlplane.adapters.kube_lease import Lease, own_namespace
from controlplane.adapters.kube_limits import Limiter
from controlplane.adapters.kube_reporter import KubernetesReporter
from controlplane.adapters.kube_secrets import KubernetesSecrets
from controlplane.adapters.policy_snapshot import PolicySnapshotFile
from controlplane.adapters.prometheus_history import PrometheusHistory
from controlplane.adapters.prometheus_source import PrometheusScraper
from controlplane.adapters.scrapers import ScraperBySource
from controlplane.adapters.snapshot import SnapshotFile
from controlplane.adapters.spool import FileSpool
from controlplane.controller.board import Board
from controlplane.controller.bookkeeping import Bookkeeping
from controlplane.controller.directing import Directing
from controlplane.controller.governing import Governing
from controlplane.controller.loop import Controller, Ports
from controlplane.controller.metrics import Inside
from controlplane.controller.presence import Presence
from controlplane.controller.pulse import Pulse
from controlplane.controller.serving import serving_all
from controlplane.controller.teller import Teller
from controlplane.settings import Settings
from controlplane.store.directives import PostgresDirectives
from controlplane.store.governed import PostgresPolicySource
from controlplane.store.ledger import PostgresLedger
from controlplane.store.presence import Processes

SNAPSHOT, POLICIES = "directives.json", "policies.json"
"""Beside the spool: on the volume that outlives the process."""

_log = logging.getLogger(__name__)


async def run(settings: Settings) -> None:
    """Lead and tick until cancelled.

    Raises:
        ClusterUnavailable: if there is no way into a cluster.
        SpoolUnavailable: if what the spool still holds cannot be read.
        OSError: if an address cannot be listened at, or a certificate cannot be read.
    """
    clock = clock_from_anchor(settings.clock_path)
    ledger = PostgresLedger(settings.database_url)
    spool = FileSpool(settings.spool_dir)
    directing = Directing(PostgresDirectives(ledger.engine), SnapshotFile(settings.spool_dir / SNAPSHOT))
    board, pulse = Board(clock), Pulse()
    # Two on one host have one hostname; both would take the lease for their own.
    identity = f"{socket.gethostname()}_{uuid4().hex[:8]}"
    async with AsyncExitStack() as stack:
        limiter = Limiter(settings.kube_qps, settings.kube_burst)
        http = await stack.enter_async_context(KubeHttp(settings.kubeconfig, limiter))
        lease = Lease(http, own_namespace(settings.namespace), identity)
        http.fence = lease.valid
        actuator = KubernetesActuator(http)
        around = Around(clock.now_s, actuator.last_applied)
        policies = PolicySnapshotFile(settings.spool_dir / POLICIES)
        governing = Governing(PostgresPolicySource(ledger.engine), policies, clock, monotonic_s)
        cluster = await stack.enter_async_context(
            KubernetesCluster(http, settings.namespaces, around.of, policies=governing.manifests)
        )
        secrets = KubernetesSecrets(http, monotonic_s)
        pods = await stack.enter_async_context(
            HttpScraper(clock, secrets=secrets, allow_loopback=settings.allow_loopback)
        )
        ports = Ports(
            clock=clock,
            cluster=cluster,
            scraper=ScraperBySource(pods, PrometheusScraper(clock, secrets)),
            actuator=actuator,
            spool=spool,
            books=Bookkeeping(ledger, clock, monotonic_s, directing, past=PrometheusHistory(secrets)),
            real_s=monotonic_s,
            teller=Teller(KubernetesReporter(http, clock.now_s), board, clock, monotonic_s),
            pulse=pulse,
            governing=governing,
            recall=around.recall,
        )
        inside = Inside(board, pulse, ports.books, spool, governing)
        serving = serving_all(settings.serving, inside, http, clock, settings.namespaces)
        _log.info("%s waits for the lease", identity)
        try:
            async with serving, asyncio.TaskGroup() as group:
                # If either fails the other is cancelled, and the process ends with a word: no silent half of it goes
                # on.
                group.create_task(lease.hold())
                group.create_task(Controller(ports).run(lease.leading))
                group.create_task(ports.teller.run())
                group.create_task(Presence(identity, Processes(ledger.engine), pulse, spool).run())
        finally:
            await lease.release()
            ledger.close()
