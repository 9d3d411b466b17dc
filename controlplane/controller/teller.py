"""Tells of every tick: the resource's status, its Events, and what the process shows of itself.

A tick only leaves word here; it never waits for a status. After a take-over there are hundreds of them to read and to
write through a client that is limited to some 20 requests a second, and the next decision must not stand in that queue.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace

from controlplane.controller.board import Board
from controlplane.domain.ports import Clock, Reporter, Resource, TargetProblem
from controlplane.domain.status import TargetStatus, Told
from controlplane.domain.target import Target
from controlplane.planning.notices import REMIND_S, notices, transitions
from controlplane.planning.status import is_news, status_of, status_of_off, status_of_problem

WRITE_EVERY_REAL_S = 60.0
"""Real seconds after which a status is written although no state of it changed: 500 targets are then 8 writes a
second, and what `kubectl get` shows is at most a minute old."""
REMEMBER_REAL_S = 300.0
"""Real seconds after which what was said last is read anew: somebody else led in between, and has said more."""

AT_ONCE = 8
"""Resources that are told of at once: enough to keep a limited client busy, few enough to leave it to patches."""

PILE = 20
"""Words of one resource that may wait: five minutes of ticks; then the oldest are left unsaid."""

_Work = Callable[[bool], Awaitable[None]]
"""Tells one thing; given whether it is the last that was heard of its resource."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Said:
    """What was said of one resource last, and when (real seconds; `reminded_at_s` is of the clock)."""

    resource: Resource
    status: TargetStatus | None
    """As it was worked out last."""
    written: TargetStatus | None
    """As the cluster has it."""
    written_at_real_s: float | None
    seen_at_real_s: float
    reminded_at_s: float
    told: Told | None = None


class Teller:
    """Works out what to say, says what is new, and remembers it. `real_s` gives real seconds.

    `hear` and its like take word; `run` (or `settle`, in tests) passes it on, in order for each resource. What is not
    passed on when the process ends is not told: the next one to lead tells what is so then.
    """

    def __init__(self, reporter: Reporter, board: Board, clock: Clock, real_s: Callable[[], float]) -> None:
        self._reporter = reporter
        self.board = board
        self._clock = clock
        self._real_s = real_s
        self._said: dict[str, _Said] = {}
        self._problems: dict[str, tuple[int, str, str]] = {}
        """Generation, reason and words of unusable resources by key, so that each is told once."""
        self._due: dict[str, list[_Work]] = {}
        self._heard = asyncio.Event()

    def hear(self, told: Told) -> None:
        """What a tick came to; the board shows it at once."""
        key, said = told.tick.inputs.target.key, self._said.get(told.tick.inputs.target.key)
        self.board.show(told, status_of(told, said.status if said else None))
        self._queue(key, lambda is_last: self.tell(told, is_last))

    def hear_off(self, target: Target) -> None:
        """That a target is Off."""
        self._queue(target.key, lambda _: self.tell_off(target))

    def hear_problems(self, problems: Collection[TargetProblem], reason: str) -> None:
        """That resources cannot be used; `reason` is one CamelCase word."""
        words: dict[Resource, list[str]] = defaultdict(list)
        for problem in problems:
            resource = Resource(problem.namespace, problem.name, generation=problem.generation)
            words[resource].append(f"{problem.field}: {problem.message}")
        for resource, said in words.items():
            self._queue(resource.key, self._problem_work(resource, reason, "; ".join(said)))

    async def run(self) -> None:
        """Pass on what was heard, until cancelled."""
        while True:
            await self._heard.wait()
            await self.settle()

    async def settle(self) -> None:
        """Pass on everything that was heard."""
        gate = asyncio.Semaphore(AT_ONCE)
        while self._due:
            due, self._due = self._due, {}
            self._heard.clear()
            await asyncio.gather(*(self._pass_on(gate, key, works) for key, works in due.items()))

    async def _pass_on(self, gate: asyncio.Semaphore, key: str, works: Sequence[_Work]) -> None:
        async with gate:
            for place, work in enumerate(works, 1):
                try:
                    await work(place == len(works))
                except Exception:  # noqa: BLE001 (the edge: what cannot be told must not end what decides)
                    _log.exception("%s could not be told of", key)

    def _queue(self, key: str, work: _Work) -> None:
        works = self._due.setdefault(key, [])
        works.append(work)
        del works[:-PILE]
        self._heard.set()

    def _problem_work(self, resource: Resource, reason: str, words: str) -> _Work:
        return lambda _: self._tell_once(resource, reason, words)

    async def tell(self, told: Told, is_last: bool = True) -> None:
        """What a tick came to; where it is not the last that was heard, its Events alone."""
        target = told.tick.inputs.target
        said = await self._recalled(Resource(target.namespace, target.name, target.uid, target.generation))
        status = status_of(told, said.status)
        remind = told.tick.at_s - said.reminded_at_s >= REMIND_S
        for notice in notices(told, said.told, said.status, status, remind):
            await self._reporter.notify(said.resource, notice)
        if remind:
            said = replace(said, reminded_at_s=told.tick.at_s)
        said = replace(said, told=told)
        if is_last:
            await self._say(said, status, acted=bool(told.tick.actuations))
        else:
            self._said[said.resource.key] = replace(said, status=status)

    async def tell_off(self, target: Target) -> None:
        """That a target is Off."""
        said = await self._recalled(Resource(target.namespace, target.name, target.uid, target.generation))
        await self._say(said, status_of_off(target, self._clock.now_s(), said.status))

    def keep(self, keys: Collection[str], broken: Collection[str]) -> None:
        """Forget resources that are not among `keys`, and problems of those that are not `broken` any more."""
        self._said = {key: said for key, said in self._said.items() if key in keys}
        self._problems = {key: words for key, words in self._problems.items() if key in broken}

    async def _tell_once(self, resource: Resource, reason: str, words: str) -> None:
        said = (resource.generation, reason, words)
        if self._problems.get(resource.key) == said:
            return
        _log.warning("%s is not planned: %s", resource.key, words)
        if await self._tell_problem(resource, reason, words):
            self._problems[resource.key] = said

    async def _tell_problem(self, resource: Resource, reason: str, words: str) -> bool:
        """Whether it was told."""
        recalled = await self._reporter.recall(resource.namespace, resource.name)
        if recalled is None:
            return False
        resource, before = recalled  # its uid and generation, which a problem does not know
        now_s = self._clock.now_s()
        status = status_of_problem(reason, words, resource.generation, now_s, before)
        for notice in transitions(before, status, remind=True):
            await self._reporter.notify(resource, notice)
        self._said.pop(resource.key, None)
        return await self._reporter.write(resource, status)

    async def _recalled(self, resource: Resource) -> _Said:
        """What was said last; read from the cluster where that is not known, or was long ago."""
        real_s, said = self._real_s(), self._said.get(resource.key)
        if said is not None and said.resource.uid == resource.uid and real_s - said.seen_at_real_s < REMEMBER_REAL_S:
            return replace(said, resource=resource, seen_at_real_s=real_s)
        recalled = await self._reporter.recall(resource.namespace, resource.name)
        before = recalled[1] if recalled else None
        return _Said(resource, before, before, None, real_s, self._clock.now_s())

    async def _say(self, said: _Said, status: TargetStatus, acted: bool = False) -> None:
        """Write it if something was done, if a state of it is news, or if the last writing is long ago."""
        real_s = said.seen_at_real_s
        late = said.written_at_real_s is None or real_s - said.written_at_real_s >= WRITE_EVERY_REAL_S
        said, due = replace(said, status=status), acted or late or is_news(said.written, status)
        if due and status != said.written and await self._reporter.write(said.resource, status):
            said = replace(said, written=status, written_at_real_s=real_s)
        self._said[said.resource.key] = said
