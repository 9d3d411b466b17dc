"""`tidegate pin`, `unpin`, `freeze`, `unfreeze`: a person's word, over the API."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from controlplane.planning.peoples_words import moment

TIMEOUT_S = 30.0
"""Real seconds for one answer."""
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd])")


class SayingError(ValueError):
    """What was asked for cannot be said, or was refused; the message says why, and what is allowed."""


@dataclass(frozen=True, slots=True)
class Office:
    """Where the API is, and the token that is shown to it."""

    server: str
    token: str

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        etag: str = "",
        query: Mapping[str, str] | None = None,
    ) -> Any:
        """The JSON that the API answers with.

        Raises:
            SayingError: if it refuses, in its words, or does not answer.
        """
        headers = {"Authorization": f"Bearer {self.token}", **({"If-Match": etag} if etag else {})}
        try:
            answer = requests.request(
                method, self.server + path, params=query, json=body, headers=headers, timeout=TIMEOUT_S
            )
        except requests.RequestException as error:
            raise SayingError(f"the API at {self.server} does not answer: {error}") from error
        try:
            said = answer.json()
        except ValueError as error:
            raise SayingError(f"{self.server} answers {answer.status_code}, and not as Tidegate does") from error
        if not answer.ok:
            raise SayingError(said.get("detail") or said.get("title") or f"{self.server} answers {answer.status_code}")
        return said


def office(environment: Mapping[str, str], connection: Path) -> Office:
    """`TIDEGATE_SERVER` and `TIDEGATE_TOKEN`, or those of the embedded default that runs now, from its `connection`.

    Raises:
        SayingError: if there are neither.
    """
    server, token = environment.get("TIDEGATE_SERVER", ""), environment.get("TIDEGATE_TOKEN", "")
    if not (server and token):
        try:
            kept = json.loads(connection.read_text(encoding="utf-8"))
            server, token = server or kept["server"], token or kept["token"]
        except (OSError, ValueError, KeyError) as error:
            raise SayingError(
                f"no API: set TIDEGATE_SERVER and TIDEGATE_TOKEN, or start `tidegate up` ({connection} is absent)"
            ) from error
    if not server.startswith(("http://", "https://")):
        raise SayingError(f"TIDEGATE_SERVER is {server!r}; allowed: a URL, as in https://tidegate.example.org")
    return Office(server.rstrip("/"), token)


def seconds(text: str) -> float:
    """Of `90s`, `30m`, `1.5h`, `2d`.

    Raises:
        SayingError: if it is not such a duration.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise SayingError(f"--for is {text!r}; allowed: a number and s, m, h or d, as in 30m")
    return float(found[1]) * _UNITS[found[2]]


def parted(target: str) -> tuple[str, str]:
    """Namespace and name of `name` or `namespace/name`.

    Raises:
        SayingError: if it is neither.
    """
    namespace, slash, name = target.rpartition("/")
    if not name or "/" in namespace or (slash and not namespace):
        raise SayingError(f"TARGET is {target!r}; allowed: name, or namespace/name")
    return namespace or "default", name


def pin(api: Office, target: str, replicas: int, variant: str | None, length: str, reason: str) -> str:
    """Pin a target or one of its variants; what became of it, in words."""
    namespace, name = parted(target)
    body = {"kind": "Pin", "replicas": replicas, "variant": variant, "ttl_s": seconds(length), "reason": reason}
    made = api.ask("POST", f"/api/v1/targets/{namespace}/{name}/overrides", body)
    which = f"{variant} of {namespace}/{name}" if variant else f"every variant of {namespace}/{name}"
    until = moment(made["expires_at_s"])
    return f"{which} is pinned to {replicas} until {until}; sooner: tidegate unpin {namespace}/{name}\n{made['id']}"


def unpin(api: Office, target: str) -> str:
    """Take back every pin of a target that holds now."""
    namespace, name = parted(target)
    query = {"namespace": namespace, "target": name, "active": "true", "limit": "500"}
    held = api.ask("GET", "/api/v1/overrides", query=query)["items"]
    pins = [one for one in held if one["kind"] == "Pin"]
    if not pins:
        raise SayingError(f"no pin of {namespace}/{name} holds now")
    for one in pins:
        api.ask("DELETE", f"/api/v1/overrides/{one['id']}", etag=one["etag"])
    return "\n".join(f"taken back: {one['variant'] or 'every variant'} at {one['replicas']}" for one in pins)


@dataclass(frozen=True, slots=True)
class Frozen:
    """Whom a freeze concerns: one target, a namespace, or everything."""

    target: str | None
    namespace: str | None
    everything: bool

    def scope(self) -> dict[str, str | None]:
        """As the API takes it.

        Raises:
            SayingError: unless exactly one is given.
        """
        given = [self.target is not None, self.namespace is not None, self.everything]
        if given.count(True) != 1:
            raise SayingError("give one of TARGET, --namespace and --everything")
        if self.target is not None:
            namespace, name = parted(self.target)
            return {"namespace": namespace, "target": name}
        return {"namespace": self.namespace, "target": None}


def freeze(api: Office, frozen: Frozen, direction: str, length: str, reason: str) -> str:
    """Freeze it from now on; what became of it, in words."""
    scope = frozen.scope()
    ways = {"both": "Both", "down": "Down"}
    if direction.lower() not in ways:
        raise SayingError(f"--direction is {direction!r}; allowed: both, down")
    body = {**scope, "direction": ways[direction.lower()], "ttl_s": seconds(length), "reason": reason}
    made = api.ask("POST", "/api/v1/freezes", body)
    what = "nothing changes" if made["direction"] == "Both" else "nothing goes down"
    return f"{_scope_words(made)}: {what} until {moment(made['ends_at_s'])}; sooner: tidegate unfreeze\n{made['id']}"


def unfreeze(api: Office, frozen: Frozen) -> str:
    """End every freeze of exactly that scope that holds or is still to begin."""
    scope = frozen.scope()
    query = {"active": "true", "limit": "500", **{key: value for key, value in scope.items() if value is not None}}
    held = api.ask("GET", "/api/v1/freezes", query=query)["items"]
    own = [one for one in held if (one["namespace"], one["target"]) == (scope["namespace"], scope["target"])]
    if not own:
        raise SayingError(f"no freeze of {_scope_words(scope)} holds, or is to begin")
    for one in own:
        api.ask("DELETE", f"/api/v1/freezes/{one['id']}", etag=one["etag"])
    return "\n".join(f"ended: {_scope_words(one)}, {one['direction']}, by {one['actor']}" for one in own)


def _scope_words(scope: Mapping[str, Any]) -> str:
    if scope["namespace"] is None:
        return "everything"
    return f"{scope['namespace']}/{scope['target']}" if scope["target"] else f"namespace {scope['namespace']}"
