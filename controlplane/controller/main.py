"""Puts the real adapters together and runs the loop."""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import AsyncExitStack

from controlplane.adapters.clock import clock_from_anchor, monotonic_s, real_now_s
from controlplane.adapters.http_scraper import HttpScraper
from controlplane.adapters.kube_actuator import KubernetesActuator
from controlplane.adapters.kube_cluster import KubernetesCluster
from controlplane.adapters.kube_http import KubeHttp
from controlplane.adapters.kube_lease import Lease
from controlplane.adapters.kube_reporter import KubernetesReporter
from controlplane.adapters.kube_secrets import KubernetesSecrets
from controlplane.adapters.prometheus_history import PrometheusHistory
from controlplane.adapters.prometheus_source import PrometheusScraper
from controlplane.adapters.scrapers import ScraperBySource
from controlplane.adapters.spool import FileSpool
from controlplane.controller.board import Board
from controlplane.controller.bookkeeping import Bookkeeping
from controlplane.controller.loop import Controller, Ports
from controlplane.controller.metrics import Inside
from controlplane.controller.pulse import Pulse
from controlplane.controller.serving import serving_all
from controlplane.controller.teller import Teller
from controlplane.settings import Settings
from controlplane.store.ledger import PostgresLedger

LEASE_NAMESPACE = "default"

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
    board, pulse = Board(clock), Pulse()
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(KubeHttp(settings.kubeconfig))
        secrets = KubernetesSecrets(http, monotonic_s)
        pods = await stack.enter_async_context(
            HttpScraper(clock, secrets=secrets, allow_loopback=settings.allow_loopback)
        )
        prometheus = PrometheusScraper(clock, secrets)
        ports = Ports(
            clock=clock,
            cluster=KubernetesCluster(http),
            scraper=ScraperBySource(pods, prometheus),
            actuator=KubernetesActuator(http),
            spool=spool,
            books=Bookkeeping(ledger, clock, monotonic_s, past=PrometheusHistory(secrets)),
            real_s=monotonic_s,
            teller=Teller(KubernetesReporter(http, clock.now_s), board, clock, monotonic_s),
            pulse=pulse,
        )
        inside = Inside(board, pulse, ports.books, spool)
        lease = Lease(http, LEASE_NAMESPACE, socket.gethostname(), real_now_s)
        _log.info("waiting for the lease")
        try:
            async with serving_all(settings.serving, inside, http, clock), asyncio.TaskGroup() as group:
                # If either fails the other is cancelled, and the process ends with a word: no silent half of it goes
                # on.
                group.create_task(lease.hold())
                group.create_task(Controller(ports).run(lease.leading))
                group.create_task(ports.teller.run())
        finally:
            await lease.release()
            ledger.close()
