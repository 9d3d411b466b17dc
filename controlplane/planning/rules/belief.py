"""Whether the load is known well enough to be acted on."""

from __future__ import annotations

from controlplane.domain.decision import Ruling, RulingEffect
from controlplane.domain.target import Mode
from controlplane.planning.rules.case import Case, Replicas, goes_down, hold_downs, ruling

ACQUAINTANCE_S = 300.0
"""Five minutes: as long as HPA's own window; the step cost is then known to a few percent, and a trend is seen."""
ACQUAINTANCE_WINDOWS = 2.0
"""And so many windows of what is looked ahead, where these are longer: what was given back for a lull comes a cold
start late. At 420 s and after five minutes a window of ServeGen's large model lost 10 % of its requests, and the Azure
hour with copies within 100 s a quarter; after two windows 0.1 and 1.7 %, for no more."""


class ModeRule:
    """Off is not judged at all."""

    name = "mode"
    blind = True

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """See `Rule`."""
        if case.target.policy.mode is Mode.OFF:
            return ruling(self, proposed, case.current, "mode is Off", RulingEffect.ABSTAIN)
        return ruling(self, proposed, proposed, f"mode is {case.target.policy.mode}")


class FreshnessRule:
    """Without a load nothing is judged but what needs none; below a quorum of reporting replicas nothing goes down."""

    name = "freshness"
    blind = True

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """See `Rule`."""
        observation = case.inputs.observation
        why = "no replica is Ready" if observation.coverage is None else "the load is not known yet"
        if case.demand is None:
            return ruling(self, proposed, case.current, why, RulingEffect.ABSTAIN)
        if observation.coverage is None or observation.load is None:
            # What a gateway tells of a target that wakes asks for more, and never for less.
            return ruling(self, proposed, hold_downs(case, proposed), why)
        coverage, quorum = observation.coverage, case.target.policy.quorum
        if coverage < quorum and goes_down(case, proposed):
            words = f"{coverage:.0%} of the Ready replicas report, {quorum:.0%} are needed to go down"
            return ruling(self, proposed, hold_downs(case, proposed), words, RulingEffect.HOLD)
        age = "" if observation.age_s is None else f", the oldest page is {observation.age_s:.0f} s old"
        return ruling(self, proposed, proposed, f"{coverage:.0%} of the Ready replicas report{age}")


class AcquaintanceRule:
    """A target that was hardly watched gives nothing back: its replicas' speed and its load's ways are guesses yet."""

    name = "acquaintance"
    blind = False

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """See `Rule`."""
        first_s = case.inputs.memory.first_seen_at_s
        watched_s = 0.0 if first_s is None else case.now_s - first_s
        needed_s = _needed_s(case)
        if watched_s < needed_s and goes_down(case, proposed):
            words = f"watched for {watched_s:.0f} s; downs begin after {needed_s:.0f} s"
            return ruling(self, proposed, hold_downs(case, proposed), words, RulingEffect.HOLD)
        return ruling(self, proposed, proposed, f"watched for {watched_s:.0f} s")


def _needed_s(case: Case) -> float:
    """For how long a target must be watched. Where no replica was seen to start, nobody knows what one that is given
    back takes to come again, and the deadline that people set for it counts."""
    forecast, starts = case.inputs.forecast, case.inputs.cold_starts.values()
    if forecast is None:
        return ACQUAINTANCE_S
    unknown_s = 0.0 if any(start.samples for start in starts) else case.target.policy.pending_deadline_s
    return max(ACQUAINTANCE_S, ACQUAINTANCE_WINDOWS * forecast.horizon_s, unknown_s)


class SpoolRule:
    """While an intent cannot be kept on disk nothing goes down: no patch without a trace. Ups proceed."""

    name = "spool"
    blind = True

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """See `Rule`."""
        fewer = [n for n, r in proposed.items() if r < case.current.get(n, r)]
        if not case.spool_writable and fewer:
            held = {n: max(r, case.current.get(n, r)) for n, r in proposed.items()}
            return ruling(self, proposed, held, "the spool cannot be written, so downs are held", RulingEffect.HOLD)
        return ruling(self, proposed, proposed, "the intent can be kept" if case.spool_writable else "no down")
