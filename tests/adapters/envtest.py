"""A real kube-apiserver and etcd, as controller-runtime's envtest starts them."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from controlplane.adapters.kube_http import KubeError, KubeHttp
from controlplane.domain.ports import ClusterUnavailable
from controlplane.embedded.children import free_port, spawn, stop

START_TIMEOUT_S = 60.0
TOKEN = "envtest-admin"


class ControlPlane:
    """etcd and an API server with one administrator, who has a token."""

    def __init__(self, assets: Path, directory: Path) -> None:
        self._assets = assets
        self._directory = directory
        self._children: list[subprocess.Popen[bytes]] = []
        self.kubeconfig = directory / "envtest-kubeconfig"

    async def __aenter__(self) -> ControlPlane:
        etcd, peer, api = free_port(), free_port(), free_port()
        directory = self._directory
        (directory / "tokens.csv").write_text(f'{TOKEN},admin,admin,"system:masters"\n')
        key = directory / "sa.key"
        subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
        client = f"http://127.0.0.1:{etcd}"
        self._start(
            "etcd",
            f"--data-dir={directory / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
        )
        self._start(
            "kube-apiserver",
            f"--etcd-servers={client}",
            f"--secure-port={api}",
            "--bind-address=127.0.0.1",
            f"--cert-dir={directory / 'certs'}",
            f"--token-auth-file={directory / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--service-account-issuer=https://envtest",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--disable-admission-plugins=ServiceAccount",
        )
        self._write_kubeconfig(api)
        await self._ready()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in reversed(self._children):
            stop(child)

    @staticmethod
    def deployment(name: str, replicas: int) -> dict[str, Any]:
        """A Deployment that nobody makes pods of: there is no controller manager."""
        labels = {"app": name}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "engine", "image": "x"}]}}
        spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}

    @staticmethod
    async def until(ask: Callable[[], Awaitable[Any]], expected: type[Exception]) -> None:
        """Until an answer comes without that exception."""
        for _ in range(100):
            try:
                await ask()
            except expected:
                await asyncio.sleep(0.2)
            else:
                return
        raise TimeoutError("the API server does not serve what was created")

    def _start(self, name: str, *flags: str) -> None:
        with (self._directory / f"{name}.log").open("wb") as log:
            self._children.append(spawn([self._assets / name, *flags], log))

    def _write_kubeconfig(self, port: int) -> None:
        server = {"server": f"https://127.0.0.1:{port}", "insecure-skip-tls-verify": True}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "envtest", "cluster": server}],
            "users": [{"name": "admin", "user": {"token": TOKEN}}],
            "contexts": [{"name": "envtest", "context": {"cluster": "envtest", "user": "admin"}}],
            "current-context": "envtest",
        }
        self.kubeconfig.write_text(yaml.safe_dump(config))

    async def _ready(self) -> None:
        deadline = asyncio.get_running_loop().time() + START_TIMEOUT_S
        async with KubeHttp(self.kubeconfig) as http:
            while True:
                try:
                    await http.get("/api/v1/namespaces/default")
                except (KubeError, ClusterUnavailable):
                    if asyncio.get_running_loop().time() > deadline:
                        raise
                    await asyncio.sleep(0.3)
                else:
                    return
