"""A scenario: which targets there are, on how many GPUs, what their replicas truly cost, and what is asked of them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from controlplane.domain import catalog
from controlplane.domain.manifest import ManifestError, target_from_manifest
from controlplane.domain.target import Target, Variant
from controlplane.planning.roofline import BLOCK_SIZE_TOKENS, DoesNotFit, kv_capacity_tokens, prior
from controlplane.simulation.engine import EngineLimits
from controlplane.simulation.lifecycle import ColdStartStages, Hazards, StockOut, Workload
from controlplane.simulation.traffic import DayShape, GeneratedTraffic, Trace, TraceTraffic, Traffic


class ScenarioError(ValueError):
    """A scenario that cannot be used; the message names the field, its value and what is allowed."""


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class _ColdStart(_Part):
    node_seconds: float = Field(default=60, ge=0)
    image_seconds: float = Field(default=45, ge=0)
    load_seconds: float = Field(default=55, ge=0)
    warm_up_seconds: float = Field(default=20, ge=0)
    jitter: float = Field(default=0.1, ge=0, le=1)

    def to_stages(self) -> ColdStartStages:
        seconds = (self.node_seconds, self.image_seconds, self.load_seconds, self.warm_up_seconds)
        return ColdStartStages(*seconds, jitter=self.jitter)


class _Hazards(_Part):
    crashes_per_hour: float = Field(default=0, ge=0)
    reclaims_per_hour: float = Field(default=0, ge=0)
    reclaim_notice_seconds: float = Field(default=120, ge=0)

    def to_hazards(self) -> Hazards:
        return Hazards(self.crashes_per_hour, self.reclaims_per_hour, self.reclaim_notice_seconds)


class _StockOut(_Part):
    accelerator: str
    from_seconds: float = Field(ge=0)
    until_seconds: float = Field(gt=0)

    def to_stock_out(self) -> StockOut:
        return StockOut(self.accelerator, self.from_seconds, self.until_seconds)


class _Workload(_Part):
    initial_replicas: int = Field(default=1, ge=0)
    cold_start: _ColdStart = _ColdStart()
    hazards: _Hazards = _Hazards()


class _Traffic(_Part):
    mean_requests_per_second: float = Field(gt=0)
    input_tokens: float = Field(ge=1)
    output_tokens: float = Field(ge=1)

    def to_shape(self) -> DayShape:
        return DayShape(self.mean_requests_per_second, self.input_tokens, self.output_tokens)


class _Scenario(_Part):
    name: str
    description: str = ""
    seed: int = 1
    coefficient_error: float = Field(default=0.3, ge=0, lt=1)
    inventory: dict[str, int]
    autoscalers: list[dict[str, Any]] = Field(min_length=1)
    policies: list[dict[str, Any]] = []
    workloads: dict[str, _Workload]
    traffic: dict[str, _Traffic] = {}
    stock_outs: list[_StockOut] = []


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario, read. `manifests` are its custom resources as they were written; `policies` have their form, and are
    Tidegate's own from the first start on instead of being in the cluster."""

    name: str
    description: str
    seed: int
    inventory: dict[str, int]
    manifests: tuple[dict[str, Any], ...]
    targets: tuple[Target, ...]
    workloads: tuple[Workload, ...]
    shapes: dict[str, DayShape]
    stock_outs: tuple[StockOut, ...] = ()
    policies: tuple[dict[str, Any], ...] = ()

    def generated(self) -> dict[str, Traffic]:
        """The generated day of every target that has one, by target key."""
        return {key: GeneratedTraffic(shape, self.seed, key) for key, shape in self.shapes.items()}

    def played(self, trace: Trace, origin_s: float, repeat: bool = False) -> dict[str, Traffic]:
        """The trace as the first target's traffic."""
        return {self.targets[0].key: TraceTraffic(trace, origin_s, repeat)}


def shipped() -> list[str]:
    """Names of the scenarios that come with Tidegate."""
    return sorted(p.name.removesuffix(".yaml") for p in _shipped_dir().iterdir() if p.name.endswith(".yaml"))


def load_scenario(name_or_path: str) -> Scenario:
    """A shipped scenario by its name, or one in a file.

    Raises:
        ScenarioError: if there is none of that name, or a field cannot be used.
    """
    if name_or_path in shipped():
        return parse_scenario((_shipped_dir() / f"{name_or_path}.yaml").read_text(encoding="utf-8"), name_or_path)
    path = Path(name_or_path)
    if not path.is_file():
        raise ScenarioError(f"scenario is {name_or_path!r}; allowed: {', '.join(shipped())}, or the path of a file")
    return parse_scenario(path.read_text(encoding="utf-8"), name_or_path)


def parse_scenario(text: str, source: str) -> Scenario:
    """A scenario from YAML; `source` names it in errors.

    Raises:
        ScenarioError: naming the field.
    """
    try:
        raw = _Scenario.model_validate(yaml.safe_load(text))
        targets = tuple(target_from_manifest(manifest) for manifest in [*raw.autoscalers, *raw.policies])
        _check_names(raw, targets)
        workloads = _workloads(raw, targets)
    except yaml.YAMLError as error:
        raise ScenarioError(f"scenario {source} is not YAML: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ScenarioError(f"scenario {source}: {field}: {first['msg']} (is {first['input']!r})") from error
    except (ManifestError, DoesNotFit) as error:
        raise ScenarioError(f"scenario {source}: {error}") from error
    return Scenario(
        name=raw.name,
        description=raw.description,
        seed=raw.seed,
        inventory=raw.inventory,
        manifests=tuple(raw.autoscalers),
        targets=targets,
        workloads=workloads,
        shapes={key: traffic.to_shape() for key, traffic in raw.traffic.items()},
        stock_outs=tuple(out.to_stock_out() for out in raw.stock_outs),
        policies=tuple(raw.policies),
    )


def _check_names(raw: _Scenario, targets: tuple[Target, ...]) -> None:
    keys = [target.key for target in targets]
    for key in raw.traffic:
        if key not in keys:
            raise ScenarioError(f"scenario {raw.name}: traffic has {key!r}; allowed: {', '.join(keys)}")
    for out in raw.stock_outs:
        if out.accelerator not in raw.inventory:
            raise ScenarioError(
                f"scenario {raw.name}: stockOuts has {out.accelerator!r}; allowed: {', '.join(raw.inventory)}"
            )
    for name, gpus in raw.inventory.items():
        if name not in catalog.ACCELERATORS:
            raise ScenarioError(
                f"scenario {raw.name}: inventory has {name!r}; allowed: {', '.join(catalog.ACCELERATORS)}"
            )
        if gpus < 0:
            raise ScenarioError(f"scenario {raw.name}: inventory.{name} is {gpus}; allowed: 0 or more")


def _workloads(raw: _Scenario, targets: tuple[Target, ...]) -> tuple[Workload, ...]:
    random = np.random.default_rng(raw.seed)
    made: list[Workload] = []
    for target in targets:
        for variant in target.variants:
            key = f"{target.namespace}/{variant.ref.name}"
            if key not in raw.workloads:
                raise ScenarioError(f"workloads has no {key}, which {target.key} scales; it has {list(raw.workloads)}")
            made.append(_workload(key, target, variant, raw.workloads[key], _errors(random, raw.coefficient_error)))
    return tuple(made)


def _workload(key: str, target: Target, variant: Variant, raw: _Workload, errors: tuple[float, ...]) -> Workload:
    model, gpu = catalog.model(target.model), catalog.accelerator(variant.accelerator)
    cost = prior(model, gpu, variant.gpus_per_replica)
    true_cost = cost.times(*errors)
    blocks = kv_capacity_tokens(model, gpu, variant.gpus_per_replica) // BLOCK_SIZE_TOKENS
    limits = EngineLimits(kv_blocks=blocks, max_context_tokens=model.max_context_tokens)
    return Workload(
        key,
        target,
        variant,
        true_cost,
        limits,
        raw.cold_start.to_stages(),
        raw.initial_replicas,
        raw.hazards.to_hazards(),
    )


def _errors(random: np.random.Generator, share: float) -> tuple[float, ...]:
    """What a, b, c and d truly are, as shares of the prior."""
    return tuple(float(f) for f in random.uniform(1.0 - share, 1.0 + share, 4))


def _shipped_dir() -> Any:
    return resources.files("controlplane.simulation") / "scenarios"
