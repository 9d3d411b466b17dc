"""A plan that wavers between two fleets: what is held of the one does the work of what was to come of the other."""

from __future__ import annotations

from controlplane.domain.decision import Ruling, RulingEffect
from controlplane.planning.rules.case import Case, Replicas, ruling, sides
from controlplane.planning.rules.lull import to_carry_on
from controlplane.planning.rules.pace import ROUNDING


class ExchangeRule:
    """Where the window's recommendations do not agree on an exchange, or it is planned in a lull, so that its down is
    held, its up is left undone as far as what stays carries what the plan did: else a plan that wavers between two
    fleets of about the same price buys both. Once they agree it is done, the new Ready before the old goes."""

    name = "exchange"
    blind = False

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """See `Rule`."""
        after = dict(proposed)
        for names in sides(case.target):
            self._spare(case, names, after)
        spared = [name for name in proposed if after[name] < proposed[name]]
        if not spared:
            return ruling(self, proposed, proposed, "nothing comes for what is held")
        words = f"what is held carries as much without more of {', '.join(spared)}"
        return ruling(self, proposed, after, words, RulingEffect.HOLD)

    @staticmethod
    def _spare(case: Case, names: list[str], after: dict[str, int]) -> None:
        planned = case.plan.replicas if case.plan is not None else {}
        lull = to_carry_on(case) > case.carried(names, planned)
        held = [name for name in names if after[name] > planned.get(name, after[name])]
        wavers = any(lull or _was_more(case, name) for name in held)
        if not wavers or len(names) < 2 or not all(case.rate(name) > 0 for name in names):
            return
        needed = case.carried(names, planned) * (1.0 - ROUNDING)
        for name in sorted(names, key=lambda n: (-case.target.variant(n).usd_per_replica_hour / case.rate(n), n)):
            current = case.current.get(name, after[name])
            while after[name] > current and case.carried(names, {**after, name: after[name] - 1}) >= needed:
                after[name] -= 1


def _was_more(case: Case, name: str) -> bool:
    """Whether more than is planned now was recommended within the window."""
    planned = case.plan.replicas if case.plan is not None else {}
    within = case.recommended_within(case.target.policy.scale_down.stabilization_window_s)
    return max((replicas.get(name, 0) for replicas in within), default=0) > planned.get(name, 0)
