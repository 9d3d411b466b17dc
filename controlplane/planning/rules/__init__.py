"""The guard: small rules in order, each of which may limit, hold or refuse what the plan proposes, and says why.

One file per family. docs/rules.md lists them with their settings and an example of what each says.
"""

from __future__ import annotations

from controlplane.domain.decision import Ruling, RulingEffect
from controlplane.planning.rules.belief import AcquaintanceRule, FreshnessRule, ModeRule, SpoolRule
from controlplane.planning.rules.case import Case, Replicas, Rule
from controlplane.planning.rules.exchange import ExchangeRule
from controlplane.planning.rules.limits import BoundsRule
from controlplane.planning.rules.lull import LullRule
from controlplane.planning.rules.pace import FlapRule, RateRule, StabilizationRule, ToleranceRule
from controlplane.planning.rules.people import FreezeRule, ManualScaleRule, OverrideRule, says
from controlplane.planning.rules.rivals import ConflictRule
from controlplane.planning.rules.roles import HeadroomRule, SkewRule
from controlplane.planning.rules.sleep import IdleRule, WakeRule
from controlplane.planning.rules.underway import AvailabilityRule, DrainRule, PendingRule, RolloutRule

RULES: tuple[Rule, ...] = (
    ModeRule(),
    ConflictRule(),
    AvailabilityRule(),
    FreshnessRule(),
    HeadroomRule(),
    AcquaintanceRule(),
    ToleranceRule(),
    PendingRule(),
    RolloutRule(),
    DrainRule(),
    FlapRule(),
    StabilizationRule(),
    LullRule(),
    ExchangeRule(),
    IdleRule(),
    RateRule(),
    SkewRule(),
    WakeRule(),
    BoundsRule(),
    ManualScaleRule(),
    OverrideRule(),
    FreezeRule(),
    SpoolRule(),
)
"""In the order in which they are asked: first what may be believed and had, then how fast, then what must be and what
people have said."""


def judge(case: Case, proposed: Replicas, lifted: frozenset[str] = frozenset()) -> tuple[Replicas, tuple[Ruling, ...]]:
    """The proposal after every rule, and the trail. The rules named in `lifted` are not asked: that is for those who
    want to know what would have been without them, never for the loop.

    Mode Off and a rival end it: what is wanted now stays. Where the load is not known only the rules that need none go
    on, from what is wanted now: bounds, waking, and people.
    """
    trail: list[Ruling] = []
    replicas: Replicas = dict(proposed)
    blind = False
    for rule in RULES:
        if rule.name in lifted or (blind and not rule.blind):
            continue
        ruling = rule.judge(case, replicas)
        trail.append(ruling)
        replicas = ruling.after
        if _ends(ruling):
            break
        blind = blind or ruling.effect is RulingEffect.ABSTAIN
    return replicas, tuple(trail)


def _ends(ruling: Ruling) -> bool:
    return (ruling.rule, ruling.effect) in {
        (ModeRule.name, RulingEffect.ABSTAIN),
        (ConflictRule.name, RulingEffect.HOLD),
    }


__all__ = [
    "RULES",
    "AcquaintanceRule",
    "AvailabilityRule",
    "BoundsRule",
    "Case",
    "ConflictRule",
    "DrainRule",
    "ExchangeRule",
    "FlapRule",
    "FreezeRule",
    "FreshnessRule",
    "HeadroomRule",
    "IdleRule",
    "LullRule",
    "ManualScaleRule",
    "ModeRule",
    "OverrideRule",
    "PendingRule",
    "RateRule",
    "Replicas",
    "RolloutRule",
    "Rule",
    "SkewRule",
    "SpoolRule",
    "StabilizationRule",
    "ToleranceRule",
    "WakeRule",
    "judge",
    "says",
]
