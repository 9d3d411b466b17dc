"""Tells of every tick: the resource's status, its Events, and what the process shows of itself."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Collection
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
    """Works out what to say, says what is new, and remembers it. `real_s` gives real seconds."""

    def __init__(self, reporter: Reporter, board: Board, clock: Clock, real_s: Callable[[], float]) -> None:
        self._reporter = reporter
        self.board = board
        self._clock = clock
        self._real_s = real_s
        self._said: dict[str, _Said] = {}
        self._problems: dict[str, tuple[str, str]] = {}
        """Reason and words of unusable resources by key, so that each is told once."""

    async def tell(self, told: Told) -> None:
        """What a tick came to."""
        target = told.tick.inputs.target
        said = await self._recalled(Resource(target.namespace, target.name, target.uid, target.generation))
        status = status_of(told, said.status)
        remind = told.tick.at_s - said.reminded_at_s >= REMIND_S
        self.board.show(told, status)
        for notice in notices(told, said.told, said.status, status, remind):
            await self._reporter.notify(said.resource, notice)
        if remind:
            said = replace(said, reminded_at_s=told.tick.at_s)
        await self._say(replace(said, told=told), status, acted=bool(told.tick.actuations))

    async def tell_off(self, target: Target) -> None:
        """That a target is Off."""
        said = await self._recalled(Resource(target.namespace, target.name, target.uid, target.generation))
        await self._say(said, status_of_off(target, self._clock.now_s(), said.status))

    async def tell_problems(self, problems: Collection[TargetProblem], reason: str) -> None:
        """That resources cannot be used, each once, until it is mended or broken in another way."""
        words: dict[tuple[str, str], list[str]] = defaultdict(list)
        for problem in problems:
            words[problem.namespace, problem.name].append(f"{problem.field}: {problem.message}")
        for (namespace, name), said in words.items():
            await self._tell_once(Resource(namespace, name), reason, "; ".join(said))

    def keep(self, keys: Collection[str], broken: Collection[str]) -> None:
        """Forget resources that are not among `keys`, and problems of those that are not `broken` any more."""
        self._said = {key: said for key, said in self._said.items() if key in keys}
        self._problems = {key: words for key, words in self._problems.items() if key in broken}

    async def _tell_once(self, resource: Resource, reason: str, words: str) -> None:
        if self._problems.get(resource.key) == (reason, words):
            return
        _log.warning("%s is not planned: %s", resource.key, words)
        if await self._tell_problem(resource, reason, words):
            self._problems[resource.key] = (reason, words)

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
