"""What a client asks first: versions, groups, resources."""

from __future__ import annotations

from controlplane.simulation.kubernetes.resources import Json, Registry, Resource

VERSION: Json = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.0-tidegate.simulated",
    "gitCommit": "simulated",
    "gitTreeState": "clean",
    "buildDate": "2026-01-01T00:00:00Z",
    "goVersion": "none",
    "compiler": "none",
    "platform": "simulated",
}


def api_versions(address: str) -> Json:
    """`/api`."""
    addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}


def groups(registry: Registry) -> Json:
    """`/apis`."""
    return {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [_group(name, versions) for name, versions in sorted(registry.group_versions().items())],
    }


def group(registry: Registry, name: str) -> Json | None:
    """`/apis/<group>`."""
    versions = registry.group_versions().get(name)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)} if versions else None


def _group(name: str, versions: set[str]) -> Json:
    listed = [{"groupVersion": f"{name}/{v}", "version": v} for v in sorted(versions)]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def resources(registry: Registry, group_name: str, version: str) -> Json | None:
    """`/api/v1` and `/apis/<group>/<version>`."""
    found = registry.of(group_name, version)
    if not found:
        return None
    group_version = f"{group_name}/{version}" if group_name else version
    entries = [entry for resource in found for entry in resource.api_resources()]
    # The core's list has no apiVersion on a real server either.
    head = {"kind": "APIResourceList"} | ({"apiVersion": "v1"} if group_name else {})
    return {**head, "groupVersion": group_version, "resources": entries}


AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
"""The media type of the aggregated document, asked for and answered; GA since Kubernetes 1.30."""


def aggregated(registry: Registry, core: bool) -> Json:
    """`/api` and `/apis` for who accepts AGGREGATED: every resource in one document."""
    versions = {"": {"v1"}} if core else registry.group_versions()
    items = [
        {
            "metadata": {"name": name, "creationTimestamp": None},
            "versions": [_version(registry, name, v) for v in sorted(of)],
        }
        for name, of in sorted(versions.items())
    ]
    head = {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}}
    return {**head, "items": items}


def _version(registry: Registry, group_name: str, version: str) -> Json:
    listed = [_aggregated(resource) for resource in registry.of(group_name, version)]
    return {"version": version, "resources": listed, "freshness": "Current"}


def _aggregated(resource: Resource) -> Json:
    whole, *parts = resource.api_resources()
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    subresources = [
        {
            "subresource": part["name"].split("/")[1],
            "responseKind": {key: part.get(key, kind[key]) for key in kind},
            "verbs": part["verbs"],
        }
        for part in parts
    ]
    return {
        "resource": resource.plural,
        "responseKind": kind,
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": whole["verbs"],
        **({"shortNames": whole["shortNames"]} if "shortNames" in whole else {}),
        **({"subresources": subresources} if subresources else {}),
    }


def openapi_v3_index(registry: Registry) -> Json:
    """`/openapi/v3`: clients that validate before sending look here for each group's document."""
    paths = ["api/v1", *(f"apis/{g}/{v}" for g, versions in registry.group_versions().items() for v in versions)]
    return {"paths": {path: {"serverRelativeURL": f"/openapi/v3/{path}?hash=0"} for path in paths}}


def openapi_v3(registry: Registry, group_name: str, version: str) -> Json:
    """`/openapi/v3/...`: every kind by name, without its schema: validation is the server's (fieldValidation)."""
    paths: Json = {}
    schemas: Json = {}
    for resource in registry.of(group_name, version):
        kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
        name = f"{resource.group or 'core'}.{resource.version}.{resource.kind}"
        schemas[name] = {
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
            "x-kubernetes-group-version-kind": [kind],
        }
        if resource.schema:
            schemas[name] = {**resource.schema, "x-kubernetes-group-version-kind": [kind]}
        base = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
        middle = "/namespaces/{namespace}" if resource.namespaced else ""
        validated = {"name": "fieldValidation", "in": "query", "schema": {"type": "string", "uniqueItems": True}}
        paths[f"{base}{middle}/{resource.plural}/{{name}}"] = {
            "patch": {
                "parameters": [validated],
                "x-kubernetes-action": "patch",
                "x-kubernetes-group-version-kind": kind,
                "responses": {"200": {"description": "OK"}},
            }
        }
    info = {"title": "Kubernetes", "version": "v1.36.0"}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}}
