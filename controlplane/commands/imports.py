"""`tidegate import hpa` and `import scaledobject`: another autoscaler's object as a custom resource in Shadow."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from controlplane.adapters.kube_http import KubeError, KubeHttp
from controlplane.commands.options import OptionError
from controlplane.domain import catalog
from controlplane.domain.manifest_slo import Preset
from controlplane.importing import hpa, scaled_object
from controlplane.importing.documents import Document, in_namespace, items, model_of, name_of, target_of, workload_of
from controlplane.importing.imported import Choice, Imported


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """As typed."""

    name: str
    namespace: str
    model: str | None
    accelerator: str | None
    preset: str
    file: Path | None
    output: Path | None


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind that is imported: where a cluster has it, and who reads it."""

    name: str
    path: str
    read: Callable[[Document, Choice], Imported]


HPA = _Kind(hpa.KIND, "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers/{}", hpa.from_hpa)
SCALED_OBJECT = _Kind(
    scaled_object.KIND, "/apis/keda.sh/v1alpha1/namespaces/{}/scaledobjects/{}", scaled_object.from_scaled_object
)


def import_hpa(options: ImportOptions) -> None:
    """Write an HPA as a custom resource.

    Raises:
        ValueError: naming the option or the field that cannot be used, and what is allowed.
        ClusterUnavailable: if the cluster does not answer.
    """
    _run(HPA, options)


def import_scaled_object(options: ImportOptions) -> None:
    """Write a KEDA ScaledObject as a custom resource; raises as `import_hpa`."""
    _run(SCALED_OBJECT, options)


def _run(kind: _Kind, options: ImportOptions) -> None:
    _check(options)
    if options.file is not None:
        found, workload = _from_file(kind, options, options.file)
    else:
        found, workload = asyncio.run(_from_cluster(kind, options))
    choice = Choice(options.model or model_of(workload, "--model"), options.preset, options.accelerator)
    text = kind.read(found, choice).to_yaml()
    if options.output is None:
        sys.stdout.write(text)
    else:
        options.output.write_text(text, encoding="utf-8")


def _check(options: ImportOptions) -> None:
    if options.model is not None and options.model not in catalog.MODELS:
        raise OptionError(f"--model is {options.model!r}; allowed: {', '.join(catalog.MODELS)}")
    if options.accelerator is not None and options.accelerator not in catalog.ACCELERATORS:
        raise OptionError(f"--accelerator is {options.accelerator!r}; allowed: {', '.join(catalog.ACCELERATORS)}")
    if options.preset not in list(Preset):
        raise OptionError(f"--slo is {options.preset!r}; allowed: {', '.join(Preset)}")


# Where the documents are


def _from_file(kind: _Kind, options: ImportOptions, path: Path) -> tuple[Document, Document | None]:
    """The object of that name among a file's documents, and its workload where that is among them too."""
    try:
        loaded = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise OptionError(f"--file {path} is no YAML: {error}") from error
    documents = items(loaded)
    named = [one for one in documents if one.get("kind") == kind.name and name_of(one) == options.name]
    if not named:
        there = ", ".join(f"{one.get('kind')} {name_of(one)}" for one in documents) or "nothing"
        raise OptionError(f"--file {path} has no {kind.name} {options.name}; it has {there}")
    return in_namespace(named[0], options.namespace), workload_of(named[0], documents)


async def _from_cluster(kind: _Kind, options: ImportOptions) -> tuple[Document, Document | None]:
    async with KubeHttp(_kubeconfig()) as http:
        try:
            found = await http.get(kind.path.format(options.namespace, options.name))
        except KubeError as error:
            raise OptionError(f"{kind.name} {options.namespace}/{options.name}: {error}") from error
        found = {"kind": kind.name, **found}
        return found, await _workload(http, options.namespace, *target_of(found)) if options.model is None else None


async def _workload(http: KubeHttp, namespace: str, api_version: str, kind: str, name: str) -> Document | None:
    """The object that is scaled; None where it cannot be had: the model is asked for then."""
    root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    try:
        known = await http.get(root)
        plural = next((r["name"] for r in known.get("resources", []) if r["kind"] == kind and "/" not in r["name"]), "")
        return await http.get(f"{root}/namespaces/{namespace}/{plural}/{name}")
    except KubeError:
        return None


def _kubeconfig() -> Path | None:
    """$KUBECONFIG, or kubectl's default; None, the cluster that this runs in, where there is neither."""
    if os.environ.get("KUBECONFIG"):
        return Path(os.environ["KUBECONFIG"]).expanduser()
    usual = Path.home() / ".kube" / "config"
    return usual if usual.is_file() else None
