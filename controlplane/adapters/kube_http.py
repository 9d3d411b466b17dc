"""JSON in and out of a Kubernetes API server, over the official client's connection and credentials.

Paths and bodies are plain JSON: a target may be any kind with a `/scale` subresource, and the generated classes know
only the built-in kinds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import aiohttp
from kubernetes.aio import client, config

from controlplane.domain.ports import ClusterUnavailable

FIELD_MANAGER = "tidegate"
"""Tidegate's name in `metadata.managedFields`."""
MERGE_PATCH = "application/merge-patch+json"
REQUEST_TIMEOUT_S = 5.0
"""Real seconds for one request. A tick that waits longer than this is worth less than the next one."""

Json = dict[str, Any]
"""A decoded JSON object of the API server; read through the functions of `kube_objects`, and no further."""


class KubeError(Exception):
    """The API server refused: its HTTP status, its `reason` (Conflict, NotFound, Forbidden...) and its message."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


class KubeHttp:
    """One connection pool to one API server. Use as an async context manager."""

    def __init__(self, kubeconfig: Path | None) -> None:
        self._kubeconfig = kubeconfig
        self._client: client.ApiClient | None = None

    async def __aenter__(self) -> KubeHttp:
        configuration = client.Configuration()
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

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        """GET; see `_request` for what is raised."""
        return await self._request("GET", path, query or {}, None, "application/json")

    async def merge_patch(self, path: str, body: Json) -> Json:
        """PATCH with a JSON merge patch, as field manager `tidegate`."""
        return await self._request("PATCH", path, {"fieldManager": FIELD_MANAGER}, body, MERGE_PATCH)

    async def post(self, path: str, body: Json) -> Json:
        """POST, as field manager `tidegate`."""
        return await self._request("POST", path, {"fieldManager": FIELD_MANAGER}, body, "application/json")

    async def put(self, path: str, body: Json) -> Json:
        """PUT; a resourceVersion in the body is a precondition."""
        return await self._request("PUT", path, {"fieldManager": FIELD_MANAGER}, body, "application/json")

    async def _request(
        self, method: str, path: str, query: Mapping[str, str], body: Json | None, content_type: str
    ) -> Json:
        """Raises KubeError where the server refuses, ClusterUnavailable where it does not answer or is not well."""
        headers = {"Accept": "application/json", "Content-Type": content_type}
        try:
            serialized = await self.api_client.param_serialize(
                method, path, None, list(query.items()), headers, body, auth_settings=["BearerToken"]
            )
            response = await self.api_client.call_api(*serialized, _request_timeout=REQUEST_TIMEOUT_S)
            payload = _decoded(await response.read())  # type: ignore[no-untyped-call]
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise ClusterUnavailable(f"{method} {path}: {error or type(error).__name__}") from error
        if response.status >= 500:
            raise ClusterUnavailable(f"{method} {path}: {response.status} {payload.get('message', '')}")
        if response.status >= 400:
            raise KubeError(response.status, str(payload.get("reason", "")), str(payload.get("message", "")))
        return payload


def _decoded(data: bytes) -> Json:
    """The JSON object in `data`; where it is something else (a proxy's page), an object with its start as message."""
    try:
        payload = json.loads(data)
    except ValueError:
        return {"message": data[:200].decode("utf-8", "replace")}
    return payload if isinstance(payload, dict) else {"message": str(payload)[:200]}
