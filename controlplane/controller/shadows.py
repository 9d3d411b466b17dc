"""Versions that decide beside the one that is carried out, and what they would have done.

They are stepped in a thread of their own, one round at a time and behind the tick: a round that is not over when the
next one is due lets that one go by. Nothing of it is waited for, and nothing that breaks in it reaches the loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from controlplane.controller.seen import Seen
from controlplane.domain.decision import Tick
from controlplane.domain.governed import ShadowTick, shadow_tick
from controlplane.domain.ports import Candidate
from controlplane.planning.stepper import GroupStepper

MOST_KEPT = 5000
"""Rows that wait for a ledger that is away: some hours of a few shadows. Older ones are left out: they compare, and
are no evidence."""
MOST_AT_ONCE = 32
"""Candidates of one group that are stepped at a tick: what is beyond them would never be done before the next one."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Shadows:
    """Steps candidates. Counters are of rounds that were done, went by or broke, and of rows that were left out."""

    done: int = 0
    went_by: int = 0
    broke: int = 0
    left_out: int = 0
    _rows: deque[ShadowTick] = field(default_factory=deque)
    _steppers: dict[tuple[str, str], GroupStepper] = field(default_factory=dict)
    _under_way: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def offer(self, live: GroupStepper, seen: Seen, ticks: Sequence[Tick]) -> None:
        """A tick that is over. Returns at once."""
        by_key = {tick.inputs.target.key: tick for tick in ticks}
        deciders = {(key, tick.policy_version) for key, tick in by_key.items()}
        candidates = [c for c in seen.candidates() if (c.target.key, c.target.policy_version) not in deciders]
        if not candidates:
            return
        before = self._under_way.get(seen.group)
        if before is not None and not before.done():
            self.went_by += 1
            return
        round_ = [(one, self._stepper(live, one, seen.group)) for one in candidates[:MOST_AT_ONCE]]
        self.left_out += len(candidates) - len(round_)
        self._under_way[seen.group] = asyncio.create_task(self._turn(round_, seen, by_key))

    def take(self) -> list[ShadowTick]:
        """The rows that there are; they are the caller's now."""
        taken = list(self._rows)
        self._rows.clear()
        return taken

    def give_back(self, rows: Sequence[ShadowTick]) -> None:
        """Rows that could not be kept yet."""
        self._rows.extendleft(reversed(rows))
        while len(self._rows) > MOST_KEPT:
            self._rows.popleft()
            self.left_out += 1

    def keep(self, versions: set[str]) -> None:
        """Forget the steppers of versions that do not run beside any more."""
        for key in [key for key in self._steppers if key[1] not in versions]:
            del self._steppers[key]

    async def settle(self) -> None:
        """Wait for the rounds that are under way: for tests, and for the end."""
        await asyncio.gather(*self._under_way.values())

    def _stepper(self, live: GroupStepper, one: Candidate, group: str) -> GroupStepper:
        """Its own, with its own memory from here on."""
        version = one.target.policy_version or ""
        key = (f"{group}/{one.target.key}", version)
        if key not in self._steppers:
            self._steppers[key] = live.fork()
        self._steppers[key].follow(live)
        return self._steppers[key]

    async def _turn(
        self, round_: Sequence[tuple[Candidate, GroupStepper]], seen: Seen, ticks: Mapping[str, Tick]
    ) -> None:
        for one, stepper in round_:
            try:
                row = await asyncio.to_thread(_row, one, stepper, seen, ticks[one.target.key])
            except Exception as error:  # noqa: BLE001 (a candidate that breaks is counted, and disturbs nobody)
                self.broke += 1
                _log.error("version %s of %s broke in shadow: %r", one.target.policy_version, one.target.key, error)
            else:
                self._rows.append(row)
        self.done += 1


def _row(one: Candidate, stepper: GroupStepper, seen: Seen, live: Tick) -> ShadowTick:
    step = stepper.step(seen.now_s, seen.with_candidate(one), seen.state.inventory, seen.writable)
    place = [inputs.target.key for inputs in step.inputs.targets].index(one.target.key)
    return shadow_tick(one.target, step.outcome.plans[place], step.outcome.decisions[place], live)
