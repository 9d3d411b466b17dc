"""What an import comes to: a custom resource in Shadow, and notes on what it leaves behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml

from controlplane.domain.json_object import FieldError, JsonObject
from controlplane.domain.manifest import API_VERSION, KIND
from controlplane.domain.manifest_base import MAX_REPLICAS

Fields = dict[str, object]


@dataclass(frozen=True, slots=True)
class Choice:
    """What no HPA says: the model, the SLO's preset, and the accelerator unless it is to be discovered."""

    model: str
    preset: str
    accelerator: str | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """A custom resource, and what a person should know of it: a line a note."""

    manifest: Mapping[str, object]
    notes: tuple[str, ...]

    def to_yaml(self) -> str:
        """The resource, with the notes as comments above it."""
        notes = "".join(f"# {_one_line(note)}\n" for note in self.notes)
        return notes + yaml.safe_dump(dict(self.manifest), sort_keys=False, width=120)


def _one_line(note: str) -> str:
    """What others wrote may have line breaks, which would end the comment, and characters that YAML does not take."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(note.split()))


def resource(name: str, namespace: str, choice: Choice, scaling: Mapping[str, object]) -> Fields:
    """The custom resource; `scaling` is the part of its spec that was carried over."""
    told = {"accelerator": choice.accelerator} if choice.accelerator else {}
    spec = {"model": choice.model, "mode": "Shadow", "slo": {"preset": choice.preset}, **told, **scaling}
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def opening(kind: str, name: str, namespace: str, choice: Choice) -> list[str]:
    """The notes that every import has."""
    notes = [
        f"From {kind} {namespace}/{name}. In Shadow Tidegate decides and records, and changes nothing.",
        f"Delete that {kind} before mode: Live; while it is there Tidegate holds and says Conflicted.",
        f"slo: {kind}s say no latency; {choice.preset} is a preset, put your own limits in its place.",
    ]
    if choice.accelerator is None:
        notes.append("accelerator: discovered from the pod template; give it here if that names no GPU.")
    return notes


def replicas(of: JsonObject, name: str) -> int | None:
    """A number of replicas, or None where it is absent.

    Raises:
        FieldError: if it is no whole number of 0 or more.
    """
    value = of.number(name)
    if value is not None and not value.is_integer():
        raise of.bad(name, "a whole number of 0 or more")
    return None if value is None else min(int(value), MAX_REPLICAS)


def bounds(lowest: int, highest: int, where: str) -> Fields:
    """`minReplicas` and `maxReplicas`.

    Raises:
        FieldError: if they leave nothing between them.
    """
    if highest < max(1, lowest):
        raise FieldError(f"{where}: the most replicas are {highest}; allowed: at least 1, and the fewest ({lowest})")
    return {"minReplicas": lowest, "maxReplicas": highest}


def target_ref(spec: JsonObject) -> Fields:
    """`scaleTargetRef`, as written; KEDA leaves out what HPA demands.

    Raises:
        FieldError: if it is absent or names nothing.
    """
    given = spec.child("scaleTargetRef")
    name = given.text("name") if given else None
    if given is None or not name:
        raise FieldError(f"{spec.where}: scaleTargetRef.name is absent; allowed: the name of what is scaled")
    kind, version = given.text("kind") or "Deployment", given.text("apiVersion") or "apps/v1"
    return {"scaleTargetRef": {"apiVersion": version, "kind": kind, "name": name}}


def listed(values: Sequence[tuple[str, object]]) -> str:
    """`(a 1, b 2)`, or nothing."""
    said = ", ".join(f"{name} {value}" for name, value in values if value not in (None, ""))
    return f" ({said})" if said else ""
