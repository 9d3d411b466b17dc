"""Fetches metrics pages over HTTP: many at once, each within a time and a size."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType

import aiohttp

from controlplane.domain.observation import Fault, FaultKind, Replica, ReplicaPhase
from controlplane.domain.ports import Clock, Page
from controlplane.domain.target import Target

CONCURRENCY = 64
"""Pages fetched at once: enough for 500 replicas in well under a tick, few enough for a default limit of open files."""
TIMEOUT_S = 2.0
"""Real seconds for one page. vLLM answers in tens of ms; a replica that needs longer must not hold the tick."""
MAX_BYTES = 4 * 1024 * 1024
"""vLLM's page is about 40 KB for one model; a hundred LoRA adapters stay below 4 MB."""
DEFAULT_PORT = 8000
"""vLLM's and SGLang's usual serving port."""


class HttpScraper:
    """`Scraper` over aiohttp. Use as an async context manager: the connections are kept between ticks."""

    def __init__(
        self,
        clock: Clock,
        concurrency: int = CONCURRENCY,
        timeout_s: float = TIMEOUT_S,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._clock = clock
        self._concurrency = concurrency
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> HttpScraper:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=self._timeout_s),
            connector=aiohttp.TCPConnector(limit=self._concurrency),
            raise_for_status=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def scrape(self, target: Target, replicas: Sequence[Replica]) -> list[Page]:
        """One `Page` per Ready replica given, in order. A replica's failure is its page's fault, never an exception."""
        ready = [replica for replica in replicas if replica.phase is ReplicaPhase.READY]
        return list(await asyncio.gather(*(self._page(target, replica) for replica in ready)))

    async def _page(self, target: Target, replica: Replica) -> Page:
        if replica.host is None:
            return self._fault(replica, FaultKind.UNREACHABLE, "the pod has no IP yet")
        port = target.metrics.port or replica.port or DEFAULT_PORT
        url = f"http://{_bracketed(replica.host)}:{port}{target.metrics.path}"
        try:
            return await self._fetch(replica, url)
        except TimeoutError:
            return self._fault(replica, FaultKind.TIMEOUT, f"{url} did not answer in {self._timeout_s:g} s")
        except aiohttp.ClientError as error:
            return self._fault(replica, FaultKind.UNREACHABLE, f"{url}: {error}")

    async def _fetch(self, replica: Replica, url: str) -> Page:
        assert self._session is not None, "use the scraper as an async context manager"
        # No redirects: a page that points elsewhere could send the scraper to a host that is not the pod.
        async with self._session.get(url, allow_redirects=False) as response:
            if response.status != 200:
                return self._fault(replica, FaultKind.BAD_STATUS, f"{url} answered {response.status}")
            body = bytearray()
            async for chunk in response.content.iter_chunked(65536):
                body += chunk
                if len(body) > self._max_bytes:
                    return self._fault(replica, FaultKind.TOO_LARGE, f"{url} is over {self._max_bytes} bytes")
        return Page(replica.name, replica.variant, self._clock.now_s(), bytes(body))

    def _fault(self, replica: Replica, kind: FaultKind, detail: str) -> Page:
        fault = Fault(kind, replica.name, detail=detail)
        return Page(replica.name, replica.variant, self._clock.now_s(), None, fault)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


class FakeScraper:
    """`Scraper` that answers from `pages` by replica name; a replica without a page is unreachable."""

    def __init__(self, clock: Clock, pages: Mapping[str, bytes]) -> None:
        self.pages = dict(pages)
        self._clock = clock

    async def scrape(self, target: Target, replicas: Sequence[Replica]) -> list[Page]:  # noqa: ARG002 (the port's)
        """As `HttpScraper.scrape`."""
        return [self._page(replica) for replica in replicas if replica.phase is ReplicaPhase.READY]

    def _page(self, replica: Replica) -> Page:
        body = self.pages.get(replica.name)
        fault = Fault(FaultKind.UNREACHABLE, replica.name, detail="no page") if body is None else None
        return Page(replica.name, replica.variant, self._clock.now_s(), body, fault)
