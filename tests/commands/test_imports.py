"""`tidegate crd` and `tidegate import`, as typed: from a file, and from the simulated cluster."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from controlplane.cli import app
from controlplane.crds import inference_autoscaler
from controlplane.domain.discovered import Discovered
from controlplane.domain.manifest import target_from_manifest
from controlplane.simulation.kubernetes.http import KubernetesApi
from controlplane.simulation.kubernetes.resources import Registry, Resource
from controlplane.simulation.kubernetes.store import Store
from controlplane.simulation.kubernetes.verbs import Options, Target, Verbs
from tests.importing.test_imports import DEPLOYMENT, hpa, pod, scaled_object

RUN = CliRunner()
NOW = "2026-11-21T01:38:42Z"
SELF = Options(manager="test", force=True, strict=False)
HPAS = Resource("autoscaling", "v2", "horizontalpodautoscalers", "horizontalpodautoscaler", "HorizontalPodAutoscaler")
SCALED_OBJECTS = Resource("keda.sh", "v1alpha1", "scaledobjects", "scaledobject", "ScaledObject")


def workload(model: str | None) -> dict[str, Any]:
    words = ["--model", model] if model else []
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "chat"}}, **pod(*words)["spec"]}
    return {**DEPLOYMENT, "metadata": {"name": "chat", "namespace": "prod"}, "spec": spec}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "all.yaml"
    path.write_text(yaml.safe_dump_all([hpa(), scaled_object(), workload("Qwen/Qwen3-8B")]), encoding="utf-8")
    return path


def fails(*arguments: str) -> str:
    result = RUN.invoke(app, list(arguments))
    assert isinstance(result.exception, ValueError), result.output
    return str(result.exception)


def written(*arguments: str) -> dict[str, Any]:
    result = RUN.invoke(app, list(arguments))
    assert result.exit_code == 0, result.output + str(result.exception)
    found: dict[str, Any] = yaml.safe_load(result.stdout)
    target_from_manifest(found, {"default": Discovered("H100")})
    return found


def test_crd_prints_a_plain_document() -> None:
    result = RUN.invoke(app, ["crd"])
    assert result.exit_code == 0
    assert yaml.safe_load(result.stdout) == inference_autoscaler()
    assert not [t for t in yaml.scan(result.stdout) if isinstance(t, (yaml.AnchorToken, yaml.AliasToken))]


@pytest.mark.parametrize("kind", ["hpa", "scaledobject"])
def test_a_file_may_hold_the_workload_too_which_says_the_model(kind: str, file: Path) -> None:
    found = written("import", kind, "chat", "--file", str(file))
    assert (found["spec"]["model"], found["metadata"]["namespace"]) == ("qwen3-8b", "prod")


def test_options_are_taken_and_the_output_is_a_file(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.yaml"
    arguments = ["--model", "llama-3.1-70b", "--accelerator", "H200", "--slo", "RAG", "--output", str(out)]
    result = RUN.invoke(app, ["import", "hpa", "chat", "--file", str(file), *arguments])
    assert (result.exit_code, result.stdout) == (0, "")
    spec = yaml.safe_load(out.read_text(encoding="utf-8"))["spec"]
    assert (spec["model"], spec["accelerator"], spec["slo"]) == ("llama-3.1-70b", "H200", {"preset": "RAG"})


def test_what_cannot_be_used_is_named(file: Path, tmp_path: Path) -> None:
    at = ["--file", str(file)]
    assert "--model is 'gpt-9'; allowed: llama-3.1-8b" in fails("import", "hpa", "chat", *at, "--model", "gpt-9")
    assert "--accelerator is 'H1'; allowed: L4" in fails("import", "hpa", "chat", *at, "--accelerator", "H1")
    assert "--slo is 'Chess'; allowed: Chat, RAG" in fails("import", "hpa", "chat", *at, "--slo", "Chess")
    assert "has no HorizontalPodAutoscaler x; it has HorizontalPodAutoscaler chat" in fails("import", "hpa", "x", *at)
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [", encoding="utf-8")
    assert "is no YAML" in fails("import", "hpa", "chat", "--file", str(broken))


def test_a_model_that_nobody_says_is_asked_for_and_not_made_up(tmp_path: Path) -> None:
    path = tmp_path / "hpa.yaml"
    path.write_text(yaml.safe_dump_all([hpa(), workload(None)]), encoding="utf-8")
    message = "--model is absent, and no command line names one; allowed: llama-3.1-8b"
    assert message in fails("import", "hpa", "chat", "--file", str(path))
    path.write_text(yaml.safe_dump_all([hpa(), workload("org/other-3b")]), encoding="utf-8")
    message = "--model is absent, and 'org/other-3b', which the workload serves, is not in the catalog"
    assert message in fails("import", "hpa", "chat", "--file", str(path))


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A simulated API server with an HPA, a ScaledObject and their Deployment, in another thread: the command has a
    loop of its own."""
    registry, store = Registry(), Store(lambda: NOW)
    verbs = Verbs(store, registry, lambda: NOW)
    for resource in (HPAS, SCALED_OBJECTS):
        registry.add(resource)
    deployments = registry.find("apps", "v1", "deployments")
    assert deployments is not None
    made = ((HPAS, hpa()), (SCALED_OBJECTS, scaled_object()), (deployments, workload("Qwen/Qwen3-8B")))
    for resource, body in made:
        verbs.create(Target(resource, "prod", "", ""), body, SELF)
    kubeconfig = tmp_path / "kubeconfig"
    started, ended = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        from aiohttp import web

        runner = web.AppRunner(KubernetesApi(store, registry, verbs, lambda: 1_795_225_122.0).application())
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        write_kubeconfig(kubeconfig, runner.addresses[0][1])
        started.set()
        await ended.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert started.wait(10)
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    yield
    loop.call_soon_threadsafe(ended.set)
    thread.join(10)
    loop.close()


def write_kubeconfig(path: Path, port: int) -> None:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }
    path.write_text(yaml.safe_dump(config), encoding="utf-8")


@pytest.mark.usefixtures("cluster")
def test_it_is_read_from_the_cluster_with_the_workload_that_says_the_model() -> None:
    for kind in ("hpa", "scaledobject"):
        found = written("import", kind, "chat", "-n", "prod")
        assert found["spec"]["model"] == "qwen3-8b"
        assert found["spec"]["mode"] == "Shadow"
    assert (
        'HorizontalPodAutoscaler prod/no: 404 NotFound: horizontalpodautoscalers.autoscaling "no" not found'
        in fails("import", "hpa", "no", "-n", "prod")
    )
