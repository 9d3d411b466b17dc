"""The desired counts as the custom resources' statuses say them: for a process that does not lead.

Every replica of the controller answers an API server or KEDA, whichever the Service picks. The one that leads answers
from its own ticks; the others read what it wrote. The API server is asked and not the ledger, because it is what
whoever asks us needs as well, and Postgres is not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from controlplane.adapters.kube_http import Json, KubeError, KubeHttp
from controlplane.adapters.kube_status import status_from_json
from controlplane.domain.manifest import API_VERSION, KIND, ManifestError, target_from_manifest
from controlplane.domain.ports import ClusterUnavailable, DesiredCounts
from controlplane.domain.status import DesiredCount

READ_EVERY_REAL_S = 15.0
"""Real seconds between lists, which the API server answers from its watch cache."""
FRESH_REAL_S = 180.0
"""Real seconds for which a status is believed: it is written at least every minute, and two may be lost."""

_log = logging.getLogger(__name__)


class FollowedCounts:
    """`DesiredCounts` of what the leader wrote, in `namespaces` or, where there are none, in all.

    `speed` is of the clock that the leader's times are on.
    """

    def __init__(self, http: KubeHttp, speed: float, namespaces: Sequence[str] = ()) -> None:
        self._http = http
        places = [f"/namespaces/{namespace}" for namespace in namespaces] or [""]
        self._paths = [f"/apis/{API_VERSION}{place}/inferenceautoscalers" for place in places]
        self._speed = speed
        self._counts: tuple[DesiredCount, ...] = ()
        self._changed = asyncio.Event()

    def counts(self) -> Sequence[DesiredCount]:
        """See `DesiredCounts`."""
        return self._counts

    async def changed(self) -> None:
        """See `DesiredCounts`."""
        await self._changed.wait()

    async def follow(self, leads: Callable[[], bool]) -> None:
        """Read until cancelled, while another leads."""
        while True:
            if not leads():
                await self.read()
            await asyncio.sleep(READ_EVERY_REAL_S)

    async def read(self) -> None:
        """Read once; an API server that is away leaves what was read, which becomes stale by itself."""
        try:
            lists = [await self._http.get(path, {"resourceVersion": "0"}) for path in self._paths]
        except (KubeError, ClusterUnavailable) as error:
            _log.warning("the statuses cannot be read: %s", error)
            return
        found = tuple(
            count for listed in lists for body in listed.get("items", []) for count in counts_of(body, self._speed)
        )
        if found != self._counts:
            self._counts = found
            self._changed.set()
            self._changed = asyncio.Event()


def counts_of(body: Json, speed: float) -> list[DesiredCount]:
    """The counts that one resource's status says; none where it is unusable, Off, or was never ticked."""
    status = status_from_json(body.get("status"))
    if status is None or status.at_s is None or status.verdict is None:
        return []
    try:
        target = target_from_manifest({"apiVersion": API_VERSION, "kind": KIND, **body})
    except ManifestError:
        return []
    wanted: Mapping[str, int | None] = {v.name: v.desired for v in status.variants}
    fresh_until_s = status.at_s + max(3.0 * target.policy.interval_s, FRESH_REAL_S * speed)
    return [
        DesiredCount(
            target.namespace, target.name, v.name, v.accelerator, v.ref.name, count, status.at_s, fresh_until_s
        )
        for v in target.variants
        if (count := wanted.get(v.name)) is not None
    ]


class LeadOrFollow:
    """`DesiredCounts` of the one that knows now: our own ticks while we lead, otherwise what the leader wrote."""

    def __init__(self, own: DesiredCounts, followed: DesiredCounts, leads: Callable[[], bool]) -> None:
        self._own = own
        self._followed = followed
        self._leads = leads

    def counts(self) -> Sequence[DesiredCount]:
        """See `DesiredCounts`. A new leader has the old one's words for what it has not ticked yet."""
        if not self._leads():
            return self._followed.counts()
        own = self._own.counts()
        ticked = {(c.namespace, c.target) for c in own}
        return [*own, *(c for c in self._followed.counts() if (c.namespace, c.target) not in ticked)]

    async def changed(self) -> None:
        """See `DesiredCounts`."""
        waits = [asyncio.ensure_future(one.changed()) for one in (self._own, self._followed)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()


class FakeCounts:
    """`DesiredCounts` that tests set."""

    def __init__(self, *counts: DesiredCount) -> None:
        self._counts = counts
        self._changed = asyncio.Event()

    def set(self, *counts: DesiredCount) -> None:
        """Make these the counts."""
        self._counts = counts
        self._changed.set()
        self._changed = asyncio.Event()

    def counts(self) -> Sequence[DesiredCount]:
        """See `DesiredCounts`."""
        return self._counts

    async def changed(self) -> None:
        """See `DesiredCounts`."""
        await self._changed.wait()
