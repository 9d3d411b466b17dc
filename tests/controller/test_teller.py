"""When something is told, and when it is not."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from controlplane.adapters.clock import ManualClock
from controlplane.adapters.kube_reporter import FakeReporter
from controlplane.controller.board import Board
from controlplane.controller.teller import REMEMBER_REAL_S, WRITE_EVERY_REAL_S, Teller
from controlplane.domain.observation import Conflict, ConflictKind, Surroundings
from controlplane.domain.ports import Resource, TargetProblem
from controlplane.domain.status import ConditionType, TargetStatus, Told
from controlplane.planning.notices import REMIND_S
from tests.builders import NOW_S, make_target, make_tick

KEY = "default/chat"
HPA = Surroundings((Conflict(ConflictKind.HPA, "h100", "chat"),))


class Scene:
    def __init__(self) -> None:
        self.clock = ManualClock(NOW_S)
        self.reporter = FakeReporter()
        self.board = Board(self.clock)
        self.real_s = 0.0
        self.teller = Teller(self.reporter, self.board, self.clock, lambda: self.real_s)

    async def tick(
        self,
        later_s: float = 15.0,
        around: Surroundings | None = None,
        attainment: float | None = 0.99,
        settle: bool = True,
    ) -> None:
        """One tick a while later, in real and in clock seconds."""
        self.clock.advance(later_s)
        self.real_s += later_s
        one = make_tick(at_s=self.clock.now_s())
        seen = replace(one.inputs.observation, attainment=attainment)
        inputs = replace(one.inputs, observation=seen, surroundings=around or Surroundings())
        self.teller.hear(Told(replace(one, inputs=inputs)))
        if settle:
            await self.teller.settle()

    @property
    def reasons(self) -> list[str]:
        return [notice.reason for _, notice in self.reporter.notices]


async def test_what_stays_the_same_is_written_once_a_minute() -> None:
    scene = Scene()
    for turn in range(13):  # three minutes of ticks
        await scene.tick(attainment=0.9 + turn / 1000.0)
    assert len(scene.reporter.written) == 1 + int(12 * 15.0 / WRITE_EVERY_REAL_S)


async def test_news_is_written_at_once() -> None:
    scene = Scene()
    await scene.tick()
    await scene.tick(around=HPA)
    await scene.tick(around=HPA)
    await scene.tick()
    assert len(scene.reporter.written) == 3
    assert scene.reasons == ["Conflicted", "Recovered"]


async def test_what_could_not_be_written_is_written_at_the_next_tick() -> None:
    scene = Scene()
    scene.reporter.away = True
    await scene.tick()
    scene.reporter.away = False
    await scene.tick()
    assert len(scene.reporter.written) == 1


async def test_a_state_that_lasts_is_told_again_after_ten_minutes() -> None:
    scene = Scene()
    for _ in range(int(2 * REMIND_S / 15.0)):
        await scene.tick(around=HPA)
    assert scene.reasons == ["Conflicted"] * 2


async def test_who_takes_over_goes_on_from_what_the_cluster_says() -> None:
    scene = Scene()
    await scene.tick(around=HPA)
    begun_s = scene.clock.now_s()
    scene.teller = Teller(scene.reporter, Board(scene.clock), scene.clock, lambda: scene.real_s)
    await scene.tick(around=HPA)
    conflicted = scene.reporter.statuses[KEY].condition(ConditionType.CONFLICTED)
    assert conflicted is not None
    assert conflicted.changed_at_s == begun_s
    assert scene.reasons == ["Conflicted"]


async def test_what_another_wrote_meanwhile_is_read_before_it_is_written_over() -> None:
    scene = Scene()
    await scene.tick()
    theirs = scene.reporter.statuses[KEY]
    changed = tuple(replace(c, changed_at_s=1.0) for c in theirs.conditions)
    scene.reporter.statuses[KEY] = replace(theirs, conditions=changed)
    await scene.tick(later_s=REMEMBER_REAL_S)
    assert {c.changed_at_s for c in scene.reporter.statuses[KEY].conditions} == {1.0}


async def test_a_problem_is_told_once_until_it_changes_or_comes_again() -> None:
    scene = Scene()
    wrong = TargetProblem("default", "chat", "spec.model", "is 'x'")
    two = [wrong, TargetProblem("default", "chat", "spec.slo", "is missing")]
    for problems in ([wrong], [wrong], two, two):
        scene.teller.hear_problems(problems, "InvalidSpec")
        await scene.teller.settle()
    assert [s.reason for _, s in scene.reporter.written] == [
        "spec.model: is 'x'",
        "spec.model: is 'x'; spec.slo: is missing",
    ]
    await scene.tick()
    assert scene.reasons == ["InvalidSpec", "InvalidSpec", "Recovered"]
    scene.teller.keep({KEY}, set())
    scene.teller.hear_problems([wrong], "InvalidSpec")
    await scene.teller.settle()
    assert scene.reasons[-1] == "InvalidSpec"
    ready = scene.reporter.statuses[KEY].condition(ConditionType.READY)
    assert ready is not None
    assert (ready.status, ready.observed_generation) == ("False", 1)


async def test_a_resource_that_was_edited_and_is_still_wrong_is_told_again() -> None:
    scene = Scene()
    for generation in (1, 1, 2):
        scene.teller.hear_problems(
            [TargetProblem("default", "chat", "spec.model", "is 'x'", generation)], "InvalidSpec"
        )
        await scene.teller.settle()
    assert len(scene.reporter.written) == 2


async def test_off_is_said_once_and_its_figures_go() -> None:
    scene = Scene()
    await scene.tick()
    ticked_s = scene.clock.now_s()
    for _ in range(9):
        scene.real_s += 15.0
        scene.teller.hear_off(make_target())
        await scene.teller.settle()
    assert len(scene.reporter.written) == 2
    status = scene.reporter.statuses[KEY]
    assert (status.desired, status.verdict, status.at_s) == (None, None, ticked_s)


async def test_what_piled_up_is_told_in_order_and_only_the_last_status_is_written() -> None:
    scene = Scene()
    await scene.tick(settle=False)
    await scene.tick(around=HPA, settle=False)
    await scene.tick(settle=False)
    assert scene.board.shown[KEY].told.tick.at_s == scene.clock.now_s()  # shown at once
    assert scene.reporter.written == []
    await scene.teller.settle()
    assert scene.reasons == ["Conflicted", "Recovered"]
    assert [status.at_s for _, status in scene.reporter.written] == [scene.clock.now_s()]


class _Broken(FakeReporter):
    async def write(self, resource: Resource, status: TargetStatus) -> bool:
        raise RuntimeError("on purpose")


async def test_what_cannot_be_told_ends_nothing() -> None:
    scene = Scene()
    scene.teller = Teller(_Broken(), scene.board, scene.clock, lambda: scene.real_s)
    task = asyncio.ensure_future(scene.teller.run())
    await scene.tick(settle=False)
    await asyncio.sleep(0.01)
    assert not task.done()
    scene.teller = Teller(scene.reporter, scene.board, scene.clock, lambda: scene.real_s)
    await scene.tick()
    assert len(scene.reporter.written) == 1
    task.cancel()
