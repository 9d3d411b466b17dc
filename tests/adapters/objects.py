"""Kubernetes objects as people and controllers write them, for tests against any API server."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
WORKERS_CRD: Json = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "enginesets.example.dev"},
    "spec": {
        "group": "example.dev",
        "scope": "Namespaced",
        "names": {"plural": "enginesets", "singular": "engineset", "kind": "EngineSet", "listKind": "EngineSetList"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {
                    "status": {},
                    "scale": {
                        "specReplicasPath": ".spec.size",
                        "statusReplicasPath": ".status.size",
                        "labelSelectorPath": ".status.selector",
                    },
                },
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {"type": "object", "properties": {"size": {"type": "integer"}}},
                            "status": {
                                "type": "object",
                                "properties": {"size": {"type": "integer"}, "selector": {"type": "string"}},
                            },
                        },
                    }
                },
            }
        ],
    },
}


def deployment(name: str, replicas: int, port: int = 8000, namespace: str = "default") -> Json:
    """A Deployment of engines whose page is on `port`."""
    labels = {"app": name}
    container = {"name": "engine", "image": "x", "ports": [{"name": "http", "containerPort": port}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def engine_set(name: str, size: int) -> Json:
    """A custom resource with `/scale`; its count is not at `spec.replicas`."""
    return {"apiVersion": "example.dev/v1", "kind": "EngineSet", "metadata": {"name": name}, "spec": {"size": size}}


def autoscaler(
    name: str,
    api_version: str = "apps/v1",
    kind: str = "Deployment",
    scaled: str | None = None,
    most: int = 8,
    namespace: str = "default",
) -> Json:
    """A live InferenceAutoscaler of one variant, which decides every second and goes down at once."""
    ref = {"apiVersion": api_version, "kind": kind, "name": scaled or name}
    variant = {"name": "h100", "scaleTargetRef": ref, "accelerator": "H100", "minReplicas": 1, "maxReplicas": most}
    spec = {
        "model": "llama-3.1-8b",
        "mode": "Live",
        "slo": {"ttftSeconds": 2.0, "tpotSeconds": 0.1},
        "variants": [variant],
        "intervalSeconds": 1,
    }
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "tidegate.io/v1alpha1", "kind": "InferenceAutoscaler", "metadata": metadata, "spec": spec}


def hpa(name: str, scaled: str, namespace: str = "default") -> Json:
    """An HPA on a Deployment."""
    ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": scaled}
    metric = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}},
    }
    spec = {"scaleTargetRef": ref, "minReplicas": 1, "maxReplicas": 5, "metrics": [metric]}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
