"""Fetches metrics pages over HTTP and HTTPS: many at once, each within a time and a size, from pods alone."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType

import aiohttp
from yarl import URL

from controlplane.adapters.addresses import refusal
from controlplane.adapters.credentials import Admission, Credentials
from controlplane.domain.observation import Fault, FaultKind, Replica, ReplicaPhase
from controlplane.domain.ports import Clock, Page, Secrets, SecretUnavailable
from controlplane.domain.target import Target

CONCURRENCY = 64
"""Pages fetched at once: enough for 500 replicas in well under a tick, few enough for a default limit of open files."""
TIMEOUT_S = 2.0
"""Real seconds for one page. vLLM answers in tens of ms; a replica that needs longer must not hold the tick."""
MAX_BYTES = 4 * 1024 * 1024
"""vLLM's page is about 40 KB for one model; a hundred LoRA adapters stay below 4 MB."""
DEFAULT_PORT = 8000
"""vLLM's and SGLang's usual serving port."""
ACCEPT = "text/plain;version=0.0.4, application/openmetrics-text;version=1.0.0;q=0.5, */*;q=0.1"
"""The plain format first: OpenMetrics' exemplars and time stamps cost more to read and say nothing that we use."""


class HttpScraper:
    """`Scraper` over aiohttp. Use as an async context manager: the connections are kept between ticks."""

    def __init__(
        self,
        clock: Clock,
        concurrency: int = CONCURRENCY,
        timeout_s: float = TIMEOUT_S,
        max_bytes: int = MAX_BYTES,
        secrets: Secrets | None = None,
        allow_loopback: bool = True,
    ) -> None:
        """`max_bytes` are counted after decompression. `allow_loopback`: whether pods may be on this very host, as they
        are beside an API server without nodes; in a cluster nothing of ours is to be asked in a pod's name."""
        self._clock = clock
        self._credentials = Credentials(secrets)
        self._allow_loopback = allow_loopback
        self._places = asyncio.Semaphore(concurrency)
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> HttpScraper:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=self._timeout_s),
            # Without a limit of its own: waiting for a place would count against a page's time, and a few replicas that
            # hang would take the others' pages with them.
            connector=aiohttp.TCPConnector(limit=0),
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
        try:
            admission = await self._credentials.of(target)
        except SecretUnavailable as error:
            return [self._fault(replica, FaultKind.SECRET, str(error)) for replica in ready]
        return list(await asyncio.gather(*(self._page(target, replica, admission) for replica in ready)))

    async def _page(self, target: Target, replica: Replica, admission: Admission) -> Page:
        if replica.host is None:
            return self._fault(replica, FaultKind.UNREACHABLE, "the pod has no IP yet")
        if refused := refusal(replica.host, self._allow_loopback) or _odd_path(target.metrics.path):
            return self._fault(replica, FaultKind.REFUSED, refused)
        url = _url(admission.scheme, replica.host, target.metrics.port or replica.port, target.metrics.path)
        try:
            async with self._places:
                return await self._fetch(replica, url, admission)
        except TimeoutError:
            return self._fault(replica, FaultKind.TIMEOUT, f"{url} did not answer in {self._timeout_s:g} s")
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
            return self._fault(replica, FaultKind.UNTRUSTED, f"{url}: {error}")
        except aiohttp.ClientError as error:
            return self._fault(replica, FaultKind.UNREACHABLE, f"{url}: {error}")

    async def _fetch(self, replica: Replica, url: URL, admission: Admission) -> Page:
        assert self._session is not None, "use the scraper as an async context manager"
        # No redirects: a page that points elsewhere could send the scraper to a host that is not the pod.
        async with self._session.get(
            url,
            allow_redirects=False,
            headers={"Accept": ACCEPT, **admission.headers},
            ssl=admission.tls if admission.tls is not None else True,
            server_hostname=admission.server_name if admission.tls is not None else None,
        ) as response:
            if response.status in (401, 403):
                return self._fault(replica, FaultKind.NOT_AUTHORISED, f"{url} answered {response.status}")
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


def _odd_path(path: str) -> str:
    """Why a path is none; empty where it is one. `@host/` after the port would make the pod's address a user's name."""
    return "" if path.startswith("/") else f"the path is {path!r}; allowed: one that starts with /"


def _url(scheme: str, host: str, port: int | None, path: str) -> URL:
    bare, _, query = path.partition("?")
    return URL.build(scheme=scheme, host=host, port=port or DEFAULT_PORT, path=bare, query_string=query)


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
