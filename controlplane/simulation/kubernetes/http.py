"""The HTTP side: paths, content types, watches."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import yaml
from aiohttp import web

from controlplane.simulation.kubernetes import discovery, errors
from controlplane.simulation.kubernetes.resources import Json, Registry, Resource
from controlplane.simulation.kubernetes.store import Change, Match, Store, selector
from controlplane.simulation.kubernetes.tables import table
from controlplane.simulation.kubernetes.verbs import JSON_PATCH, Options, Target, Verbs

MAX_BODY_BYTES = 3 * 1024 * 1024
"""As a real API server's."""
BOOKMARK_S = 20.0
WATCH_S = 300.0


class KubernetesApi:
    """An aiohttp application over a store. `now_s` is the cluster's clock, for ages in tables."""

    def __init__(self, store: Store, registry: Registry, verbs: Verbs, now_s: Callable[[], float]) -> None:
        self._store = store
        self._registry = registry
        self._verbs = verbs
        self._now_s = now_s

    def application(self) -> web.Application:
        """The application; one catch-all route, since resources come and go."""
        application = web.Application(client_max_size=MAX_BODY_BYTES)
        application.router.add_route("*", "/{path:.*}", self._answer)
        application.on_shutdown.append(self._hang_up)
        return application

    async def _hang_up(self, _: web.Application) -> None:
        self._store.hang_up()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._route(request)
        except errors.ApiError as error:
            return web.json_response(error.status(), status=error.code)

    async def _route(self, request: web.Request) -> web.StreamResponse:
        parts = [part for part in request.path.split("/") if part]
        if parts in (["api"], ["apis"]) and discovery.AGGREGATED in request.headers.get("Accept", "").replace(" ", ""):
            every = json.dumps(discovery.aggregated(self._registry, core=parts == ["api"]))
            return web.Response(text=every, headers={"Content-Type": discovery.AGGREGATED})
        fixed = self._fixed(request, parts)
        if fixed is not None:
            return web.json_response(fixed)
        if parts in (["healthz"], ["readyz"], ["livez"]):
            return web.Response(text="ok")
        at = self._target(parts)
        if at is None:
            raise errors.no_such_path()
        if at.name:
            return await self._one(request, at)
        if request.method == "GET":
            watched = request.query.get("watch") in ("true", "1")
            return await self._watch(request, at) if watched else self._list(request, at)
        if request.method == "POST":
            body = await _body(request)
            return web.json_response(self._verbs.create(at, body, _options(request)), status=201)
        raise errors.method_not_allowed()

    def _fixed(self, request: web.Request, parts: list[str]) -> Json | None:
        match parts:
            case ["version"]:
                return discovery.VERSION
            case ["api"]:
                return discovery.api_versions(request.host)
            case ["apis"]:
                return discovery.groups(self._registry)
            case ["api", version]:
                return discovery.resources(self._registry, "", version)
            case ["apis", name]:
                return discovery.group(self._registry, name)
            case ["apis", name, version]:
                return discovery.resources(self._registry, name, version)
            case ["openapi", "v3"]:
                return discovery.openapi_v3_index(self._registry)
            case ["openapi", "v3", "api", version]:
                return discovery.openapi_v3(self._registry, "", version)
            case ["openapi", "v3", "apis", name, version]:
                return discovery.openapi_v3(self._registry, name, version)
        return None

    def _target(self, parts: list[str]) -> Target | None:
        match parts:
            case ["api", version, *rest]:
                group = ""
            case ["apis", group, version, *rest]:
                pass
            case _:
                return None
        namespace = ""
        if len(rest) > 2 and rest[0] == "namespaces":
            namespace, rest = rest[1], rest[2:]
        if not rest or len(rest) > 3:
            return None
        resource = self._registry.find(group, version, rest[0])
        if resource is None:
            return None
        name, subresource = (*rest[1:], "", "")[:2]
        return Target(resource, namespace, name, subresource) if self._has(resource, subresource) else None

    @staticmethod
    def _has(resource: Resource, subresource: str) -> bool:
        allowed = {"": True, "status": resource.has_status, "scale": resource.scale is not None}
        return allowed.get(subresource, False)

    async def _one(self, request: web.Request, at: Target) -> web.Response:
        if request.method == "GET":
            found = self._verbs.read(at)
            if _wants_table(request) and not at.subresource:
                found = table(at.resource, [found], found["metadata"]["resourceVersion"], self._now_s())
            return web.json_response(found)
        if request.method == "DELETE":
            return web.json_response(self._verbs.delete(at))
        if request.method not in ("PUT", "PATCH"):
            raise errors.method_not_allowed()
        if request.method == "PUT":
            return web.json_response(self._verbs.update(at, await _body(request), _options(request)))
        patch = await (_operations(request) if request.content_type == JSON_PATCH else _body(request))
        changed, created = self._verbs.patch(at, patch, request.content_type, _options(request))
        return web.json_response(changed, status=201 if created else 200)

    def _list(self, request: web.Request, at: Target) -> web.Response:
        items = self._store.list(at.resource, at.namespace, _selector(request))
        version = str(self._store.version)
        if _wants_table(request):
            return web.json_response(table(at.resource, items, version, self._now_s()))
        metadata: Json = {"resourceVersion": version}
        start, limit = _count(request, "continue"), _count(request, "limit")
        if limit and start + limit < len(items):
            metadata |= {"continue": str(start + limit), "remainingItemCount": len(items) - start - limit}
        shown = items[start : start + limit] if limit else items[start:]
        # A list says kind and apiVersion once; a real server leaves them out of the items of built-in kinds.
        if at.resource.schema is None:
            shown = [{k: v for k, v in item.items() if k not in ("kind", "apiVersion")} for item in shown]
        head = {"kind": f"{at.resource.kind}List", "apiVersion": at.resource.group_version}
        return web.json_response({**head, "metadata": metadata, "items": shown})

    async def _watch(self, request: web.Request, at: Target) -> web.StreamResponse:
        _count(request, "timeoutSeconds")  # refused before the answer begins
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        queue = self._store.listen()
        try:
            await self._stream(request, response, at, queue)
        except (ConnectionResetError, asyncio.CancelledError):
            return response
        finally:
            self._store.leave(queue)
        return response

    async def _stream(
        self, request: web.Request, response: web.StreamResponse, at: Target, queue: asyncio.Queue[Change | None]
    ) -> None:
        match = _selector(request)
        send = _Sender(response, at, match, self._now_s if _wants_table(request) else None)
        since = request.query.get("resourceVersion", "")
        # As of before the backlog: what changes while that is sent is in the queue, and must not be taken for sent.
        sent = self._store.version
        end_s = asyncio.get_running_loop().time() + (_count(request, "timeoutSeconds") or WATCH_S)
        try:
            if since in ("", "0"):
                for body in self._store.list(at.resource, at.namespace, match):
                    await send.event("ADDED", body)
            else:
                for change in self._store.changes_since(at.resource, since):
                    await send.change(change)
        except errors.ApiError as error:
            await send.raw("ERROR", error.status())
            return
        loop = asyncio.get_running_loop()
        bookmarks = request.query.get("allowWatchBookmarks") in ("true", "1")
        while (left_s := end_s - loop.time()) > 0:
            try:
                told = await asyncio.wait_for(queue.get(), min(left_s, BOOKMARK_S))
            except TimeoutError:
                if bookmarks and left_s > BOOKMARK_S:
                    await send.bookmark(self._store.version)
                continue
            if told is None:
                return
            if told.resource_version > sent:
                await send.change(told)


class _Sender:
    """Writes the events of one watch."""

    def __init__(
        self, response: web.StreamResponse, at: Target, match: Match, table_now_s: Callable[[], float] | None
    ) -> None:
        self._response = response
        self._at = at
        self._match = match
        self._table_now_s = table_now_s

    async def change(self, change: Change) -> None:
        resource = self._at.resource
        if (change.resource.group, change.resource.plural) != (resource.group, resource.plural):
            return
        if self._at.namespace not in ("", change.body["metadata"].get("namespace", "")):
            return
        if self._match(change.body):
            await self.event(change.kind, change.body)

    async def event(self, kind: str, body: Json) -> None:
        if self._table_now_s is not None:
            version = body["metadata"]["resourceVersion"]
            body = table(self._at.resource, [body], version, self._table_now_s())
        await self.raw(kind, body)

    async def bookmark(self, version: int) -> None:
        metadata = {"resourceVersion": str(version), "creationTimestamp": None}
        head = {"kind": self._at.resource.kind, "apiVersion": self._at.resource.group_version}
        await self.raw("BOOKMARK", {**head, "metadata": metadata})

    async def raw(self, kind: str, body: Json) -> None:
        await self._response.write(json.dumps({"type": kind, "object": body}).encode() + b"\n")


def _selector(request: web.Request) -> Match:
    return selector(request.query.get("labelSelector", ""), request.query.get("fieldSelector", ""))


def _count(request: web.Request, name: str) -> int:
    """A query parameter that is a count; 0 where it is absent."""
    text = request.query.get(name) or "0"
    if not text.isdecimal():
        raise errors.bad_request(f"{name}: Invalid value: {text!r}: must be a non-negative integer")
    return int(text)


def _wants_table(request: web.Request) -> bool:
    return "as=Table" in request.headers.get("Accept", "")


def _options(request: web.Request) -> Options:
    agent = request.headers.get("User-Agent", "unknown").split("/")[0]
    return Options(
        manager=request.query.get("fieldManager") or agent,
        force=request.query.get("force") in ("true", "1"),
        strict=request.query.get("fieldValidation") == "Strict",
    )


async def _operations(request: web.Request) -> list[Json]:
    """A JSON patch."""
    try:
        operations = await request.json()
    except ValueError as error:
        raise errors.bad_request(f"the body cannot be decoded: {error}") from error
    if not isinstance(operations, list):
        raise errors.bad_request("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    return operations


async def _body(request: web.Request) -> Json:
    """JSON, or YAML, of which it is a part."""
    try:
        body = yaml.load(await request.text(), Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise errors.bad_request(f"the body cannot be decoded: {error}") from error
    if not isinstance(body, dict):
        raise errors.bad_request("the body is not an object")
    if not isinstance(body.get("metadata", {}), dict):
        raise errors.bad_request("metadata is not an object")
    return body
