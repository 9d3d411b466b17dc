"""The clients that people use, against the simulated cluster: kubectl and the official Python client."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from kubernetes import client, config, watch

from controlplane.crds import inference_autoscaler
from controlplane.simulation.fleet import Fleet
from controlplane.simulation.scenario import load_scenario
from controlplane.simulation.server import ClusterServer, read_state

START_S = 1_795_225_122.0


class StillClock:
    """A clock that stands: the fleet is not played, so that the tests are quick and sure."""

    speed = 1.0

    def now_s(self) -> float:
        return START_S

    async def sleep(self, duration_s: float) -> None:
        await asyncio.sleep(duration_s)


def _server(folder: Path) -> ClusterServer:
    scenario = load_scenario("chat-8b")
    kept = read_state(folder / "state.json").get("replicas", {})
    fleet = Fleet(scenario.workloads, scenario.generated(), scenario.inventory, START_S, scenario.seed, kept)
    return ClusterServer(fleet, StillClock(), inference_autoscaler(), scenario.manifests, folder / "state.json")


@pytest.fixture
async def kubeconfig(tmp_path: Path) -> AsyncIterator[Path]:
    server = _server(tmp_path)
    await server.start()
    server.write_kubeconfig(tmp_path / "kubeconfig")
    yield tmp_path / "kubeconfig"
    await server.stop()


async def _kubectl(kubeconfig: Path, *words: str, given: str = "") -> tuple[int, str]:
    binary = shutil.which("kubectl")
    if binary is None:
        pytest.skip("kubectl is absent")
    process = await asyncio.create_subprocess_exec(
        *(binary, *words),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"KUBECONFIG": str(kubeconfig), "HOME": str(kubeconfig.parent)},
    )
    out, _ = await asyncio.wait_for(process.communicate(given.encode()), 30)
    return process.returncode or 0, out.decode()


def _manifest(**spec: object) -> str:
    manifest = dict(load_scenario("chat-8b").manifests[0])
    manifest |= {"metadata": {"name": "two", "namespace": "default"}, "spec": {**manifest["spec"], **spec}}
    return yaml.safe_dump(manifest)


async def test_kubectl_gets_and_scales(kubeconfig: Path) -> None:
    code, out = await _kubectl(kubeconfig, "get", "deployments,pods,infas")
    assert code == 0, out
    assert all(word in out for word in ("deployment.apps/chat-h100", "pod/chat-h100-", "MODE", "VERDICT"))
    code, out = await _kubectl(kubeconfig, "scale", "deployment/chat-h100", "--replicas=3")
    assert (code, out) == (0, "deployment.apps/chat-h100 scaled\n")
    code, out = await _kubectl(kubeconfig, "get", "deployment", "chat-h100", "-o", "jsonpath={.spec.replicas}")
    assert (code, out) == (0, "3")


async def test_kubectl_applies_describes_and_deletes_our_resource(kubeconfig: Path) -> None:
    # kubectl sends lists again that the server gave defaults to: the words are "configured", the generation stays.
    for generation, spec in (("1", {}), ("1", {}), ("2", {"intervalSeconds": 20})):
        code, out = await _kubectl(kubeconfig, "apply", "-f", "-", given=_manifest(**spec))
        assert code == 0, out
        _, found = await _kubectl(kubeconfig, "get", "infas", "two", "-o", "jsonpath={.metadata.generation}")
        assert found == generation
    code, out = await _kubectl(kubeconfig, "apply", "-f", "-", given=_manifest(mode="Bogus"))
    assert code == 1
    assert 'spec.mode: Unsupported value: "Bogus": supported values: "Off", "Shadow", "Live"' in out
    code, out = await _kubectl(kubeconfig, "describe", "infas", "two")
    assert code == 0
    assert "Interval Seconds:  20" in out
    assert (await _kubectl(kubeconfig, "delete", "infas", "two"))[0] == 0
    assert "NotFound" in (await _kubectl(kubeconfig, "get", "infas", "two"))[1]


async def test_the_python_client_lists_watches_and_scales(kubeconfig: Path) -> None:
    def talk() -> tuple[int, int | None, set[str]]:
        api_client = config.new_client_from_config(str(kubeconfig))
        core, apps = client.CoreV1Api(api_client), client.AppsV1Api(api_client)
        pods = core.list_namespaced_pod("default", label_selector="app=chat-h100")
        scale = apps.patch_namespaced_deployment_scale("chat-h100", "default", {"spec": {"replicas": 3}})
        version = pods.metadata.resource_version
        events = watch.Watch().stream(core.list_namespaced_pod, "default", resource_version=version, timeout_seconds=2)
        assert scale.spec is not None
        return len(pods.items), scale.spec.replicas, {event["type"] for event in events}

    before, wanted, kinds = await asyncio.to_thread(talk)
    assert (before, wanted) == (2, 3)
    assert "ADDED" in kinds


async def test_replicas_and_resources_outlive_a_restart(tmp_path: Path) -> None:
    first = _server(tmp_path)
    await first.start()
    first.write_kubeconfig(tmp_path / "kubeconfig")
    await _kubectl(tmp_path / "kubeconfig", "scale", "deployment/chat-h100", "--replicas=5")
    await _kubectl(tmp_path / "kubeconfig", "apply", "-f", "-", given=_manifest())
    await first.stop()
    second = _server(tmp_path)
    await second.start()
    second.write_kubeconfig(tmp_path / "kubeconfig")
    _, out = await _kubectl(tmp_path / "kubeconfig", "get", "infas,deployments", "-o", "name")
    _, replicas = await _kubectl(
        tmp_path / "kubeconfig", "get", "deployment", "chat-h100", "-o", "jsonpath={.spec.replicas}"
    )
    await second.stop()
    assert replicas == "5"
    assert "inferenceautoscaler.tidegate.io/two" in out
