"""Canaries of variants: a candidate decides for some variants of a target, the Live version for the others.

It is on the way of the tick, so it has a time: what is late or fails is left out, counted, and the Live version's
decision is carried out.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace

from controlplane.controller.seen import Seen
from controlplane.domain.governed import Governed, pinned, trial_of
from controlplane.domain.ports import Candidate
from controlplane.domain.target import Target
from controlplane.planning.stepper import GroupStepper, Step

TRIAL_REAL_S = 5.0
"""Real seconds that a canary's plan may take: hundreds of targets are planned in less."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Trials:
    """Steps groups that have a canary of variants. `known` are the policies' versions as they were last read."""

    known: tuple[Governed, ...] = ()
    limit_real_s: float = TRIAL_REAL_S
    failed: int = 0
    """Steps that were late or broke."""
    _steppers: dict[str, GroupStepper] = field(default_factory=dict)

    async def decide(self, live: GroupStepper, step: Step, seen: Seen) -> tuple[Step, GroupStepper | None]:
        """The step that is to be carried out and the stepper that made it; None: the Live versions' own stepper.

        All targets of the group are decided together with the candidates in their places, so that what is recorded
        is one plan and replays as one.
        """
        chosen = self._chosen(seen)
        if not chosen:
            self._steppers.pop(seen.group, None)
            return step, None
        if seen.group not in self._steppers:
            self._steppers[seen.group] = live.fork()
        stepper = self._steppers[seen.group]
        stepper.follow(live)
        desired = {decision.target: decision.desired for decision in step.outcome.decisions}
        views = seen
        for candidate, of_live, scope in chosen:
            held = pinned(candidate.target, of_live, scope, desired[of_live.key])
            views = replace(views, views=views.with_candidate(replace(candidate, target=held)))
        try:
            async with asyncio.timeout(self.limit_real_s):
                args = (seen.now_s, views.views, seen.state.inventory, seen.writable)
                return await asyncio.to_thread(stepper.step, *args), stepper
        except TimeoutError:
            words = f"was not done in {self.limit_real_s:.0f} s"
        except Exception as error:  # noqa: BLE001 (a candidate that breaks must not break the tick)
            words = f"broke: {error!r}"
        # A late thread still turns its stepper, so that one is not used again.
        del self._steppers[seen.group]
        self.failed += 1
        _log.error("the canary of group %s %s; the live version decides", seen.group, words)
        return step, None

    def untouched(self, seen: Seen) -> list[str]:
        """Keys of the group's targets that have no canary."""
        chosen = {target.key for _, target, _ in self._chosen(seen)}
        return [view.target.key for view in seen.views if view.target.key not in chosen]

    def forget(self) -> None:
        """Of every stepper: another has led since."""
        self._steppers.clear()

    def _chosen(self, seen: Seen) -> list[tuple[Candidate, Target, tuple[str, ...]]]:
        """Candidates, whose target they share, and for which variants they decide."""
        found = []
        for target in (view.target for view in seen.views):
            governed = trial_of(self.known, target, seen.now_s)
            if governed is None or governed.canary is None:
                continue
            mine = [c for c in seen.candidates() if c.target.key == target.key]
            found += [
                (one, target, governed.canary.variants)
                for one in mine
                if one.target.policy_version == governed.version_id
            ]
        return found
