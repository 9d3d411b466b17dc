"""What becomes of the same Event said again and again."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from controlplane.adapters.event_correlator import BURST, REFILL_S, WINDOW_S, EventCorrelator
from controlplane.domain.status import Notice

HPA = Notice("Conflicted", "HPA chat scales it too", True)


def test_the_same_words_are_counted_on_one_event() -> None:
    correlator = EventCorrelator()
    first = correlator.correlate("default", "chat", HPA, 100.0)
    again = correlator.correlate("default", "chat", HPA, 160.0)
    assert first is not None
    assert again is not None
    assert (again.name, again.count, again.first_s, again.last_s) == (first.name, 2, 100.0, 160.0)
    other = correlator.correlate("default", "chat", Notice("Conflicted", "another", True), 160.0)
    assert other is not None
    assert other.name != first.name


def test_an_event_that_the_server_has_forgotten_is_made_anew() -> None:
    correlator = EventCorrelator()
    first = correlator.correlate("default", "chat", HPA, 0.0)
    late = correlator.correlate("default", "chat", HPA, WINDOW_S + 1.0)
    assert first is not None
    assert late is not None
    assert (late.count, late.name != first.name) == (1, True)
    correlator.forget("default", "chat", HPA)
    gone = correlator.correlate("default", "chat", HPA, WINDOW_S + 2.0)
    assert gone is not None
    assert gone.count == 1


def test_an_object_that_is_always_unwell_is_cut_to_one_in_five_minutes_and_others_are_not() -> None:
    correlator = EventCorrelator()
    said = [correlator.correlate("default", "chat", Notice("MetricsFault", str(n), True), float(n)) for n in range(100)]
    assert sum(one is not None for one in said) == BURST
    assert correlator.correlate("default", "other", HPA, 100.0) is not None
    assert correlator.correlate("default", "chat", HPA, 100.0 + REFILL_S) is not None


def test_memory_is_bounded() -> None:
    correlator = EventCorrelator(capacity=10)
    for number in range(1000):
        correlator.correlate("default", f"chat-{number}", HPA, float(number))
    assert (len(correlator._said), len(correlator._tokens)) == (10, 10)


NOTICES = st.builds(
    Notice, st.sampled_from(["ScaledUp", "Conflicted"]), st.sampled_from(["a", "b", "c"]), st.booleans()
)
HISTORY = st.lists(st.tuples(st.sampled_from(["x", "y"]), NOTICES, st.floats(0.0, 400.0)), max_size=120)


@given(HISTORY)
def test_every_write_counts_one_up_or_begins_and_no_object_has_too_many(
    history: list[tuple[str, Notice, float]],
) -> None:
    correlator, now_s = EventCorrelator(), 0.0
    counts: dict[str, int] = {}
    meaning: dict[str, tuple[str, Notice]] = {}
    written: Counter[str] = Counter()
    for name, notice, wait_s in history:
        now_s += wait_s
        found = correlator.correlate("default", name, notice, now_s)
        if found is None:
            continue
        written[name] += 1
        # A name means the same words of the same object for ever, and its count goes up by one at a time.
        assert meaning.setdefault(found.name, (name, notice)) == (name, notice)
        assert found.count == counts.get(found.name, 0) + 1
        assert found.first_s <= found.last_s == now_s
        counts[found.name] = found.count
    for total in written.values():
        assert total <= BURST + now_s / REFILL_S + 1e-6
