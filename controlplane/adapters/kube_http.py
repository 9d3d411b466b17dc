"""JSON in and out of a Kubernetes API server, over the official client's connection and credentials.

Paths and bodies are plain JSON: a target may be any kind with a `/scale` subresource, and the generated classes know
only the built-in kinds.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import aiohttp
from kubernetes.aio import client, config

from controlplane.adapters.kube_limits import Limiter, Priority
from controlplane.adapters.kube_stream import Lines
from controlplane.domain.ports import ClusterUnavailable

FIELD_MANAGER = "tidegate"
"""Tidegate's name in `metadata.managedFields`."""
JSON, MERGE_PATCH, JSON_PATCH, APPLY_PATCH = (
    "application/json",
    "application/merge-patch+json",
    "application/json-patch+json",
    "application/apply-patch+yaml",
)
REQUEST_TIMEOUT_S = 5.0
"""Real seconds for one request. A tick that waits longer than this is worth less than the next one. RENEW_DEADLINE_S of
the lease and this make its LEASE_S: what was sent by a leader has arrived, or never will, before another may lead."""
LIST_TIMEOUT_S = 30.0
"""Real seconds for one chunk of a list: a busy API server may take many for five hundred Nodes."""
IDLE_S = 90.0
"""Real seconds without a byte after which a watch is taken for dead. API servers send a bookmark every minute."""
TRIES, LONGEST_RETRY_AFTER_S = 3, 10.0
"""Times that a request which was answered 429 is sent, and the longest Retry-After that is worth waiting for."""

OPENED = "OPENED"
"""The type of the event that `KubeHttp.watch` puts before those of the server."""

Json = dict[str, Any]
"""A decoded JSON object of the API server; it goes no further than the readers in `adapters`."""


class KubeError(Exception):
    """The API server refused: its HTTP status, its `reason` (Conflict, NotFound, Forbidden...) and its message."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


class ServerFault(ClusterUnavailable):
    """The API server answered one request with a 5xx: it, or what it asks for that resource, is not well."""


class KubeHttp:
    """One connection pool to one API server, with a limit on how often it is asked. Use as an async context manager.

    `fence` is asked right before each write is sent; where it says no, KubeError NotLeading is raised instead.
    """

    def __init__(self, kubeconfig: Path | None, limiter: Limiter | None = None) -> None:
        self._kubeconfig = kubeconfig
        self._client: client.ApiClient | None = None
        self._limiter = limiter or Limiter()
        self.fence: Callable[[], bool] = lambda: True

    async def __aenter__(self) -> KubeHttp:
        # Watches hold a connection each; the limiter, not the pool, bounds the rest. 0 is aiohttp's "no limit".
        configuration = client.Configuration(connection_pool_maxsize=0)
        try:
            if self._kubeconfig is None:
                config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
            else:
                await config.load_kube_config(  # type: ignore[no-untyped-call]
                    str(self._kubeconfig), client_configuration=configuration
                )
        except (config.ConfigException, OSError) as error:
            raise ClusterUnavailable(f"no way into a cluster (KUBECONFIG is {self._kubeconfig}): {error}") from error
        self._client = client.ApiClient(configuration)
        self._client.user_agent = FIELD_MANAGER
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.api_client.close()  # type: ignore[no-untyped-call]

    @property
    def api_client(self) -> client.ApiClient:
        """The official client underneath."""
        assert self._client is not None, "use KubeHttp as an async context manager"
        return self._client

    async def get(self, path: str, query: Mapping[str, str] | None = None, priority: Priority = Priority.READ) -> Json:
        """GET; see `_request` for what is raised."""
        return await self._request("GET", path, query or {}, None, JSON, priority)

    async def merge_patch(self, path: str, body: Json, priority: Priority = Priority.STATUS) -> Json:
        """PATCH with a JSON merge patch, as field manager `tidegate`."""
        return await self._request("PATCH", path, {"fieldManager": FIELD_MANAGER}, body, MERGE_PATCH, priority)

    async def json_patch(self, path: str, operations: Sequence[Json], priority: Priority = Priority.STATUS) -> Json:
        """PATCH with a JSON patch (RFC 6902), as field manager `tidegate`. A failed `test` is a KubeError 422."""
        query = {"fieldManager": FIELD_MANAGER}
        return await self._request("PATCH", path, query, list(operations), JSON_PATCH, priority)

    async def apply(self, path: str, body: Json, priority: Priority = Priority.STATUS) -> Json:
        """Server-side apply as field manager `tidegate`: what is in `body` is ours, what was ours and is not goes."""
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        return await self._request("PATCH", path, query, body, APPLY_PATCH, priority)

    async def post(self, path: str, body: Json, priority: Priority = Priority.EVENT) -> Json:
        """POST, as field manager `tidegate`."""
        return await self._request("POST", path, {"fieldManager": FIELD_MANAGER}, body, JSON, priority)

    async def put(self, path: str, body: Json, priority: Priority = Priority.STATUS) -> Json:
        """PUT; a resourceVersion in the body is a precondition."""
        return await self._request("PUT", path, {"fieldManager": FIELD_MANAGER}, body, JSON, priority)

    async def delete(
        self, path: str, query: Mapping[str, str] | None = None, priority: Priority = Priority.STATUS
    ) -> Json:
        """DELETE."""
        return await self._request("DELETE", path, query or {}, None, JSON, priority)

    async def watch(self, path: str, query: Mapping[str, str], idle_s: float = IDLE_S) -> AsyncGenerator[Json, None]:
        """The events of a watch until the server ends it, after one of type OPENED that says that it stands.

        Close the iterator to end it earlier.

        Raises:
            KubeError: if the server refuses (410 among others), or says so in the middle.
            ClusterUnavailable: if it cannot be reached, breaks off, or is silent for `idle_s`.
        """
        await self._limiter.take(Priority.READ)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=REQUEST_TIMEOUT_S, sock_read=idle_s)
        try:
            response = await self._call("GET", path, {**query, "watch": "true"}, None, JSON, timeout)
            try:
                if response.status != 200:
                    _refuse("WATCH", path, response.status, _decoded(await response.read()))
                yield {"type": OPENED}
                lines = Lines()
                async for chunk in response.content.iter_any():
                    for line in lines.feed(chunk):
                        yield _event(line)
            finally:
                response.close()
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise ClusterUnavailable(f"WATCH {path}: {error or type(error).__name__}") from error

    async def _request(
        self, method: str, path: str, query: Mapping[str, str], body: object, content_type: str, priority: Priority
    ) -> Json:
        """Raises KubeError where the server refuses, ClusterUnavailable where it does not answer or is not well."""
        for attempt in range(TRIES):
            await self._limiter.take(priority)
            if method != "GET" and priority is not Priority.LEASE and not self.fence():
                raise KubeError(0, "NotLeading", f"{method} {path} was not sent: another may lead by now")
            status, retry_after_s, payload = await self._send(method, path, query, body, content_type)
            if status != 429 or attempt == TRIES - 1 or retry_after_s > LONGEST_RETRY_AFTER_S:
                break
            # The server did nothing yet, so even a PATCH may be sent again; everybody else waits as long.
            self._limiter.pause(retry_after_s)
            if priority is Priority.LEASE:
                await asyncio.sleep(retry_after_s)
        _refuse(method, path, status, payload)
        return payload

    async def _send(
        self, method: str, path: str, query: Mapping[str, str], body: object, content_type: str
    ) -> tuple[int, float, Json]:
        """The answer's status, its Retry-After in seconds and its body."""
        timeout = aiohttp.ClientTimeout(total=LIST_TIMEOUT_S if "limit" in query else REQUEST_TIMEOUT_S)
        try:
            response = await self._call(method, path, query, body, content_type, timeout)
            payload = _decoded(await response.read())
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise ClusterUnavailable(f"{method} {path}: {error or type(error).__name__}") from error
        return response.status, _retry_after_s(response.headers.get("Retry-After", "")), payload

    async def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: object,
        content_type: str,
        timeout: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": JSON, "Content-Type": content_type}
        serialized = await self.api_client.param_serialize(
            method, path, None, list(query.items()), headers, body, auth_settings=["BearerToken"]
        )
        answer = await self.api_client.call_api(*serialized, _request_timeout=timeout)
        response: aiohttp.ClientResponse = answer.response
        return response


def _refuse(method: str, path: str, status: int, payload: Json) -> None:
    """Raise what an answer of that status means; nothing where it is well."""
    message = str(payload.get("message", ""))
    if status >= 500:
        raise ServerFault(f"{method} {path}: {status} {message}")
    if status >= 400:
        raise KubeError(status, str(payload.get("reason", "")), message)


def _event(line: bytes) -> Json:
    """One event of a watch.

    Raises:
        KubeError: if it is an ERROR.
    """
    event = _decoded(line)
    if event.get("type") == "ERROR":
        status: Json = event.get("object") or {}
        raise KubeError(int(status.get("code") or 500), str(status.get("reason", "")), str(status.get("message", "")))
    return event


def _retry_after_s(text: str) -> float:
    """API servers give whole seconds; a proxy's date counts as one second."""
    return float(text) if text.isdecimal() else 1.0


def _decoded(data: bytes) -> Json:
    """The JSON object in `data`; where it is something else (a proxy's page), an object with its start as message."""
    try:
        payload = json.loads(data)
    except ValueError:
        return {"message": data[:200].decode("utf-8", "replace")}
    return payload if isinstance(payload, dict) else {"message": str(payload)[:200]}
