"""What is sent: JSON, or the same as YAML, or a custom resource as it stands in a repository."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import yaml
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from controlplane.api.problems import bad_value
from controlplane.domain.manifest import KIND
from controlplane.domain.policy_life import LONGEST_CANARY_S

YAML = "application/yaml"
_YAML_TYPES = (YAML, "application/x-yaml", "text/yaml")
EXAMPLE_SPEC: dict[str, Any] = {
    "model": "llama-3.1-8b",
    "slo": {"preset": "Chat"},
    "variants": [
        {
            "name": "h100",
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat-h100"},
            "accelerator": "H100",
            "minReplicas": 1,
            "maxReplicas": 8,
        }
    ],
}

Body = TypeVar("Body", bound=BaseModel)


def without_nul(value: object) -> object:
    """The value; PostgreSQL's text holds every character but NUL.

    Raises:
        ValueError: if it is a text with one.
    """
    if isinstance(value, str) and "\x00" in value:
        raise ValueError("text without the character U+0000 is allowed")
    return value


Reason = Annotated[str, Field(min_length=1, max_length=2000), BeforeValidator(without_nul)]
Label = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
Names = Annotated[list[Annotated[str, Field(min_length=1, max_length=63)]], Field(max_length=64)]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PolicyIn(_In):
    """A policy: in each of its namespaces it makes the target `namespace/name`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"name": "chat", "namespaces": ["default"], "spec": EXAMPLE_SPEC, "reason": "a first policy for chat"}
            ]
        },
    )

    name: Label
    namespaces: Annotated[list[Label], Field(min_length=1, max_length=64)]
    spec: Annotated[dict[str, Any], Field(description="as `spec` of an InferenceAutoscaler")]
    reason: Reason


class DryRunIn(_In):
    """What is to be looked at without being kept."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "chat", "namespaces": ["default"], "spec": EXAMPLE_SPEC}]},
    )

    name: Label
    namespaces: Annotated[list[Label], Field(min_length=1, max_length=64)]
    spec: dict[str, Any]


class VersionIn(_In):
    """A new version. `parent` is the version that it is made from, by default the newest."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"spec": EXAMPLE_SPEC, "reason": "eight replicas were too few on Monday"}]},
    )

    spec: Annotated[dict[str, Any], Field(description="as `spec` of an InferenceAutoscaler")]
    reason: Reason
    parent: Annotated[int | None, Field(ge=1, le=1_000_000)] = None


class GuardIn(_In):
    """When it is taken back by itself: worse than the version before by more than these, over `over_s` seconds."""

    attainment: Annotated[float, Field(ge=0, le=1, description="difference of the shares that met the SLO")] = 0.01
    cost: Annotated[float, Field(ge=0, le=100, description="share of the other's dollars")] = 0.15
    over_s: Annotated[float, Field(ge=60, le=7 * 86_400)] = 1800.0


class StageIn(_In):
    """Why."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "looks right in review"}]})

    reason: Reason


class PromoteIn(StageIn):
    """Why, and when to take it back."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"reason": "a week in shadow without regret", "guard": {"attainment": 0.01, "cost": 0.1}}]
        },
    )

    guard: GuardIn = GuardIn()


class CanaryIn(PromoteIn):
    """Where it decides, and for how long."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"reason": "one pool first", "variants": ["h100"], "ttl_s": 3600, "guard": {"over_s": 900}}]
        },
    )

    variants: Names = []
    namespaces: Names = []
    ttl_s: Annotated[float, Field(gt=0, le=LONGEST_CANARY_S, description="seconds until it ends by itself")]


class ApprovalIn(_In):
    """What is asked of a second person."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"stage": "Live", "reason": "less cost at the same attainment"}]},
    )

    stage: Annotated[str, Field(pattern="^(Canary|Live)$")] = "Live"
    reason: Reason


def body_of(model: type[Body]) -> Callable[[Request], Awaitable[Body]]:
    """A dependency that reads `model` from JSON or, by its Content-Type, from YAML."""

    async def read(request: Request) -> Body:
        raw = await request.body()
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        given = parsed(raw, kind in _YAML_TYPES)
        if isinstance(given, dict) and given.get("kind") == KIND:
            given = _of_resource(given, request.query_params.get("reason"), model)
        try:
            return model.model_validate(given)
        except ValidationError as error:
            found = [{**one, "loc": ("body", *one["loc"])} for one in error.errors(include_url=False)]
            raise RequestValidationError(found) from error

    return read


def documented(model: type[BaseModel]) -> dict[str, Any]:
    """`openapi_extra` of a route that reads its body by `body_of`."""
    schema = model.model_json_schema()
    examples = schema.pop("examples", [])
    content = {kind: {"schema": schema, "example": examples[0]} for kind in ("application/json", YAML)}
    return {"requestBody": {"required": True, "content": content}}


class PlainLoader(yaml.SafeLoader):
    """YAML without aliases: a few lines of them can stand for gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed")
        return super().compose_node(parent, index)


def parsed(raw: bytes, is_yaml: bool) -> Any:
    """What the bytes say, as JSON has it.

    Raises:
        BadValue: if they are neither.
    """
    name = "YAML" if is_yaml else "JSON"
    try:
        text = raw.decode()
        found = yaml.load(text, Loader=PlainLoader) if is_yaml else json.loads(text)
        return json.loads(json.dumps(found, allow_nan=False))
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise bad_value("body", raw[:40].decode(errors="replace"), f"{name} ({str(error).splitlines()[0]})") from error


def _of_resource(given: dict[str, Any], reason: str | None, model: type[BaseModel]) -> dict[str, Any]:
    """A custom resource as the body that it stands for; its reason is in the query, since it has no place for one."""
    body: dict[str, Any] = {"spec": given.get("spec")}
    if "reason" in model.model_fields:
        body["reason"] = reason or "as in the custom resource that was sent"
    if "name" in model.model_fields:
        metadata = given.get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        body |= {"name": metadata.get("name"), "namespaces": [metadata.get("namespace", "default")]}
    return body
