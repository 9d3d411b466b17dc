"""Others who write the same replica counts."""

from __future__ import annotations

from controlplane.domain.decision import Ruling, RulingEffect
from controlplane.domain.observation import Conflict, ConflictKind
from controlplane.domain.target import Mode
from controlplane.planning.rules.case import Case, Replicas, ruling


class ConflictRule:
    """Two who write one count pull it to and fro: the whole target is held until one of them is gone, since its
    variants are planned together. With `takeover` it goes on, and where nothing is written: beside the autoscaler that
    one has is where one looks at what Tidegate would do."""

    name = "conflict"
    blind = True

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """See `Rule`."""
        conflicts = case.inputs.surroundings.conflicts
        if not conflicts:
            return ruling(self, proposed, proposed, "nobody else scales it")
        if case.target.policy.mode is not Mode.LIVE:
            words = "; ".join(_who(c) for c in conflicts)
            return ruling(self, proposed, proposed, f"{words}; nothing is written in {case.target.policy.mode}")
        if case.target.policy.takeover:
            words = "; ".join(_who(c) for c in conflicts)
            return ruling(self, proposed, proposed, f"{words}; overridden, since takeover is true")
        words = "; ".join(f"{_who(c)}: {_cure(c)}, or set takeover: true" for c in conflicts)
        return ruling(self, proposed, case.current, words, RulingEffect.HOLD)


def _who(conflict: Conflict) -> str:
    detail = f" ({conflict.detail})" if conflict.detail else ""
    return f"{conflict.kind} {conflict.name} scales {conflict.variant} too{detail}"


def _cure(conflict: Conflict) -> str:
    match conflict.kind:
        case ConflictKind.HPA:
            return f"delete it (kubectl delete hpa {conflict.name})"
        case ConflictKind.SCALED_OBJECT:
            return f"delete it (kubectl delete scaledobject {conflict.name})"
        case ConflictKind.AUTOSCALER:
            return "take the variant out of one of the two"
        case ConflictKind.GITOPS:
            return "leave spec.replicas out of what it applies"
        case ConflictKind.FIELD_MANAGER:
            return "stop it from writing spec.replicas"
