"""Secrets of the cluster, by key, kept for a minute: a scrape of every replica must not be a read of every Secret."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from urllib.parse import quote

from controlplane.adapters.kube_http import KubeError, KubeHttp
from controlplane.domain.ports import ClusterUnavailable, SecretUnavailable
from controlplane.domain.target import SecretKey

KEPT_REAL_S = 60.0
"""As often as the kubelet refreshes mounted Secrets; a rotated token is in use within that time."""


class KubernetesSecrets:
    """`Secrets` over the API server. `real_s` gives real seconds."""

    def __init__(self, http: KubeHttp, real_s: Callable[[], float]) -> None:
        self._http = http
        self._real_s = real_s
        self._kept: dict[tuple[str, str], tuple[float, Mapping[str, bytes]]] = {}

    async def value(self, namespace: str, key: SecretKey) -> bytes:
        """The bytes under one key.

        Raises:
            SecretUnavailable: if there is no such Secret or key, or it may not or cannot be read now.
        """
        name = (namespace, key.name)
        until_s, data = self._kept.get(name, (0.0, {}))
        if self._real_s() >= until_s:
            data = await self._read(namespace, key.name)
            self._kept[name] = (self._real_s() + KEPT_REAL_S, data)
        if key.key not in data:
            raise SecretUnavailable(f"Secret {namespace}/{key.name} has no key {key.key!r}; it has {sorted(data)}")
        return data[key.key]

    async def _read(self, namespace: str, name: str) -> Mapping[str, bytes]:
        try:
            secret = await self._http.get(f"/api/v1/namespaces/{namespace}/secrets/{quote(name, safe='')}")
        except (KubeError, ClusterUnavailable) as error:
            raise SecretUnavailable(f"Secret {namespace}/{name} cannot be read: {error}") from error
        data = secret.get("data") or {}
        try:
            return {key: base64.b64decode(text, validate=True) for key, text in data.items()}
        except (binascii.Error, TypeError, ValueError) as error:
            raise SecretUnavailable(f"Secret {namespace}/{name} is not base64: {error}") from error


class FakeSecrets:
    """`Secrets` from a mapping of (namespace, Secret, key); counts reads."""

    def __init__(self, values: Mapping[tuple[str, str, str], bytes]) -> None:
        self.values = dict(values)
        self.reads = 0

    async def value(self, namespace: str, key: SecretKey) -> bytes:
        """As `KubernetesSecrets.value`."""
        self.reads += 1
        try:
            return self.values[namespace, key.name, key.key]
        except KeyError:
            raise SecretUnavailable(f"Secret {namespace}/{key.name} has no key {key.key!r}") from None
