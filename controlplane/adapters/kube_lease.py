"""Leadership by a Kubernetes Lease, as client-go's leader election does it. In real time, whatever the clock.

The official Python client has an election of its own, but its asyncio form (37.0) fails on create and update: it
passes a boolean where the generated client demands a string.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from controlplane.adapters.clock import monotonic_s, real_now_s
from controlplane.adapters.kube_http import Json, KubeError, KubeHttp
from controlplane.adapters.kube_limits import Priority
from controlplane.domain.ports import ClusterUnavailable

LEASE_NAME = "tidegate-controller"
LEASE_S, RENEW_DEADLINE_S, RETRY_S = 15.0, 10.0, 2.0
"""Real seconds; client-go's defaults for controllers. Who has not renewed for RENEW_DEADLINE_S writes no more, and what
it wrote last has arrived or timed out (REQUEST_TIMEOUT_S) before another may take over at LEASE_S."""
RELEASE_TIMEOUT_S = 0.8
"""Real seconds that giving the lease up may take: the whole hand-over is to be over within two."""
SERVICE_ACCOUNT_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
"""Where every Pod finds its own namespace."""

_log = logging.getLogger(__name__)


def own_namespace(said: str | None, file: Path = SERVICE_ACCOUNT_NAMESPACE) -> str:
    """The namespace that this process is in: as it is told, else as its service account says, else `default`."""
    if said:
        return said
    try:
        return file.read_text(encoding="utf-8").strip() or "default"
    except OSError:
        return "default"


class Lease:
    """Whether this process leads: `leading` is set while the Lease is ours. `wall_s` gives unix seconds, for what is
    written; `steady_s` seconds of a clock that is never set, for how long something lasts.

    Another's lease is timed by our own clock, from when we saw it renewed: clocks of machines differ.
    """

    def __init__(
        self,
        http: KubeHttp,
        namespace: str,
        identity: str,
        wall_s: Callable[[], float] = real_now_s,
        steady_s: Callable[[], float] = monotonic_s,
    ) -> None:
        self._http = http
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._identity = identity
        self._wall_s = wall_s
        self._steady_s = steady_s
        self._held: Json | None = None
        self._renewed_at_s: float | None = None
        self._seen: tuple[str, float] = ("", 0.0)
        self._free_in_s = RETRY_S
        self.leading = asyncio.Event()

    def valid(self) -> bool:
        """Whether it is certain by the clock that nobody else leads: what may be written under it may be sent now."""
        renewed_at_s = self._renewed_at_s
        return (
            self.leading.is_set() and renewed_at_s is not None and self._steady_s() - renewed_at_s <= RENEW_DEADLINE_S
        )

    async def hold(self) -> None:
        """Acquire and renew until cancelled; who waits looks again at the moment at which it may be free."""
        while True:
            await self.try_once()
            await asyncio.sleep(RETRY_S if self.leading.is_set() else min(RETRY_S, self._free_in_s))

    async def try_once(self) -> None:
        """Acquire or renew once; an API server that is away costs leadership after a while, not at once."""
        began_s = self._steady_s()
        try:
            held = await self._renew() or await self._acquire()
        except (KubeError, ClusterUnavailable) as error:
            _log.warning("the lease %s cannot be renewed: %s", LEASE_NAME, error)
            held = False
        else:
            if not held:
                self._lose()
        if held:
            # As of before it was asked for: the server may have taken it at any moment since.
            self._renewed_at_s = began_s
            if not self.leading.is_set():
                _log.info("%s leads", self._identity)
            self.leading.set()
        elif self._renewed_at_s is None or self._steady_s() - self._renewed_at_s > RENEW_DEADLINE_S:
            self._lose()

    async def release(self) -> None:
        """Give it up at once, so that the next one need not wait for it to expire."""
        if not self.leading.is_set():
            return
        held = self._held
        self._lose()
        try:
            async with asyncio.timeout(RELEASE_TIMEOUT_S):
                lease = held or await self._http.get(f"{self._path}/{LEASE_NAME}", priority=Priority.LEASE)
                lease["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": self._now()}
                await self._http.put(f"{self._path}/{LEASE_NAME}", lease, Priority.LEASE)
        except (KubeError, ClusterUnavailable, TimeoutError) as error:
            _log.warning("the lease %s could not be given up: %s", LEASE_NAME, error or "no answer in time")
        else:
            _log.info("%s gave the lease up", self._identity)

    def _lose(self) -> None:
        if self.leading.is_set():
            _log.warning("%s leads no longer", self._identity)
        self.leading.clear()
        self._held = None

    async def _renew(self) -> bool:
        """Renew what we hold without looking first; False where we hold nothing, or it has changed under our hands."""
        if self._held is None:
            return False
        try:
            await self._put(self._held)
        except KubeError as error:
            if error.status not in (404, 409):
                raise
            self._held = None
        return self._held is not None

    async def _acquire(self) -> bool:
        """Look, and take it where it is free. A conflict means that another was faster."""
        try:
            lease = await self._http.get(f"{self._path}/{LEASE_NAME}", priority=Priority.LEASE)
        except KubeError as error:
            if error.status != 404:
                raise
            fresh = {"metadata": {"name": LEASE_NAME}, "spec": self._spec({})}
            return await self._unless_raced(self._http.post(self._path, fresh, Priority.LEASE))
        spec: Json = lease.get("spec", {})
        if spec.get("holderIdentity") not in (None, "", self._identity) and not self._expired(lease):
            return False
        return await self._unless_raced(self._put(lease))

    async def _unless_raced(self, write: Awaitable[Json]) -> bool:
        try:
            self._held = await write
        except KubeError as error:
            if error.status != 409:
                raise
            return False
        return True

    async def _put(self, lease: Json) -> Json:
        body = {**lease, "spec": self._spec(lease.get("spec", {}))}
        self._held = await self._http.put(f"{self._path}/{LEASE_NAME}", body, Priority.LEASE)
        return self._held

    def _expired(self, lease: Json) -> bool:
        version = str(lease["metadata"]["resourceVersion"])
        if version != self._seen[0]:
            self._seen = (version, self._steady_s())
        duration_s = float(lease["spec"].get("leaseDurationSeconds") or LEASE_S)
        left_s = duration_s - (self._steady_s() - self._seen[1])
        self._free_in_s = max(0.1, left_s + 0.01)
        return left_s < 0

    def _now(self) -> str:
        return datetime.fromtimestamp(self._wall_s(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def _spec(self, before: Json) -> Json:
        now = self._now()
        ours = before.get("holderIdentity") == self._identity
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(LEASE_S),
            "acquireTime": before.get("acquireTime", now) if ours else now,
            "renewTime": now,
            "leaseTransitions": int(before.get("leaseTransitions") or 0) + (0 if ours or not before else 1),
        }
