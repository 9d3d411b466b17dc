"""Another autoscaler's object as a policy: looked at and answered, kept nowhere."""

from __future__ import annotations

from typing import Annotated, Any

import yaml
from fastapi import APIRouter
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from controlplane.api.policies.bodies import Label, PlainLoader, without_nul
from controlplane.api.policies.common import checked
from controlplane.api.principals import Who, demand
from controlplane.api.problems import BadValue, bad_value
from controlplane.domain import catalog
from controlplane.domain.access import AccessRole
from controlplane.domain.json_object import FieldError
from controlplane.domain.manifest_slo import Preset
from controlplane.importing.documents import (
    READERS,
    Document,
    in_namespace,
    items,
    mapping,
    model_of,
    the_one,
    workload_of,
)
from controlplane.importing.imported import Choice, Imported

router = APIRouter(prefix="/api/v1", tags=["policies"])
LONGEST_MANIFEST = 256 * 1024
"""Characters: a List of everything in a namespace, its Deployments among it, is below it."""
EXAMPLE = """apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: chat, namespace: default}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: chat-h100}
  minReplicas: 2
  maxReplicas: 8
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}]
"""


class ImportIn(BaseModel):
    """A HorizontalPodAutoscaler (autoscaling/v2 or v1) or a KEDA ScaledObject, and what neither of them says."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"manifest": EXAMPLE, "model": "llama-3.1-8b", "accelerator": "H100"}]},
    )

    manifest: Annotated[
        str,
        Field(
            min_length=1,
            max_length=LONGEST_MANIFEST,
            description="YAML or JSON: the object, alone or among others; with its Deployment the model is read there",
        ),
        BeforeValidator(without_nul),
    ]
    name: Annotated[Label | None, Field(description="which, where the manifest holds several")] = None
    namespace: Annotated[Label, Field(description="where the object names none")] = "default"
    model: Annotated[str | None, Field(max_length=253, description="of the catalog; absent: as the workload says")] = (
        None
    )
    accelerator: Annotated[
        str | None, Field(max_length=63, description="of the catalog; absent: discovered from the pod template")
    ] = None
    slo: Annotated[Preset, Field(description="a preset, to put your own limits in its place")] = Preset.CHAT


class ImportedPolicy(BaseModel):
    """As POST /policies takes it: the life cycle says when it decides, so its spec names no mode."""

    name: str
    namespaces: list[str]
    spec: dict[str, Any]
    reason: str


class ImportOut(BaseModel):
    """The policy that does the object's work; `yaml` is the same as a custom resource in Shadow, with the notes as
    comments. `notes`: what to know, and what was not carried over. `valid`: whether POST /policies would take it now;
    else `field` and `message` say why not."""

    kind: str
    policy: ImportedPolicy
    yaml: str
    notes: list[str]
    valid: bool
    field: str | None = None
    message: str | None = None


@router.post("/policies/import")
def import_policy(body: ImportIn, who: Who) -> ImportOut:
    """An HPA or a KEDA ScaledObject as an equivalent policy, with notes on what was not carried over. Keeps nothing:
    send `policy` to POST /policies, or commit `yaml`."""
    found, workload = _found(body)
    namespace = str(mapping(found.get("metadata")).get("namespace"))
    demand(who, AccessRole.OPERATOR, namespace)
    _check(body)
    try:
        choice = Choice(body.model or model_of(workload, "model"), body.slo.value, body.accelerator)
        imported = READERS[str(found["kind"])](found, choice)
    except FieldError as error:
        raise _refused(error) from error
    return _out(str(found["kind"]), imported)


def _found(body: ImportIn) -> tuple[Document, Document | None]:
    try:
        documents = items(yaml.load_all(body.manifest, Loader=PlainLoader))
        found = the_one(documents, body.name)
    except yaml.YAMLError as error:
        raise bad_value("manifest", body.manifest[:40], f"YAML ({str(error).splitlines()[0]})") from error
    except FieldError as error:
        raise _refused(error) from error
    except (RecursionError, ValueError) as error:  # of a date that is none, of braces a thousand deep
        raise bad_value("manifest", body.manifest[:40], f"YAML ({error})") from error
    return in_namespace(found, body.namespace), workload_of(found, documents)


def _check(body: ImportIn) -> None:
    if body.model is not None and body.model not in catalog.MODELS:
        raise bad_value("model", body.model, ", ".join(catalog.MODELS))
    if body.accelerator is not None and body.accelerator not in catalog.ACCELERATORS:
        raise bad_value("accelerator", body.accelerator, ", ".join(catalog.ACCELERATORS))


def _refused(error: FieldError) -> BadValue:
    """The words of the reader, which name the field, as a problem of the manifest."""
    found, _, allowed = str(error).partition("; allowed: ")
    return bad_value("model" if found.startswith("model ") else "manifest", found, allowed or "see the detail")


def _out(kind: str, imported: Imported) -> ImportOut:
    metadata, spec = (dict(mapping(imported.manifest[part])) for part in ("metadata", "spec"))
    name, namespace = str(metadata["name"]), str(metadata["namespace"])
    spec.pop("mode", None)
    field = message = None
    try:
        checked(name, [namespace], spec)
    except BadValue as error:
        field, message = error.problem.field, error.problem.allowed
    return ImportOut(
        kind=kind,
        policy=ImportedPolicy(
            name=name, namespaces=[namespace], spec=spec, reason=f"imported from {kind} {namespace}/{name}"
        ),
        yaml=imported.to_yaml(),
        notes=list(imported.notes),
        valid=field is None,
        field=field,
        message=message,
    )
