"""Questions to a Prometheus, through prometheus-api-client: a thread each, each within a time, none tried again.

That library is synchronous, over requests, so it runs in threads; its `timeout` bounds each wait for bytes, and the
wait for the thread bounds the whole. What it answers is checked here, so that only plain values go further.
"""

from __future__ import annotations

import asyncio
import math
import ssl
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from prometheus_api_client.exceptions import PrometheusApiClientException
from prometheus_api_client.prometheus_connect import PrometheusConnect
from requests.adapters import HTTPAdapter
from urllib3.exceptions import InsecureRequestWarning
from urllib3.util.retry import Retry

from controlplane.adapters.addresses import refusal
from controlplane.adapters.credentials import Admission, Credentials
from controlplane.domain.observation import FaultKind
from controlplane.domain.target import Target

THREADS = 4
"""Questions at once: decoding the answers is most of the work, and more would only share the same core."""
PATIENCE = 2.0
"""Timeouts until an answer that drips in is given up: the library's own bounds each wait for bytes, not their sum."""
KEPT_CLIENTS = 64
"""Prometheus servers (by credentials) whose connections are kept."""


class PrometheusError(Exception):
    """A Prometheus did not answer, or not with what was asked for; `kind` names the fault."""

    def __init__(self, kind: FaultKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class SeriesValues:
    """One series: its labels, and values as they were printed by unix seconds (an instant vector has one)."""

    labels: Mapping[str, str]
    values: tuple[tuple[float, str], ...]


class PrometheusPool:
    """Asks; keeps one client per server and way in."""

    def __init__(self, credentials: Credentials, timeout_s: float) -> None:
        self._credentials = credentials
        self._timeout_s = timeout_s
        self._clients: dict[tuple[object, ...], PrometheusConnect] = {}
        # Threads of its own: a server that hangs must not keep the ledger waiting for one.
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="prometheus")
        # One waits here and not for a thread: that would count against its time.
        self._places = asyncio.Semaphore(THREADS)

    async def instant(self, target: Target, query: str, at_s: float | None = None) -> list[SeriesValues]:
        """The query's instant vector at `at_s` by the server's clock; None: now.

        Raises:
            PrometheusError: if it cannot be had in time.
            SecretUnavailable: if a Secret that the target names cannot be had.
        """
        client = await self._client(target)
        params = {} if at_s is None else {"time": f"{at_s:.3f}"}
        ask = partial(client.custom_query, query, params, timeout=math.ceil(self._timeout_s))
        return await self._answer(ask, "value")

    async def range(self, target: Target, query: str, from_s: float, to_s: float, step_s: float) -> list[SeriesValues]:
        """The query's values at `from_s`, `from_s + step_s`... up to `to_s`. Raises as `instant`."""
        client = await self._client(target)
        begin, end = (datetime.fromtimestamp(at_s, UTC) for at_s in (from_s, to_s))
        asked = partial(
            client.custom_query_range, query, begin, end, f"{step_s:g}s", timeout=math.ceil(self._timeout_s)
        )
        return await self._answer(asked, "values")

    async def _answer(self, ask: Callable[[], Any], field: str) -> list[SeriesValues]:
        try:
            async with self._places:
                asked = asyncio.get_running_loop().run_in_executor(self._threads, lambda: _checked(ask(), field))
                return await asyncio.wait_for(asked, PATIENCE * self._timeout_s)
        except (TimeoutError, requests.Timeout):
            raise PrometheusError(FaultKind.TIMEOUT, f"it did not answer in {self._timeout_s:g} s") from None
        except requests.exceptions.SSLError as error:
            raise PrometheusError(FaultKind.UNTRUSTED, str(error)[:200]) from None
        except requests.exceptions.JSONDecodeError:
            raise PrometheusError(FaultKind.NOT_METRICS, "its answer is no JSON") from None
        except requests.RequestException as error:
            raise PrometheusError(FaultKind.UNREACHABLE, str(error)[:200]) from None
        except PrometheusApiClientException as error:
            raise PrometheusError(_kind(str(error)), str(error)[:200]) from None
        except (KeyError, TypeError, AttributeError):
            raise PrometheusError(FaultKind.NOT_METRICS, "its answer has no result") from None

    async def _client(self, target: Target) -> PrometheusConnect:
        source = target.metrics.prometheus
        assert source is not None, "the target names no Prometheus"
        admission = await self._credentials.of(target)
        key = (source.url, admission.tls, admission.server_name, *sorted(admission.headers.items()))
        if key not in self._clients:
            while len(self._clients) >= KEPT_CLIENTS:
                self._clients.pop(next(iter(self._clients)))
            self._clients[key] = _made(source.url, admission)
        return self._clients[key]


def _made(url: str, admission: Admission) -> PrometheusConnect:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise PrometheusError(FaultKind.REFUSED, f"the URL is {url!r}; allowed: http(s)://host:port/path")
    if parts.hostname.replace(".", "").isdigit() or ":" in parts.hostname:
        refused = refusal(parts.hostname, allow_loopback=True)
        if refused:
            raise PrometheusError(FaultKind.REFUSED, refused)
    session = _FormSession()
    session.trust_env = False  # neither a proxy nor a .netrc of the host's comes between
    session.max_redirects = 0
    session.verify = admission.tls is None or admission.tls.verify_mode is not ssl.CERT_NONE
    client = PrometheusConnect(
        url=url.rstrip("/"), headers=dict(admission.headers), session=session, retry=Retry(0), method="POST"
    )
    if not session.verify:
        urllib3.disable_warnings(InsecureRequestWarning)  # whoever asked for it need not be told at every scrape
    if parts.scheme == "https" and admission.tls is not None:
        session.mount(url.rstrip("/"), _Tls(admission.tls, admission.server_name))
    return client


class _FormSession(requests.Session):
    """Sends what is asked as a form: the library's POST leaves it in the URL, where 50 pods' names do not fit."""

    def request(self, method: str, url: str, params: Any = None, **options: Any) -> requests.Response:  # type: ignore[override]
        """As requests', with `params` in the body."""
        return super().request(method, url, data=params, **options)


class _Tls(HTTPAdapter):
    """Connections with the target's own TLS context."""

    def __init__(self, context: ssl.SSLContext, server_name: str | None) -> None:
        self._context = context
        self._server_name = server_name
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """As requests', with the context."""
        options["ssl_context"] = self._context
        if self._server_name is not None:
            options["server_hostname"] = options["assert_hostname"] = self._server_name
        super().init_poolmanager(*args, **options)

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing: the context knows its authorities, and requests' own are not to be added."""


def _kind(message: str) -> FaultKind:
    code = message.removeprefix("HTTP Status Code ")[:3]
    return FaultKind.NOT_AUTHORISED if code in ("401", "403") else FaultKind.BAD_STATUS


def _checked(answer: Any, field: str) -> list[SeriesValues]:
    """Plain values of what the library passes on as it came."""
    try:
        return [
            SeriesValues(
                {str(name): str(value) for name, value in one["metric"].items()},
                tuple((float(at_s), str(value)) for at_s, value in ([one[field]] if field == "value" else one[field])),
            )
            for one in answer
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PrometheusError(FaultKind.NOT_METRICS, f"its answer is not a vector: {error!r}"[:200]) from None
