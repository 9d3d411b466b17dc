"""Puts the real adapters together and runs the loop."""

from __future__ import annotations

import asyncio
import logging
import socket
from uuid import uuid4

from controlplane.adapters.clock import clock_from_anchor, monotonic_s
from controlplane.adapters.http_scraper import HttpScraper
from controlplane.adapters.kube_actuator import KubernetesActuator
from controlplane.adapters.kube_cluster import KubernetesCluster
from controlplane.adapters.kube_http import KubeHttp
from controlplane.adapters.kube_lease import Lease, own_namespace
from controlplane.adapters.kube_limits import Limiter
from controlplane.adapters.spool import FileSpool
from controlplane.controller.bookkeeping import Bookkeeping
from controlplane.controller.loop import Controller, Ports
from controlplane.settings import Settings
from controlplane.store.ledger import PostgresLedger

_log = logging.getLogger(__name__)


async def run(settings: Settings) -> None:
    """Lead and tick until cancelled.

    Raises:
        ClusterUnavailable: if there is no way into a cluster.
        SpoolUnavailable: if what the spool still holds cannot be read.
    """
    clock = clock_from_anchor(settings.clock_path)
    ledger = PostgresLedger(settings.database_url)
    spool = FileSpool(settings.spool_dir)
    async with (
        KubeHttp(settings.kubeconfig, Limiter(settings.kube_qps, settings.kube_burst)) as http,
        HttpScraper(clock) as scraper,
        KubernetesCluster(http, settings.namespaces) as cluster,
    ):
        # Two on one host have one hostname; both would take the lease for their own.
        identity = f"{socket.gethostname()}_{uuid4().hex[:8]}"
        lease = Lease(http, own_namespace(settings.namespace), identity)
        http.fence = lease.valid
        ports = Ports(
            clock=clock,
            cluster=cluster,
            scraper=scraper,
            actuator=KubernetesActuator(http, clock),
            spool=spool,
            books=Bookkeeping(ledger, clock, monotonic_s),
            real_s=monotonic_s,
        )
        _log.info("%s waits for the lease", identity)
        try:
            async with asyncio.TaskGroup() as group:
                # If either fails the other is cancelled, and the process ends with a word: no silent half of it goes
                # on.
                group.create_task(lease.hold())
                group.create_task(Controller(ports).run(lease.leading))
        finally:
            await lease.release()
            ledger.close()
