"""`external.metrics.k8s.io/v1beta1`: the desired counts for HorizontalPodAutoscalers with `type: External`.

An HPA sums up whatever its selector matches, so half of an answer would be a wrong one: if any count that matches is
stale, or none matches, the answer is an error, and the HPA leaves its replicas as they are.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiohttp import web

from controlplane.adapters.kube_status import rfc3339
from controlplane.adapters.label_selector import SelectorError, selector
from controlplane.domain.ports import Clock, DesiredCounts
from controlplane.domain.status import DesiredCount

GROUP, VERSION = "external.metrics.k8s.io", "v1beta1"
PREFIX = f"/apis/{GROUP}/{VERSION}"
OPEN_PATHS = frozenset({"/healthz", "/livez", "/readyz"})
"""For probes, which have no certificate."""

Json = dict[str, Any]
"""A JSON object on its way out."""


def _own_labels(count: DesiredCount) -> dict[str, str]:
    return {"name": count.target, "variant": count.variant, "accelerator": count.accelerator}


def _wva_labels(count: DesiredCount) -> dict[str, str]:
    return {
        "variant_name": count.object_name,
        "target_name": count.object_name,
        "namespace": count.namespace,
        "exported_namespace": count.namespace,
        "accelerator_type": count.accelerator,
    }


METRICS: Mapping[str, Callable[[DesiredCount], dict[str, str]]] = {
    "tidegate_desired_replicas": _own_labels,
    "wva_desired_replicas": _wva_labels,
}
"""Names that are served, and the labels that a selector may name."""


class ApiError(Exception):
    """An answer that is a `Status`."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason


def application(
    counts: DesiredCounts, clock: Clock, asks_certificate: bool = False, names: Sequence[str] = ()
) -> web.Application:
    """The API. With `asks_certificate` only a front proxy may ask, of any of `names` where there are some."""
    app = web.Application(middlewares=[_errors, _front_proxy_only(names)] if asks_certificate else [_errors])

    async def values(request: web.Request) -> web.Response:
        metric, namespace = request.match_info["metric"], request.match_info["namespace"]
        found = matching(counts.counts(), namespace, metric, request.query.get("labelSelector", ""))
        _check_fresh(found, clock.now_s())
        return web.json_response(value_list(metric, found))

    routes = [web.get(f"{PREFIX}/namespaces/{{namespace}}/{{metric}}", values)]
    fixed = {"/apis": _group_list(), f"/apis/{GROUP}": _group(), PREFIX: _resource_list()}
    app.add_routes([*routes, *(web.get(path, _fixed(body)) for path, body in fixed.items())])
    app.add_routes([web.get(path, _ok) for path in OPEN_PATHS])
    return app


def matching(counts: Sequence[DesiredCount], namespace: str, metric: str, labels: str) -> list[DesiredCount]:
    """The counts of a namespace that a selector selects.

    Raises:
        ApiError: if there is no such metric, no such count, or the selector cannot be read.
    """
    if metric not in METRICS:
        raise ApiError(404, "NotFound", f"metric is {metric!r}; allowed: {', '.join(METRICS)}")
    try:
        selects = selector(labels)
    except SelectorError as error:
        raise ApiError(400, "BadRequest", str(error)) from error
    found = [c for c in counts if c.namespace == namespace and selects(METRICS[metric](c))]
    if not found:
        there = ", ".join(sorted({f"{c.target}/{c.variant}" for c in counts if c.namespace == namespace})) or "none"
        words = f"labelSelector {labels!r} matches no desired count in namespace {namespace!r}; there are: {there}"
        raise ApiError(404, "NotFound", words)
    return found


def value_list(metric: str, found: Sequence[DesiredCount]) -> Json:
    """The ExternalMetricValueList."""
    items = [
        {
            "metricName": metric,
            "metricLabels": METRICS[metric](count),
            "timestamp": rfc3339(count.at_s),
            "value": str(count.replicas),
        }
        for count in found
    ]
    return {"kind": "ExternalMetricValueList", "apiVersion": f"{GROUP}/{VERSION}", "metadata": {}, "items": items}


def _check_fresh(found: Sequence[DesiredCount], now_s: float) -> None:
    stale = [c for c in found if now_s > c.fresh_until_s]
    if stale:
        first = stale[0]
        words = f"{first.namespace}/{first.target} was last decided on at {rfc3339(first.at_s)}"
        raise ApiError(503, "ServiceUnavailable", f"the desired count is stale: {words}")


def _group() -> Json:
    version = {"groupVersion": f"{GROUP}/{VERSION}", "version": VERSION}
    return {"kind": "APIGroup", "apiVersion": "v1", "name": GROUP, "versions": [version], "preferredVersion": version}


def _group_list() -> Json:
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group()]}


def _resource_list() -> Json:
    resources = [
        {"name": name, "singularName": "", "namespaced": True, "kind": "ExternalMetricValueList", "verbs": ["get"]}
        for name in METRICS
    ]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{GROUP}/{VERSION}",
        "resources": resources,
    }


_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _fixed(body: Json) -> _Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(body)

    return answer


async def _ok(_: web.Request) -> web.Response:
    return web.Response(text="ok")


@web.middleware
async def _errors(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Every error as a `Status`, so that kubectl and the HPA show its words."""
    try:
        return await handler(request)
    except ApiError as error:
        return _status(error.code, error.reason, str(error))
    except web.HTTPException as error:
        return _status(error.status, error.reason.replace(" ", ""), f"{request.method} {request.path}: {error.reason}")


def _front_proxy_only(names: Sequence[str]) -> Any:
    @web.middleware
    async def check(request: web.Request, handler: _Handler) -> web.StreamResponse:
        if request.path not in OPEN_PATHS:
            _check_certificate(request, names)
        return await handler(request)

    return check


def _check_certificate(request: web.Request, names: Sequence[str]) -> None:
    """The chain was checked in the handshake; here whether there is a certificate, and whose.

    Raises:
        ApiError: 401 where there is none, 403 where its name is not allowed.
    """
    certificate = request.transport.get_extra_info("peercert") if request.transport is not None else None
    if not certificate:
        raise ApiError(401, "Unauthorized", "no client certificate; allowed: the API server's front proxy")
    subject = {key: value for part in certificate.get("subject", ()) for key, value in part}
    name = subject.get("commonName", "")
    if names and name not in names:
        raise ApiError(403, "Forbidden", f"the client certificate is of {name!r}; allowed: {', '.join(names)}")


def _status(code: int, reason: str, message: str) -> web.Response:
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }
    return web.json_response(body, status=code)
