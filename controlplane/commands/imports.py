"""`tidegate import hpa` and `import scaledobject`: another autoscaler's object as a custom resource in Shadow."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from controlplane.adapters.kube_http import KubeError, KubeHttp
from controlplane.commands.options import OptionError
from controlplane.domain import catalog
from controlplane.domain.manifest_slo import Preset
from controlplane.importing import hpa, scaled_object
from controlplane.importing.imported import Choice, Imported
from controlplane.importing.served_model import catalog_name, served_model

Document = Mapping[str, object]


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
    choice = Choice(options.model or _served(workload), options.preset, options.accelerator)
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


def _served(workload: Document | None) -> str:
    """The catalog's name of the model that the workload serves.

    Raises:
        OptionError: if its command line names none, or one that the catalog does not hold. It is not guessed.
    """
    served = served_model(workload)
    name = catalog_name(served) if served else None
    if name is None:
        found = (
            f"{served!r}, which the workload serves, is not in the catalog" if served else "no command line names one"
        )
        raise OptionError(f"--model is absent, and {found}; allowed: {', '.join(catalog.MODELS)}")
    return name


# Where the documents are


def _from_file(kind: _Kind, options: ImportOptions, path: Path) -> tuple[Document, Document | None]:
    """The object of that name among a file's documents, and its workload where that is among them too."""
    try:
        loaded = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise OptionError(f"--file {path} is no YAML: {error}") from error
    documents = [each for one in loaded for each in _items(one)]
    named = [one for one in documents if one.get("kind") == kind.name and _name(one) == options.name]
    if not named:
        there = ", ".join(f"{one.get('kind')} {_name(one)}" for one in documents) or "nothing"
        raise OptionError(f"--file {path} has no {kind.name} {options.name}; it has {there}")
    target = _target(named[0])
    metadata = {"namespace": options.namespace, **_mapping(named[0]["metadata"])}
    return {**named[0], "metadata": metadata}, next(
        (one for one in documents if (one.get("kind"), _name(one)) == target[1:]), None
    )


def _items(document: object) -> list[Document]:
    """The objects of a document: itself, or those of a List."""
    if not isinstance(document, Mapping):
        return []
    items = document.get("items")
    return [one for one in items if isinstance(one, Mapping)] if isinstance(items, list) else [document]


def _mapping(value: object) -> Document:
    return value if isinstance(value, Mapping) else {}


def _name(document: Document) -> object:
    return _mapping(document.get("metadata")).get("name")


def _target(document: Document) -> tuple[str, str, str]:
    """apiVersion, kind and name of what it scales; empty where it does not say."""
    given = _mapping(_mapping(document.get("spec")).get("scaleTargetRef"))
    return (
        str(given.get("apiVersion") or "apps/v1"),
        str(given.get("kind") or "Deployment"),
        str(given.get("name") or ""),
    )


async def _from_cluster(kind: _Kind, options: ImportOptions) -> tuple[Document, Document | None]:
    async with KubeHttp(_kubeconfig()) as http:
        try:
            found = await http.get(kind.path.format(options.namespace, options.name))
        except KubeError as error:
            raise OptionError(f"{kind.name} {options.namespace}/{options.name}: {error}") from error
        found = {"kind": kind.name, **found}
        return found, await _workload(http, options.namespace, *_target(found)) if options.model is None else None


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
