"""A target that the ledger never saw starts with what a Prometheus knows of it."""

from __future__ import annotations

import pytest

from controlplane.adapters.clock import ManualClock
from controlplane.adapters.prometheus_history import FakeHistory
from controlplane.adapters.snapshot import MemorySnapshot
from controlplane.controller.bookkeeping import Bookkeeping
from controlplane.controller.directing import Directing
from controlplane.domain.observation import Inventory
from controlplane.domain.ports import ClusterState
from controlplane.planning.load_history import BIN_S, MAX_BINS, QUANTITIES
from controlplane.planning.stepper import GroupStepper
from controlplane.store.directives import MemoryDirectives
from controlplane.store.ledger import MemoryLedger
from forecasters.types import Series
from tests.builders import NOW_S, make_target

PAST = {name: Series(NOW_S - 600.0, BIN_S, (1.0, 2.0, None, 4.0)) for name in QUANTITIES}


class KnowingLedger(MemoryLedger):
    """A ledger that has a history already."""

    def load_history(self, target: str, since_s: float) -> dict[str, Series]:
        return {name: Series(NOW_S - 120.0, BIN_S, (9.0,)) for name in QUANTITIES}


async def started(past: FakeHistory | None, ledger: MemoryLedger) -> GroupStepper:
    stepper = GroupStepper("default")
    books = Bookkeeping(ledger, ManualClock(NOW_S), lambda: 0.0, Directing(MemoryDirectives(), MemorySnapshot()), past)
    state = ClusterState((make_target(),), (), {}, {}, {}, Inventory())
    for _ in range(2):
        await books.before(state, lambda _: stepper)
    return stepper


def history_of(stepper: GroupStepper) -> dict[str, Series]:
    return stepper._known["default/chat"].history.series()


async def test_what_the_ledger_does_not_have_is_asked_for_once() -> None:
    past = FakeHistory({"default/chat": PAST})
    stepper = await started(past, MemoryLedger())
    assert history_of(stepper)["requests_per_s"].values == (1.0, 2.0, None, 4.0)
    assert past.asked == [("default/chat", NOW_S - MAX_BINS * BIN_S, NOW_S)]


async def test_what_the_ledger_has_is_not_asked_for() -> None:
    past = FakeHistory({"default/chat": PAST})
    stepper = await started(past, KnowingLedger())
    assert history_of(stepper)["requests_per_s"].values == (9.0,)
    assert past.asked == []


@pytest.mark.parametrize("past", [None, FakeHistory({}), FakeHistory({"default/chat": PAST}, away=True)])
async def test_without_anybody_who_knows_it_starts_all_the_same(past: FakeHistory | None) -> None:
    stepper = await started(past, MemoryLedger())
    assert stepper.knows("default/chat")
    assert history_of(stepper) == {}
