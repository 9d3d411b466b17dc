"""Leadership by a Kubernetes Lease, as client-go's leader election does it. In real time, whatever the clock.

The official Python client has an election of its own, but its asyncio form (37.0) fails on create and update: it
passes a boolean where the generated client demands a string.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from controlplane.adapters.kube_http import Json, KubeError, KubeHttp
from controlplane.domain.ports import ClusterUnavailable

LEASE_NAME = "tidegate-controller"
LEASE_S, RENEW_DEADLINE_S, RETRY_S = 15.0, 10.0, 2.0
"""Real seconds; client-go's defaults for controllers. Who has not renewed for RENEW_DEADLINE_S stops leading before
another may take over at LEASE_S."""

_log = logging.getLogger(__name__)


class Lease:
    """Whether this process leads: `leading` is set while the Lease is ours. `real_s` gives real unix seconds.

    Another's lease is timed by our own clock, from when we saw it renewed: clocks of machines differ.
    """

    def __init__(self, http: KubeHttp, namespace: str, identity: str, real_s: Callable[[], float]) -> None:
        self._http = http
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._identity = identity
        self._real_s = real_s
        self._renewed_at_s: float | None = None
        self._seen: tuple[str, float] = ("", 0.0)
        self.leading = asyncio.Event()

    async def hold(self) -> None:
        """Acquire and renew until cancelled."""
        while True:
            await self.try_once()
            await asyncio.sleep(RETRY_S)

    async def try_once(self) -> None:
        """Acquire or renew once; an API server that is away costs leadership after a while, not at once."""
        try:
            held = await self._acquire_or_renew()
        except (KubeError, ClusterUnavailable) as error:
            _log.warning("the lease %s cannot be renewed: %s", LEASE_NAME, error)
            held = False
        if held:
            self._renewed_at_s = self._real_s()
            if not self.leading.is_set():
                _log.info("%s leads", self._identity)
            self.leading.set()
        elif self._renewed_at_s is None or self._real_s() - self._renewed_at_s > RENEW_DEADLINE_S:
            self.leading.clear()

    async def release(self) -> None:
        """Give it up at once, so that the next one need not wait for it to expire."""
        if not self.leading.is_set():
            return
        self.leading.clear()
        try:
            lease = await self._http.get(f"{self._path}/{LEASE_NAME}")
            lease["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1}
            await self._http.put(f"{self._path}/{LEASE_NAME}", lease)
        except (KubeError, ClusterUnavailable) as error:
            _log.warning("the lease %s could not be given up: %s", LEASE_NAME, error)

    async def _acquire_or_renew(self) -> bool:
        """Whether it is ours now. A conflict means that another was faster."""
        try:
            lease = await self._http.get(f"{self._path}/{LEASE_NAME}")
        except KubeError as error:
            if error.status != 404:
                raise
            await self._http.post(self._path, {"metadata": {"name": LEASE_NAME}, "spec": self._spec({})})
            return True
        spec: Json = lease.get("spec", {})
        if spec.get("holderIdentity") not in (None, "", self._identity) and not self._expired(lease):
            return False
        lease["spec"] = self._spec(spec)
        await self._http.put(f"{self._path}/{LEASE_NAME}", lease)
        return True

    def _expired(self, lease: Json) -> bool:
        version = str(lease["metadata"]["resourceVersion"])
        if version != self._seen[0]:
            self._seen = (version, self._real_s())
        duration_s = float(lease["spec"].get("leaseDurationSeconds") or LEASE_S)
        return self._real_s() - self._seen[1] > duration_s

    def _spec(self, before: Json) -> Json:
        now = datetime.fromtimestamp(self._real_s(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        ours = before.get("holderIdentity") == self._identity
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(LEASE_S),
            "acquireTime": before.get("acquireTime", now) if ours else now,
            "renewTime": now,
            "leaseTransitions": int(before.get("leaseTransitions") or 0) + (0 if ours or not before else 1),
        }
