"""New images, arguments or models: what was learned of the old ones is not true of them."""

from __future__ import annotations

from dataclasses import replace

from controlplane.domain.decision import TargetInputs


def changed(inputs: TargetInputs) -> tuple[str, ...]:
    """Variants that are made from something else than memory knows, in the target's order."""
    before, now = inputs.memory.templates, inputs.surroundings.templates
    names = (v.name for v in inputs.target.variants)
    return tuple(n for n in names if now.get(n) and before.get(n) and now[n] != before[n])


def unlearned(inputs: TargetInputs) -> TargetInputs:
    """The inputs without what memory holds of variants that have changed: step costs, misses, outages."""
    gone = set(changed(inputs))
    if not gone:
        return inputs
    memory = inputs.memory
    kept = replace(
        memory,
        calibrations={n: c for n, c in memory.calibrations.items() if n not in gone},
        outages={n: o for n, o in memory.outages.items() if n not in gone},
    )
    return replace(inputs, memory=kept)


def templates(inputs: TargetInputs) -> dict[str, str]:
    """What each variant is made from, to be remembered."""
    seen = {n: t for n, t in inputs.surroundings.templates.items() if t}
    return {**inputs.memory.templates, **seen}


def is_outdated(inputs: TargetInputs, name: str) -> bool:
    """Whether any Ready replica of the variant is not of the newest template: its pages tell of another engine."""
    return any(template != newest for template, newest in _ready(inputs, name))


def is_rolling(inputs: TargetInputs, name: str) -> bool:
    """Whether old and new replicas of the variant are Ready side by side."""
    return len({template == newest for template, newest in _ready(inputs, name)}) == 2


def _ready(inputs: TargetInputs, name: str) -> list[tuple[str, str]]:
    """Of each template with Ready replicas: it, and the newest."""
    newest, seen = inputs.surroundings.templates.get(name), inputs.observation.variant(name)
    return [(template, newest) for template, n in seen.templates.items() if n] if newest and seen else []
