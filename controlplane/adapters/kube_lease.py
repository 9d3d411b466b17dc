"""Leadership by a Kubernetes Lease, through the official client's leader election. In real time, whatever the clock."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
from kubernetes.aio.leaderelection import electionconfig, leaderelection
from kubernetes.aio.leaderelection.resourcelock.leaselock import LeaseLock

from controlplane.adapters.kube_http import KubeHttp

LEASE_NAME = "tidegate-controller"
LEASE_S, RENEW_DEADLINE_S, RETRY_S = 15, 10, 2
"""Real seconds; client-go's defaults for controllers."""

_log = logging.getLogger(__name__)


class Lease:
    """Whether this process leads. `hold` runs until cancelled and keeps `leading` true while the Lease is ours."""

    def __init__(self, http: KubeHttp, namespace: str, identity: str) -> None:
        self._http = http
        self._namespace = namespace
        self._identity = identity
        self.leading = asyncio.Event()

    async def hold(self) -> None:
        """Acquire, renew, and begin again when it is lost or the API server is away."""
        while True:
            try:
                await self._election().run()
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                _log.warning("the lease %s cannot be renewed: %s", LEASE_NAME, error or type(error).__name__)
            self.leading.clear()
            await asyncio.sleep(RETRY_S)

    def _election(self) -> leaderelection.LeaderElection:
        lock = LeaseLock(LEASE_NAME, self._namespace, self._identity, self._http.api_client)
        return leaderelection.LeaderElection(
            electionconfig.Config(lock, LEASE_S, RENEW_DEADLINE_S, RETRY_S, self._on(True), self._on(False))
        )

    def _on(self, leads: bool) -> Callable[[], Coroutine[Any, Any, None]]:
        async def note() -> None:
            (self.leading.set if leads else self.leading.clear)()

        return note
