"""Who the API server's front proxy is, as the cluster tells its extension API servers."""

from __future__ import annotations

import json
from dataclasses import dataclass

from controlplane.adapters.kube_http import KubeError, KubeHttp
from controlplane.domain.ports import ClusterUnavailable

CONFIG_MAP = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
"""Readable with the Role `extension-apiserver-authentication-reader` of kube-system."""


@dataclass(frozen=True, slots=True)
class FrontProxy:
    """PEM of who signs its client certificate, and the common names that it may have; none: any."""

    ca: str
    names: tuple[str, ...] = ()


async def front_proxy(http: KubeHttp) -> FrontProxy:
    """The front proxy that the cluster names.

    Raises:
        ClusterUnavailable: if the cluster does not say; without it nobody could be told from the API server.
    """
    try:
        data = (await http.get(CONFIG_MAP)).get("data") or {}
    except KubeError as error:
        raise ClusterUnavailable(f"{CONFIG_MAP} cannot be read: {error}; {_INSTEAD}") from error
    ca = str(data.get("requestheader-client-ca-file") or "")
    if not ca:
        raise ClusterUnavailable(f"{CONFIG_MAP} has no requestheader-client-ca-file; {_INSTEAD}")
    return FrontProxy(ca, tuple(json.loads(data.get("requestheader-allowed-names") or "[]")))


_INSTEAD = "TIDEGATE_FRONT_PROXY_CA may name a PEM file instead, or be off"
