"""A real kube-apiserver and etcd, as controller-runtime's envtest starts them.

KUBEBUILDER_ASSETS names the folder that holds both. There is no kubelet and no controller manager; `fake_kubelet` plays
the parts of them that a scaled workload needs.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import urllib.request
from pathlib import Path

import yaml

from controlplane.adapters.kube_http import KubeError, KubeHttp
from controlplane.domain.ports import ClusterUnavailable
from controlplane.embedded.children import free_port, spawn, stop

START_TIMEOUT_S = 90.0
TOKEN, LIMITED_TOKEN = "envtest-admin", "envtest-limited"
LIMITED_USER = "limited"
"""A user without any right of its own, to whom a test gives those of the chart."""


class ControlPlane:
    """etcd and an API server with an administrator and a user who may do nothing, each with a token."""

    def __init__(self, assets: Path, directory: Path) -> None:
        self._assets = assets
        self._directory = directory
        self._etcd_port, self._peer_port, self._port = free_port(), free_port(), free_port()
        self._etcd: subprocess.Popen[bytes] | None = None
        self._api: subprocess.Popen[bytes] | None = None
        self.kubeconfig = directory / "envtest-kubeconfig"
        self.limited_kubeconfig = directory / "envtest-limited-kubeconfig"

    def start(self) -> None:
        """Start both and wait until they answer."""
        directory = self._directory
        users = ((TOKEN, "admin", "admin", '"system:masters"'), (LIMITED_TOKEN, LIMITED_USER, LIMITED_USER, ""))
        (directory / "tokens.csv").write_text("".join(",".join(user).rstrip(",") + "\n" for user in users))
        key = str(directory / "sa.key")
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        self._etcd = self._spawn(
            "etcd",
            f"--data-dir={directory / 'etcd'}",
            f"--listen-client-urls={self._etcd_url}",
            f"--advertise-client-urls={self._etcd_url}",
            f"--listen-peer-urls=http://127.0.0.1:{self._peer_port}",
        )
        self._write_kubeconfig(self.kubeconfig, TOKEN)
        self._write_kubeconfig(self.limited_kubeconfig, LIMITED_TOKEN)
        self._start_api()
        asyncio.run(self.ready())

    def stop(self) -> None:
        """Stop both."""
        for child in (self._api, self._etcd):
            if child is not None:
                stop(child)

    async def expire(self) -> None:
        """Make every version of before now too old: compact etcd, and restart the API server, whose watch cache then
        begins at now."""
        assert self._api is not None
        await asyncio.to_thread(stop, self._api)
        await asyncio.to_thread(self._compact)
        self._start_api()
        await self.ready()

    async def ready(self) -> None:
        """Until the API server serves what every test needs."""
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

    @property
    def _etcd_url(self) -> str:
        return f"http://127.0.0.1:{self._etcd_port}"

    def _start_api(self) -> None:
        key = self._directory / "sa.key"
        self._api = self._spawn(
            "kube-apiserver",
            f"--etcd-servers={self._etcd_url}",
            f"--secure-port={self._port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--cert-dir={self._directory / 'certs'}",
            f"--token-auth-file={self._directory / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--service-account-issuer=https://envtest",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            # Without a controller manager no namespace gets the ServiceAccount that this would ask of every Pod.
            "--disable-admission-plugins=ServiceAccount",
        )

    def _compact(self) -> None:
        """Through etcd's JSON gateway, since etcdctl is not among the assets."""
        newest = int(self._ask_etcd("/v3/kv/range", {"key": "AA=="})["header"]["revision"])
        self._ask_etcd("/v3/kv/compaction", {"revision": str(newest), "physical": True})

    def _ask_etcd(self, path: str, body: dict[str, object]) -> dict[str, dict[str, str]]:
        request = urllib.request.Request(f"{self._etcd_url}{path}", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=10.0) as answer:
            found: dict[str, dict[str, str]] = json.load(answer)
        return found

    def _spawn(self, name: str, *flags: str) -> subprocess.Popen[bytes]:
        with (self._directory / f"{name}.log").open("ab") as log:
            return spawn([self._assets / name, *flags], log)

    def _write_kubeconfig(self, path: Path, token: str) -> None:
        server = {"server": f"https://127.0.0.1:{self._port}", "insecure-skip-tls-verify": True}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "envtest", "cluster": server}],
            "users": [{"name": "user", "user": {"token": token}}],
            "contexts": [{"name": "envtest", "context": {"cluster": "envtest", "user": "user"}}],
            "current-context": "envtest",
        }
        path.write_text(yaml.safe_dump(config))
