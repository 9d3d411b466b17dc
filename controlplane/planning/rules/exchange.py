"""A plan that wavers between two fleets: what is held of the one does the work of what was to come of the other."""

from __future__ import annotations

from collections.abc import Mapping

from controlplane.domain.decision import Ruling, RulingEffect
from controlplane.planning.rules.case import Case, Replicas, ruling, sides

ROUNDING = 1e-9
"""Share of what is carried that floating point may lose."""


class ExchangeRule:
    """Where the window's recommendations do not agree on an exchange, so that its down is held, its up is left undone
    as far as what stays carries what the plan did: else a plan that wavers between two fleets of about the same price
    buys both. Once they agree it is done, the new Ready before the old goes."""

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
        rates = {name: case.rate(name) for name in names}
        wavers = any(after[name] > planned.get(name, after[name]) and _was_more(case, name) for name in names)
        if not wavers or len(names) < 2 or not all(rate > 0 for rate in rates.values()):
            return
        needed = sum(rates[name] * planned[name] for name in names) * (1.0 - ROUNDING)
        for name in sorted(names, key=lambda n: (-case.target.variant(n).usd_per_replica_hour / rates[n], n)):
            while after[name] > case.current.get(name, after[name]) and _carried(rates, after) - rates[name] >= needed:
                after[name] -= 1


def _was_more(case: Case, name: str) -> bool:
    """Whether more than is planned now was recommended within the window."""
    planned = case.plan.replicas if case.plan is not None else {}
    since_s = case.now_s - case.target.policy.scale_down.stabilization_window_s
    within = (r.replicas.get(name, 0) for r in case.inputs.memory.recommendations if r.at_s > since_s)
    return max(within, default=0) > planned.get(name, 0)


def _carried(rates: Mapping[str, float], fleet: Replicas) -> float:
    return sum(rate * fleet[name] for name, rate in rates.items())
