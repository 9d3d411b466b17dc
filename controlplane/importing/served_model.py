"""Which model a workload serves, from its containers' command lines."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence

from controlplane.domain import catalog

OPTIONS = ("--model", "--model-path", "--model-id", "--model-tag")
"""Of vLLM, SGLang and TGI, each with the model after it."""
_STYLES = frozenset({"meta", "instruct", "it", "chat", "hf", "base", "dynamic"})
"""Words in a checkpoint's name that say how it was tuned or by whom: neither changes its size."""


def served_model(workload: object) -> str | None:
    """The model as a workload's command line has it, e.g. `meta-llama/Llama-3.1-8B-Instruct`; None: it does not say."""
    for words in _command_lines(workload):
        for place, word in enumerate(words):
            option, equals, value = word.partition("=")
            if option in OPTIONS and (value or (not equals and place + 1 < len(words))):
                return value or words[place + 1]
            if word == "serve" and place + 1 < len(words) and words[place - 1].endswith("vllm"):
                return words[place + 1]
    return None


def catalog_name(served: str) -> str | None:
    """The catalog's name of a checkpoint, or None where it has none: a model of another size would be planned wrong."""
    words = served.rstrip("/").rpartition("/")[2].lower().replace("_", "-").split("-")
    kept = [word for word in words if word not in _STYLES and not re.fullmatch(r"v\d+(\.\d+)*", word)]
    name = "-".join(kept)
    return name if name in catalog.MODELS else None


def _command_lines(value: object) -> Iterator[Sequence[str]]:
    """Command and arguments of every container below, wherever the kind keeps its pod templates."""
    if isinstance(value, Mapping):
        for container in value.get("containers") or () if isinstance(value.get("containers"), list) else ():
            if isinstance(container, Mapping):
                yield _words(container)
        for inner in value.values():
            yield from _command_lines(inner)
    if isinstance(value, list):
        for inner in value:
            yield from _command_lines(inner)


def _words(container: Mapping[str, object]) -> Sequence[str]:
    """Its words; a shell's script counts as the words in it."""
    found: list[str] = []
    for field in ("command", "args"):
        given = container.get(field)
        for word in given if isinstance(given, list) else ():
            found += _split(str(word))
    return found


def _split(word: str) -> Sequence[str]:
    if not re.search(r"\s", word):
        return [word]
    try:
        return shlex.split(word.replace("\\\n", " "))
    except ValueError:
        return word.split()
