"""Pages that repeat the one before, and requests that gave up: what tells nothing is no zero."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controlplane.domain.observation import FaultKind, Histogram, Observation, Sample
from controlplane.observing import SampleWindow, observe, read_page
from controlplane.observing.scrape import MOVES, NAMED_AFTER_S
from controlplane.observing.window import MIX_WINDOW_S, PATIENCE_S
from tests.builders import NOW_S, make_target
from tests.observing.engine_pages import TRTLLM_PAGE
from tests.observing.test_observe import STEP_S, play, ready, sample

RPS = 2.0


def scrapes(frozen: range, steps: int, names: tuple[str, ...] = ("r1",), **page: Any) -> list[list[Sample]]:
    """A steady load, of which the pages stand still at the steps of `frozen`."""
    told = [min(place, frozen.start - 1) if place in frozen else place for place in range(steps)]
    return [
        [
            replace(sample(name, "h100", place * STEP_S, 500.0 + RPS * STEP_S * seen), at_s=place * STEP_S, **page)
            for name in names
        ]
        for place, seen in enumerate(told)
    ]


def seen_of(target_scrapes: list[list[Sample]], names: tuple[str, ...] = ("r1",)) -> Observation:
    return play(make_target(), ready(*names), target_scrapes)


@pytest.mark.parametrize("frozen_steps", [1, 4, 7])
def test_pages_that_stand_still_while_requests_run_are_missing_and_not_nought(frozen_steps: int) -> None:
    seen = seen_of(scrapes(range(6, 6 + frozen_steps), 6 + frozen_steps))
    assert seen.load is not None
    assert seen.load.requests_per_s == pytest.approx(RPS)
    assert [(fault.kind, fault.replica) for fault in seen.faults] == [(FaultKind.STALE, "r1")]
    assert f"{frozen_steps * STEP_S:.0f} s ago" in seen.faults[0].detail
    assert seen.coverage == 0.0


def test_what_stood_still_and_moves_again_has_its_counts_over_all_of_that_time() -> None:
    for frozen_steps in (1, 4, 7, 40):
        seen = seen_of(scrapes(range(6, 6 + frozen_steps), 7 + frozen_steps))
        assert seen.load is not None
        assert (seen.load.requests_per_s, seen.load.newest_rps) == (pytest.approx(RPS), None)
        assert (seen.faults, seen.coverage) == ((), 1.0)


def test_one_that_stands_still_is_taken_to_be_as_busy_as_the_rest() -> None:
    moving, still = scrapes(range(0), 12, ("r1", "r2")), scrapes(range(6, 12), 12, ("r3",))
    seen = seen_of([[*a, *b] for a, b in zip(moving, still, strict=True)], ("r1", "r2", "r3"))
    assert seen.load is not None
    assert seen.load.requests_per_s == pytest.approx(3 * RPS)
    assert seen.coverage == pytest.approx(2 / 3)


def test_a_page_that_stands_still_for_ever_stays_known_as_such() -> None:
    still = scrapes(range(2, 90), 90)
    for steps in (30, 60, 90):
        assert steps * STEP_S > MIX_WINDOW_S
        seen = seen_of(still[:steps])
        assert (seen.load, seen.coverage) == (None, 0.0)
        assert FaultKind.STALE in {fault.kind for fault in seen.faults}


@pytest.mark.parametrize(
    "page",
    [
        {"running": 0.0},
        dict.fromkeys((*MOVES, "prompt_tokens", "generation_tokens", "ttft_s")),
    ],
    ids=["idle", "no counters of tokens"],
)
def test_an_idle_engine_and_a_page_without_tokens_may_stand_still(page: dict[str, Any]) -> None:
    seen = seen_of(scrapes(range(6, 20), 20, **page))
    assert (seen.faults, seen.coverage) == ((), 1.0)
    assert seen.variants[0].arrival_rps == 0.0


def test_an_engine_that_hangs_and_takes_more_is_no_page_that_stands_still() -> None:
    still = scrapes(range(6, 12), 12)
    filling = [[replace(one, waiting=float(max(0, place - 5)))] for place, (one,) in enumerate(still)]
    seen = seen_of(filling)
    assert (seen.faults, seen.coverage) == ((), 1.0)


def test_a_step_of_some_seconds_is_no_fault_where_pages_are_read_each_second() -> None:
    window, target = SampleWindow(), make_target()
    for second in range(90):
        told = second - second % 5  # moves every five seconds
        page = sample("r1", "h100", NOW_S + second, 500.0 + RPS * told)
        seen, window = observe(target, {"h100": 1}, ready("r1"), [page], window, NOW_S + second)
        assert (seen.faults, seen.coverage) == ((), 1.0)
    assert NAMED_AFTER_S > 5.0
    assert seen.load is not None
    assert seen.load.requests_per_s == pytest.approx(RPS, rel=0.1)


def test_replicas_that_go_while_nothing_is_told_do_not_take_their_load_with_them() -> None:
    names = ("r1", "r2", "r3", "r4")
    told = scrapes(range(0), 8, names)
    window, target = SampleWindow(), make_target()
    for place in range(14):
        now_s, left = NOW_S + place * STEP_S, names if place < 8 else names[:2]
        pages = [replace(s, at_s=now_s) for s in told[place]] if place < 8 else []
        seen, window = observe(target, {"h100": len(left)}, ready(*left), pages, window, now_s)
        assert place < 2 or (seen.load is not None and seen.load.requests_per_s == pytest.approx(4 * RPS))
    assert seen.coverage == 0.0, "no page came, so nobody sees what a smaller fleet makes of it"


def outage(waiting: float, queue_s: float = 10.0) -> list[list[Sample]]:
    """Short pages: 20 requests/s of 800 and 200 tokens are answered and 180 are aborted after `queue_s`."""
    short = {"ttft_s": None, "prompt_tokens": None, "generation_tokens": None}
    return [
        [
            replace(
                sample("r1", "h100", t, 1000.0 + 200.0 * t, waiting=waiting),
                aborted_total=100.0 + 180.0 * t,
                prompt_tokens_total=800.0 * (1000.0 + 20.0 * t),
                generation_tokens_total=200.0 * (1000.0 + 20.0 * t),
                **short,
            )
        ]
        for t in (STEP_S * place for place in range(8))
    ]


def test_who_gives_up_in_the_queue_came_and_makes_no_length_shorter() -> None:
    seen = seen_of(outage(waiting=1800.0))
    assert seen.load is not None
    assert seen.load.requests_per_s == pytest.approx(200.0)
    assert (seen.load.input_tokens, seen.load.output_tokens) == (pytest.approx(800.0), pytest.approx(200.0))
    assert seen.variants[0].finished_rps == pytest.approx(20.0)


def test_where_nobody_waits_those_that_were_aborted_were_being_answered() -> None:
    """A person who has read enough: the tokens are of all that were answered, aborted ones too."""
    for waiting, left_out in ((0.0, 0.0), (9.0, 9.0 / PATIENCE_S)):
        seen = seen_of(outage(waiting))
        assert seen.load is not None
        assert seen.load.input_tokens == pytest.approx(800.0 * 20.0 / (200.0 - left_out))


def test_since_the_start_too_the_aborted_are_left_out() -> None:
    idle = [replace(one, running=0.0, waiting=0.0, at_s=t) for (one,) in outage(0.0)[-1:] for t in (0.0, 15.0)]
    seen = seen_of([[one] for one in idle])
    assert seen.load is not None
    total = idle[0].finished_total or 0.0
    assert seen.load.input_tokens == pytest.approx(
        (idle[0].prompt_tokens_total or 0.0) / (total - (idle[0].aborted_total or 0.0))
    )


def test_gaps_between_tokens_are_of_those_that_were_answered() -> None:
    def page(one: Sample) -> Sample:
        gaps = 200.0 * (1000.0 + 20.0 * one.at_s)
        return replace(one, itl_s=Histogram((0.05, 0.1), (gaps / 2, gaps), 0.05 * gaps, gaps))

    tpot = seen_of([[page(one)] for (one,) in outage(1800.0)]).variants[0].tpot
    assert tpot is not None
    assert tpot.count == pytest.approx(20.0 * 60.0)


def test_aborts_are_read_from_the_label_and_stay_among_the_finished() -> None:
    page = (
        'vllm:request_success_total{finished_reason="stop"} 30\nvllm:request_success_total{finished_reason="abort"} 7\n'
    )
    read = read_page(page.encode(), "r1", "h100", 0.0)
    assert (read.finished_total, read.aborted_total) == (37.0, 7.0)
    spoiled = read_page(page.replace(" 7", " NaN").encode(), "r1", "h100", 0.0)
    assert (spoiled.finished_total, spoiled.aborted_total) == (None, None)
    assert [f.kind for f in spoiled.faults].count(FaultKind.NOT_FINITE) == 1
    text = TRTLLM_PAGE.text.replace('finished_reason="length"', 'finished_reason="cancelled"')
    assert read_page(text.encode(), "r1", "h100", 0.0).aborted_total == 1.0
    assert read_page(TRTLLM_PAGE.text.encode(), "r1", "h100", 0.0).aborted_total is None
