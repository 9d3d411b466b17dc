"""A custom resource's manifest -> `Target`: the one reader of `InferenceAutoscaler`, for clusters, scenarios and files.

The pydantic models of `manifest_spec` are the manifest's shape, with Kubernetes' camelCase names and the schema's
defaults; they are turned into the frozen `Target` at once and go no further.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError
from pydantic_core import ErrorDetails, PydanticSerializationError, to_json

from controlplane.domain.discovered import Discovered
from controlplane.domain.manifest_base import ManifestError, Part
from controlplane.domain.manifest_checks import refuse_contradictions, refuse_crowded_domains, refuse_lone_roles
from controlplane.domain.manifest_spec import Spec
from controlplane.domain.target import ScaleTargetRef, Target

__all__ = ["API_VERSION", "KIND", "POLICY_VERSION", "ManifestError", "scale_target_refs", "target_from_manifest"]

API_VERSION = "tidegate.io/v1alpha1"
KIND = "InferenceAutoscaler"
POLICY_VERSION = "tidegate.io/policy-version"
"""Annotation on the manifests that are made of the API's policies: the id of the version."""
_NOTHING = Discovered()


def target_from_manifest(manifest: Mapping[str, object], discovered: Mapping[str, Discovered] | None = None) -> Target:
    """The target that a custom resource describes.

    `discovered` is what the workloads say, by variant: it fills in what the resource leaves out, before the defaults do
    (one GPU, OnDemand, Both).

    Raises:
        ManifestError: naming the field, the value and what is allowed.
    """
    spec = _spec(manifest)
    located = spec.located()
    found = discovered or {}
    variants = tuple(one.to_domain(where, found.get(one.name, _NOTHING)) for where, one in located)
    refuse_lone_roles([(where, variant.role) for (where, _), variant in zip(located, variants, strict=True)])
    policy = spec.to_policy()
    refuse_crowded_domains(policy.max_domain_share, variants)
    metadata = _metadata(manifest)
    return Target(
        namespace=str(metadata.get("namespace") or "default"),
        name=str(metadata["name"]),
        model=spec.model,
        variants=variants,
        policy=policy,
        group=spec.group,
        metrics=spec.metrics.to_domain(),
        uid=str(metadata.get("uid") or ""),
        generation=int(str(metadata.get("generation") or 0)),
        policy_version=_policy_version(metadata),
    )


def scale_target_refs(manifest: Mapping[str, object]) -> dict[str, ScaleTargetRef]:
    """What each variant points at, by name: where a reader looks for what `target_from_manifest` may be told.

    Raises:
        ManifestError: as `target_from_manifest`.
    """
    return {one.name: one.scale_target_ref.to_domain() for _, one in _spec(manifest).located()}


def _spec(manifest: Mapping[str, object]) -> Spec:
    if manifest.get("kind") != KIND or manifest.get("apiVersion") != API_VERSION:
        found = f"{manifest.get('apiVersion')!r} {manifest.get('kind')!r}"
        raise ManifestError("kind", f"is {found}; allowed: {API_VERSION} {KIND}")
    _metadata(manifest)
    try:
        # As JSON, so that types are taken as strictly as an API server takes them.
        given = to_json(_without_nulls(manifest.get("spec")), inf_nan_mode="constants")
        spec = Spec.model_validate_json(given, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ManifestError(_path(first), _words(first)) from error
    except (PydanticSerializationError, UnicodeError) as error:
        raise ManifestError("spec", f"is no JSON: {error}") from error
    refuse_contradictions(spec)
    return spec


def _metadata(manifest: Mapping[str, object]) -> Mapping[str, object]:
    metadata = manifest.get("metadata")
    if not isinstance(metadata, Mapping) or not metadata.get("name"):
        raise ManifestError("metadata.name", "is missing; allowed: a DNS label")
    return metadata


def _policy_version(metadata: Mapping[str, object]) -> str | None:
    """Only Tidegate's own manifests have no uid: an annotation on a resource of the cluster is nobody's word."""
    annotations = metadata.get("annotations")
    if metadata.get("uid") or not isinstance(annotations, Mapping):
        return None
    found = annotations.get(POLICY_VERSION)
    return None if found is None else str(found)


def _without_nulls(value: object) -> object:
    """A field that is null counts as absent, as an API server has it for fields that are not nullable."""
    if isinstance(value, Mapping):
        return {str(key): _without_nulls(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list | tuple):
        return [_without_nulls(inner) for inner in value]
    return value


def _path(error: ErrorDetails) -> str:
    path = "spec"
    for part in error["loc"]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path


def _words(error: ErrorDetails) -> str:
    message = error["msg"].removeprefix("Value error, ")
    value = error["input"]
    shown = "" if isinstance(value, (dict, Part)) else f" (is {value!r})"
    return f"{message}{shown}"
