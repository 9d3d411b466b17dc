"""Replicas that come, go or are exchanged: what is under way is let arrive before more is taken."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from controlplane.domain.decision import Ruling, RulingEffect
from controlplane.planning.outages import left_to_recover, lost
from controlplane.planning.rollouts import is_rolling
from controlplane.planning.rules.case import Case, Replicas, goes_down, hold_downs, released, ruling, sides


class PendingRule:
    """Replicas that are not Ready yet, or are only asked for now, hold the downs of their role until their deadline:
    those of their own variant whole, those of others as far as what is Ready does not carry the demand by itself. A
    variant's own are not given up for a lull: of the Azure hour that lost two percent at a cold start of 420 s. Where
    as many Ready ones would idle meanwhile as are on their way, it is no lull: held for the last one that came, ten
    idled for five minutes."""

    name = "pending"
    blind = False

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """See `Rule`."""
        after = dict(proposed)
        reasons = []
        for names in sides(case.target):
            waits = self._waits(case, proposed, names)
            if waits and any(name in names for name in goes_down(case, after)):
                settled = [name for name in names if not _pending(case, name) or outnumbered(case, proposed, name)]
                held = hold_downs(case, after, names)
                held = released(case, held, after, settled, partial(_ready_carry, case, names))
                if held != after:
                    reasons.append(waits)
                after = held
        if reasons:
            return ruling(self, proposed, after, "; ".join(reasons), RulingEffect.HOLD)
        return ruling(self, proposed, proposed, "nothing that goes down waits for a replica to become Ready")

    @staticmethod
    def _waits(case: Case, proposed: Replicas, names: list[str]) -> str:
        """Why downs among `names` must wait; empty where they need not."""
        deadline_s = case.target.policy.pending_deadline_s
        seen = [v for v in case.inputs.observation.variants if v.variant in names]
        pending = [
            v
            for v in seen
            if v.pending and (v.oldest_pending_s or 0.0) <= deadline_s and not outnumbered(case, proposed, v.variant)
        ]
        if pending:
            return ", ".join(f"{v.pending} of {v.variant} not Ready yet" for v in pending)
        ups = [n for n in names if proposed.get(n, 0) > case.current.get(n, 0)]
        return f"{', '.join(ups)} must be Ready first" if ups else ""


def _pending(case: Case, name: str) -> int:
    seen = case.inputs.observation.variant(name)
    return 0 if seen is None else seen.pending


def outnumbered(case: Case, proposed: Replicas, name: str) -> bool:
    """Whether at least as many of a variant's Ready replicas are more than is proposed as are not Ready yet."""
    seen = case.inputs.observation.variant(name)
    return seen is not None and seen.ready - proposed.get(name, 0) >= seen.pending


def _ready_carry(case: Case, names: Sequence[str], left: Replicas) -> bool:
    """Whether what is Ready now and stays carries all that is planned for."""
    if case.demand is None:
        return False
    seen = {v.variant: v.ready for v in case.inputs.observation.variants}
    ready = {name: min(seen.get(name, 0), left[name]) for name in names}
    return case.carried(names, ready) >= case.demand.requests_per_s


class RolloutRule:
    """While old and new replicas of a variant are Ready side by side it does not go down: the rollout takes the old
    ones away by itself, and which engine carries how much is not known."""

    name = "rollout"
    blind = True

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """See `Rule`."""
        words = [f"{name} is made from something new; what was learned of it begins anew" for name in case.changed]
        rolling = [name for name in proposed if is_rolling(case.inputs, name)]
        words += [f"old and new replicas of {name} are Ready side by side" for name in rolling]
        after = hold_downs(case, proposed, rolling)
        effect = RulingEffect.HOLD if after != dict(proposed) else None
        return ruling(self, proposed, after, "; ".join(words) or "no rollout", effect)


class DrainRule:
    """Where a variant has a drain allowance, no more of it go while as many as were sent away within that time still
    finish what they run: so the capacity that leaves at one time is bounded."""

    name = "drain"
    blind = True

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """See `Rule`."""
        leaving = [v.name for v in case.target.variants if self._is_leaving(case, v.name, v.drain_s)]
        after = hold_downs(case, proposed, leaving)
        if after == dict(proposed):
            return ruling(self, proposed, proposed, "nothing that goes down still drains")
        names = [n for n in leaving if after[n] != proposed[n]]
        words = f"replicas of {', '.join(names)} that were sent away still finish what they run"
        return ruling(self, proposed, after, words, RulingEffect.HOLD)

    @staticmethod
    def _is_leaving(case: Case, name: str, drain_s: float | None) -> bool:
        seen = case.inputs.observation.variant(name)
        if drain_s is None or seen is None:
            return False
        events = case.inputs.memory.scale_events
        removed = sum(-e.delta for e in events if e.variant == name and e.delta < 0 and e.at_s > case.now_s - drain_s)
        return 0 < removed <= seen.terminating


class AvailabilityRule:
    """Says which variants cannot be had, and until when they are left alone; the plan is made within that already.

    What was asked for in vain is taken back. What fails is left to recover at first, where all that is sound is needed.
    """

    name = "availability"
    blind = True

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """See `Rule`."""
        words = [cap.words for caps in case.caps.values() for cap in caps]
        after = dict(proposed)
        for name, failing in left_to_recover(case.inputs, case.outages).items():
            sound = min((cap.most for cap in case.caps.get(name, ())), default=0)
            if proposed[name] >= sound:
                after[name] = max(proposed[name], min(case.current[name], sound + failing))
                words.append(f"{failing} of {name} are left to recover")
        words += [
            f"{before - now} of {name} that cannot be had are taken back"
            for name, now in case.held().items()
            if (before := case.current[name]) > now and proposed.get(name, before) < before
        ]
        words += [late.words(name) for name, late in case.late.items()]
        seen = case.inputs.observation.variants
        words += [f"{n} of {v.variant} were Ready and do not come back" for v in seen if (n := lost(v))]
        return ruling(self, proposed, after, "; ".join(words) or "every variant can be had")
