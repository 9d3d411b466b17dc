"""What a container's command line and environment say of its engine: the model, and the role in a split of prefill and
decode. vLLM, SGLang, TGI, TensorRT-LLM and KServe's runtimes."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence

from controlplane.adapters.kube_json import Json, mapping, objects, strings, text
from controlplane.domain.target import Role

MODEL_FLAGS = ("--model", "--model-path", "--model_path", "--model-id", "--model_id", "--model-name-or-path")
"""Flags that name the weights: vLLM, SGLang, TGI and KServe."""
NAME_FLAGS = ("--served-model-name", "--served_model_name", "--model_name", "--model-name")
"""Flags that name the model to its users: of use where the weights are a path in the container."""
MODEL_ENV = ("MODEL_ID", "HF_MODEL_ID", "MODEL", "MODEL_NAME", "MODEL_PATH", "VLLM_MODEL", "SGLANG_MODEL_PATH")
SERVE_WORDS = (("vllm", "serve"), ("trtllm-serve", "serve"), ("trtllm-serve",))
"""Commands whose first argument without a dash is the model."""
SHELLS = frozenset({"sh", "bash", "ash", "dash", "zsh"})
VALUELESS = frozenset({"--trust-remote-code", "--enforce-eager", "--enable-prefix-caching", "--disable-log-requests"})
"""Flags of `vllm serve` that people put before the model and that take no value."""
DISAGGREGATION = {"prefill": Role.PREFILL, "decode": Role.DECODE}
KV_ROLES = {"kv_producer": Role.PREFILL, "kv_consumer": Role.DECODE}
"""vLLM's `kv_role`; `kv_both` says nothing, since NIXL uses it on either side."""
_VARIABLE = re.compile(r"\$\((\w+)\)|\$\{(\w+)\}|\$(\w+)")
_LINE_END = re.compile(r"\\\s*\n")


def model_in(container: Json) -> str | None:
    """The model that a container serves, None where it does not say.

    A name that is a path inside the container gives way to the name under which it is served.
    """
    words, env = words_of(container), env_of(container)
    weights = flag(words, MODEL_FLAGS) or _positional(words) or next((env[n] for n in MODEL_ENV if env.get(n)), "")
    served = flag(words, NAME_FLAGS) or env.get("SERVED_MODEL_NAME", "")
    return (served if weights.startswith(("/", ".")) and served else weights or served) or None


def role_in(container: Json) -> Role | None:
    """The role that the engine's arguments give it, None where they give none."""
    words = words_of(container)
    said = DISAGGREGATION.get(flag(words, ("--disaggregation-mode",)))
    if said:
        return said
    if "--is-prefill-worker" in words:
        return Role.PREFILL
    if "--is-decode-worker" in words:
        return Role.DECODE
    try:
        transfer = json.loads(flag(words, ("--kv-transfer-config",)) or "{}")
    except (ValueError, RecursionError):
        return None
    return KV_ROLES.get(text(mapping(transfer).get("kv_role")))


def words_of(container: Json) -> list[str]:
    """The words of the command line, a shell's script split into its own, variables of the environment filled in."""
    said = [*strings(container.get("command")), *strings(container.get("args"))]
    is_shell = bool(said) and said[0].rpartition("/")[2] in SHELLS
    words = [word for one in said for word in (_split(one) if is_shell else [one])]
    env = env_of(container)
    return [_filled(word, env) for word in words]


def env_of(container: Json) -> dict[str, str]:
    """The environment's plain values; those taken from elsewhere are left out."""
    entries = objects(container.get("env"))
    return {text(e.get("name")): text(e.get("value")) for e in entries if isinstance(e.get("value"), str)}


def flag(words: Sequence[str], names: Iterable[str]) -> str:
    """The value of the first of these flags that is there, `--flag value` or `--flag=value`; empty where none is."""
    for name in names:
        for i, word in enumerate(words):
            if word.startswith(f"{name}="):
                return word.partition("=")[2]
            if word == name and i + 1 < len(words) and not words[i + 1].startswith("--"):
                return words[i + 1]
    return ""


def _positional(words: Sequence[str]) -> str:
    for serve in SERVE_WORDS:
        for i in range(len(words) - len(serve) + 1):
            named = tuple(word.rpartition("/")[2] for word in words[i : i + len(serve)])
            if named == serve and (found := _first_bare(words[i + len(serve) :])):
                return found
    # The image's entry point may be `vllm serve` itself, with the model as the first argument.
    return words[0] if words and re.fullmatch(r"[\w.-]+/[\w.-]+", words[0]) and len(words) > 1 else ""


def _first_bare(words: Sequence[str]) -> str:
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word.startswith("-"):
            skip = "=" not in word and word not in VALUELESS
        else:
            return word
    return ""


def _split(script: str) -> list[str]:
    try:
        return shlex.split(_LINE_END.sub(" ", script), comments=True)
    except ValueError:
        return script.split()


def _filled(word: str, env: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name = next(group for group in match.groups() if group)
        return env.get(name, match.group(0))

    return _VARIABLE.sub(value, word)
