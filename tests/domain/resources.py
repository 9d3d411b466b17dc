"""Custom resources for tests, and the simulated API server's verdict on them."""

from __future__ import annotations

import copy
import json
from typing import Any

from controlplane.crds import inference_autoscaler
from controlplane.simulation.kubernetes.errors import ApiError
from controlplane.simulation.kubernetes.resources import resource_of_crd
from controlplane.simulation.kubernetes.schema import admit

RESOURCE = resource_of_crd(inference_autoscaler())
SPEC_SCHEMA: dict[str, Any] = inference_autoscaler()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][
    "spec"
]

H100: dict[str, Any] = {
    "name": "h100",
    "scaleTargetRef": {"name": "chat-h100"},
    "accelerator": "H100",
    "minReplicas": 1,
    "maxReplicas": 10,
}
L40S: dict[str, Any] = {
    "name": "l40s",
    "scaleTargetRef": {"name": "chat-l40s"},
    "accelerator": "L40S",
    "minReplicas": 0,
    "maxReplicas": 20,
    "preference": "Avoid",
}
SEVERAL: dict[str, Any] = {"model": "llama-3.1-8b", "slo": {"preset": "Chat"}, "variants": [H100, L40S]}
ALONE: dict[str, Any] = {
    "model": "llama-3.1-8b",
    "slo": {"ttftSeconds": 2, "tpotSeconds": 0.1},
    "scaleTargetRef": {"name": "chat"},
    "accelerator": "H100",
    "minReplicas": 0,
    "maxReplicas": 10,
}
NIGHT = {"name": "night", "start": "0 22 * * *", "end": "0 6 * * *", "timeZone": "Europe/Berlin", "maxReplicas": 2}


def resource(spec: dict[str, Any]) -> dict[str, Any]:
    """A whole resource, its own copy."""
    return {
        "apiVersion": "tidegate.io/v1alpha1",
        "kind": "InferenceAutoscaler",
        "metadata": {"name": "chat", "namespace": "prod"},
        "spec": copy.deepcopy(spec),
    }


def refusals(spec: dict[str, Any]) -> list[tuple[str, str]]:
    """(field, message) of everything that an API server has against it; empty where it is admitted."""
    try:
        admit(RESOURCE, json.loads(json.dumps(resource(spec), default=str)), strict=True)
    except ApiError as error:
        causes = error.details.get("causes") or [{"field": "", "message": error.message}]
        return [(cause["field"], cause["message"]) for cause in causes]
    return []


def admitted(spec: dict[str, Any]) -> dict[str, Any]:
    """What an API server keeps: with its defaults.

    Raises:
        ApiError: if it is refused.
    """
    return admit(RESOURCE, json.loads(json.dumps(resource(spec), default=str)), strict=True)
