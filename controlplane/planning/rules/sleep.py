"""Scale to zero, and back."""

from __future__ import annotations

from controlplane.domain.decision import Ruling
from controlplane.planning.idleness import asleep_sides, held_outside, idle_s
from controlplane.planning.rules.case import Case, Replicas, ruling


class IdleRule:
    """The last replicas go together, all roles at once, after `scaleToZero.idleSeconds` without a request; only where
    every variant's minReplicas is 0."""

    name = "idle"
    blind = True

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """See `Rule`."""
        allowed_s, idle_for_s = case.target.policy.idle_s, idle_s(case.inputs, case.now_s)
        if allowed_s is None or any(case.bound(name).low > 0 for name in proposed):
            return ruling(self, proposed, proposed, "the last replica stays")
        if idle_for_s is None:
            return ruling(self, proposed, proposed, "not idle, as far as is known")
        if idle_for_s < allowed_s:
            words = f"idle for {idle_for_s:.0f} s; the last replica goes after {allowed_s:.0f} s"
            return ruling(self, proposed, proposed, words)
        words = f"sleeps, since nothing came for {idle_for_s:.0f} s"
        if held_outside(case.inputs) is None:
            words += "; no gateway's queue is seen, so a schedule, an override or a person has to wake it"
        return ruling(self, proposed, dict.fromkeys(proposed, 0), words)


class WakeRule:
    """From zero, what a gateway's queue asks for comes at once: neither stabilisation nor rates hold it, since nobody
    is served meanwhile. A target that must not sleep keeps one replica of each role."""

    name = "wake"
    blind = True

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """See `Rule`."""
        waiting = held_outside(case.inputs)
        after = dict(proposed)
        nothing_ready = not any(v.ready for v in case.inputs.observation.variants)
        if waiting and nothing_ready and case.demand is not None and case.plan is not None:
            after = {n: max(r, case.plan.replicas[n]) for n, r in proposed.items()}
        must_run = bool(waiting) or (case.target.policy.idle_s is None and waiting != 0)
        most = {n: min([case.bound(n).high, *(cap.most for cap in case.caps.get(n, ()))]) for n in proposed}
        woken = asleep_sides(case.inputs, after, most) if must_run else []
        after |= dict.fromkeys(woken, 1)
        if after == dict(proposed):
            return ruling(self, proposed, proposed, "nothing to wake")
        why = f"{waiting:.0f} requests wait outside" if waiting else "no idle time is set, so one of each role is kept"
        return ruling(self, proposed, after, f"woken, since {why}")
