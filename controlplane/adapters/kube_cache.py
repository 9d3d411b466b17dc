"""Informers: a list, then a watch that keeps it current. What was read is known to be current, or known not to be.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from controlplane.adapters.kube_http import Json, KubeError, KubeHttp
from controlplane.adapters.kube_trim import Trim
from controlplane.domain.ports import ClusterUnavailable

WATCH_S = (300, 600)
"""A watch is asked to end after this many seconds, spread so that those of many controllers do not end together;
client-go's 5 to 10 minutes."""
FIRST_BACK_OFF_S, LONGEST_BACK_OFF_S = 0.5, 30.0
"""Real seconds between tries at a server that fails: doubled each time, spread over 0.5 to 1.5 times."""
STEADY_S = 5.0
"""A watch that lasted this long was no failure: the next one begins at once and the back-off anew."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How much is asked for, and how often."""

    chunk: int = 500
    """Objects per chunk of a list, as client-go's pager."""
    refused_retry_s: float = 60.0
    """Real seconds until a resource is asked for again that may not be read, or that is not served: a Role may be
    granted, KEDA installed."""


PACE = Pace()


class Sync(StrEnum):
    """What is known of a resource. Absent: the server does not serve it. Forbidden: it may not be read; not empty."""

    WAITING = "Waiting"
    SYNCED = "Synced"
    ABSENT = "Absent"
    FORBIDDEN = "Forbidden"


@dataclass(frozen=True, slots=True)
class Watched:
    """A resource that is kept: the path of its group and version, its plural, and what is kept of each object."""

    base: str
    plural: str
    trim: Trim
    field_selector: str = ""

    def path(self, namespace: str) -> str:
        """The collection's path: of one namespace, or of all where that is empty."""
        return f"{self.base}/namespaces/{namespace}/{self.plural}" if namespace else f"{self.base}/{self.plural}"


class Informer:
    """The objects of one resource in one scope, kept current by `run`."""

    def __init__(
        self,
        http: KubeHttp,
        watched: Watched,
        namespace: str,
        real_s: Callable[[], float],
        seed: int,
        pace: Pace = PACE,
    ) -> None:
        self._http = http
        self._watched = watched
        self._pace = pace
        self.path = watched.path(namespace)
        self._real_s = real_s
        self._jitter = np.random.default_rng(seed)
        self._version: str | None = None
        self._back_off_s = FIRST_BACK_OFF_S
        self._silent_since_s: float | None = real_s()
        self._opened_at_s: float | None = None
        self._told = ""
        self._settled = asyncio.Event()
        self.objects: dict[str, Json] = {}
        self.sync = Sync.WAITING
        self.problem = ""
        """What the server last said against reading it; empty while all is well."""
        self.relists = 0

    async def run(self) -> None:
        """List and watch until cancelled."""
        while True:
            wait_s = 0.0
            self._opened_at_s = None
            try:
                if self._version is None:
                    await self._list()
                await self._follow()
            except KubeError as error:
                wait_s = self._refused(error)
            except ClusterUnavailable as error:
                self.problem = str(error)
                self._told_once(f"{self.path} cannot be watched: {error}")
            now_s = self._real_s()
            self._silent_since_s = now_s if self._silent_since_s is None else self._silent_since_s
            if self._opened_at_s is not None and now_s - self._opened_at_s >= STEADY_S:
                self._back_off_s = FIRST_BACK_OFF_S
            else:
                wait_s = max(wait_s, self._next_back_off_s())
            await asyncio.sleep(wait_s)

    async def settled(self) -> None:
        """Until it is known for the first time what there is, or that it cannot be known."""
        await self._settled.wait()

    def silent_s(self) -> float:
        """Real seconds since it was last current; 0 while a watch stands, or where there is nothing to be watched."""
        if self.sync in (Sync.ABSENT, Sync.FORBIDDEN) or self._silent_since_s is None:
            return 0.0
        return self._real_s() - self._silent_since_s

    async def _list(self) -> None:
        """Take everything anew; what the list does not have is gone."""
        try:
            listed, version = await self._chunks(self._pace.chunk)
        except KubeError as error:
            if error.status != 410:
                raise
            # The snapshot that the chunks are cut from was compacted away in between: take it in one piece.
            listed, version = await self._chunks(None)
        self.objects = listed
        self._version = version
        self._silent_since_s = self._real_s()
        self.relists += 1
        self.sync, self.problem = Sync.SYNCED, ""
        self._settled.set()

    async def _chunks(self, size: int | None) -> tuple[dict[str, Json], str]:
        listed: dict[str, Json] = {}
        query = self._query() | ({} if size is None else {"limit": str(size)})
        while True:
            page = await self._http.get(self.path, query)
            # Items of a list come without kind and apiVersion; the list says them once.
            head = {"apiVersion": page.get("apiVersion", ""), "kind": str(page.get("kind", "")).removesuffix("List")}
            for item in page.get("items") or []:
                listed[_key(item)] = self._watched.trim({**head, **item})
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                return listed, str(metadata.get("resourceVersion", ""))
            query["continue"] = str(metadata["continue"])

    async def _follow(self) -> None:
        seconds = int(self._jitter.integers(*WATCH_S))
        query = self._query() | {
            "resourceVersion": self._version or "",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(seconds),
        }
        async with aclosing(self._http.watch(self.path, query)) as events:
            async for event in events:
                self._take(event)

    def _query(self) -> dict[str, str]:
        return {"fieldSelector": self._watched.field_selector} if self._watched.field_selector else {}

    def _take(self, event: Json) -> None:
        body: Json = event.get("object") or {}
        version = (body.get("metadata") or {}).get("resourceVersion")
        match event.get("type"):
            case "OPENED":
                self._opened_at_s, self._silent_since_s = self._real_s(), None
                self.problem = self._told = ""
            case "ADDED" | "MODIFIED":
                self.objects[_key(body)] = self._watched.trim(body)
            case "DELETED":
                self.objects.pop(_key(body), None)
            case "BOOKMARK":
                pass
            case other:
                raise ClusterUnavailable(f"an event of type {other!r}, which there is not")
        if version:
            self._version = str(version)

    def _refused(self, error: KubeError) -> float:
        """Take in what the server said; returns how long to leave it alone."""
        if error.status in (403, 404):
            absent = error.status == 404
            self.sync = Sync.ABSENT if absent else Sync.FORBIDDEN
            self.problem = f"{self._watched.plural} {'are not served' if absent else 'may not be read'}: {error}"
            self.objects, self._version = {}, None
            self._settled.set()
            if not absent:
                self._told_once(f"{self.path}: {self.problem}")
            return self._pace.refused_retry_s * float(self._jitter.uniform(0.5, 1.0))
        # 410: the version is too old. Anything else in the middle of a watch: the version may be at fault, so list.
        if error.status != 410:
            self._told_once(f"{self.path} is listed again: {error}")
        self._version = None
        return 0.0

    def _next_back_off_s(self) -> float:
        now_s = self._back_off_s
        self._back_off_s = min(LONGEST_BACK_OFF_S, now_s * 2)
        return now_s * float(self._jitter.uniform(0.5, 1.5))

    def _told_once(self, words: str) -> None:
        if words != self._told:
            self._told = words
            _log.warning("%s", words)


def _key(body: Json) -> str:
    metadata = body.get("metadata") or {}
    return f"{metadata.get('namespace', '')}/{metadata.get('name', '')}"
