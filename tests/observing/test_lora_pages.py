"""What pages tell of LoRA adapters, in vLLM's own lines, and every way in which they can be wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.domain.observation import FaultKind, LoraPage, LoraUse, Sample
from controlplane.observing import read_page
from controlplane.observing.adapter_use import LATELY_S, lora_use
from tests.observing.test_pages import PAGE

HEAD = """\
# HELP vllm:lora_requests_info Running stats on lora requests.
# TYPE vllm:lora_requests_info gauge
"""
NOW_S = 1.789828498802105e9
"""Of a line that vLLM 0.29 printed."""


def state(running: str, waiting: str = "", at_s: float | str = NOW_S, slots: str = "2") -> str:
    """As `prometheus_client` writes it for vllm/v1/metrics/loggers.py: labels by the alphabet, names by commas."""
    labels = f'max_lora="{slots}",running_lora_adapters="{running}",waiting_lora_adapters="{waiting}"'
    return f"vllm:lora_requests_info{{{labels}}} {at_s!r}\n".replace("'", "")


def read(*states: str) -> Sample:
    return read_page((PAGE + HEAD + "".join(states)).encode(), "r1", "h100", 100.0)


def lora(*states: str) -> LoraPage | None:
    sample = read(*states)
    assert sample.faults == ()
    assert sample.running == 3.0
    return sample.lora


def test_a_line_of_vllm_is_read() -> None:
    line = (
        'vllm:lora_requests_info{max_lora="2",running_lora_adapters="alpaca",waiting_lora_adapters="alpaca"} '
        "1.789828498802105e+09\n"
    )
    assert lora(line) == LoraPage(2, ("alpaca",), ("alpaca",))


def test_the_newest_state_counts_wherever_it_stands() -> None:
    states = state("a,b", "c"), state("d", at_s=NOW_S - 60.0), state("e", "f", NOW_S - LATELY_S)
    expected = LoraPage(2, ("a", "b", "c"), ("a", "b", "c", "d"), ("c",))
    assert lora(*states) == expected
    assert lora(*reversed(states)) == expected


def test_who_has_no_adapter_has_none() -> None:
    assert lora(state("", "")) == LoraPage(2, (), ())
    assert lora(state("", ""), state("a", at_s=NOW_S - 5.0)) == LoraPage(2, (), ("a",))


@pytest.mark.parametrize("page", [PAGE, PAGE + HEAD], ids=["without LoRA", "before the first request"])
def test_a_page_that_says_nothing_is_no_nought(page: str) -> None:
    sample = read_page(page.encode(), "r1", "h100", 100.0)
    assert (sample.lora, sample.faults) == (None, ())


@pytest.mark.parametrize("slots", ["", "0", "two", "-1", "1.5", "9" * 5000, "²"])
def test_slots_that_are_none_are_not_believed(slots: str) -> None:
    assert lora(state("a", slots=slots)) is None


def test_moments_that_cannot_be_are_named_and_nothing_is_guessed() -> None:
    for value, kind in (("NaN", FaultKind.NOT_FINITE), ("-1.0", FaultKind.NEGATIVE)):
        sample = read(state("a"), state("b", at_s=value))
        assert [(f.kind, f.metric) for f in sample.faults] == [(kind, "vllm:lora_requests_info")]
        assert sample.lora is None
        assert sample.running == 3.0
    twice = read(state("a"), state("a"))
    assert [f.kind for f in twice.faults] == [FaultKind.DUPLICATE]
    assert twice.lora is None


def test_several_processes_moments_are_sums_and_tell_no_age() -> None:
    assert lora(state("a", at_s=2.0 * NOW_S), state("b", at_s=NOW_S)) is None
    assert lora(state("a", at_s=3600.0), state("b", at_s=900.0)) == LoraPage(2, ("a",), ("a",))


def test_dozens_of_adapters_are_each_counted_once() -> None:
    names = [f"tenant-{n:02}" for n in range(60)]
    page = lora(state(",".join(names[:16]), ",".join(names[8:]), slots="16"))
    assert page == LoraPage(16, tuple(names), tuple(names), tuple(names[16:]))
    assert lora(state(",".join(f"n{n}" for n in range(5000)), slots="16")) is not None


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters=","), max_size=30), max_size=6))
def test_names_of_every_kind_are_kept_apart(names: list[str]) -> None:
    escaped = ",".join(names).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    labels = f'max_lora="4",running_lora_adapters="{escaped}",waiting_lora_adapters=""'
    body = f"{PAGE}{HEAD}vllm:lora_requests_info{{{labels}}} 1.7e9\n"
    page = read_page(body.encode(), "r1", "h100", 100.0).lora
    assert page is not None
    assert set(page.now) == {name.strip() for name in names} - {""}


def sample(at_s: float, requests: float | None, *now: str, slots: int = 2, lately: tuple[str, ...] = ()) -> Sample:
    page = LoraPage(slots, now, tuple(sorted({*now, *lately})))
    return Sample("r1", "h100", at_s, running=requests, waiting=0.0, lora=page)


def use_of(*histories: list[Sample]) -> LoraUse:
    use = lora_use(histories)
    assert use is not None
    return use


def test_use_is_of_one_replica_and_of_moments_with_requests() -> None:
    """Two adapters on two slots: nothing binds, so their shares are not asked for."""
    one = [sample(0.0, 2.0, "a"), sample(15.0, 2.0, "a", "b"), sample(30.0, 0.0, "a", "b")]
    assert use_of(one) == LoraUse(2, 2, 1.5)


def test_a_router_that_keeps_adapters_together_is_seen_to() -> None:
    """Two replicas with two adapters each need two slots each, not four."""
    use = use_of([sample(0.0, 9.0, "a", "b")], [sample(0.0, 9.0, "c", "d", slots=3)])
    assert (use.slots, use.adapters) == (2, 2)


def three_on_one_slot(rounds: int) -> LoraUse:
    """Batches of four in which a always is, b in two of three and c in one: 2 of them in the mean."""
    sets = [("a",), ("a", "b"), ("a", "b", "c")] * rounds
    return use_of([sample(float(n), 4.0, *now, slots=1, lately=("b", "c")) for n, now in enumerate(sets)])


def test_shares_put_adapters_into_batches_as_often_as_they_were_there() -> None:
    use = three_on_one_slot(20)
    assert (use.slots, use.adapters, use.at_once) == (1, 3, 2.0)
    assert use.share is not None
    assert use.rest is not None
    assert use.share > 2.0 * use.rest
    assert use.share + 2.0 * use.rest <= 1.0 + 1e-6
    batch = 1.0 - (1.0 - use.share) ** 4.0 + 2.0 * (1.0 - (1.0 - use.rest) ** 4.0)
    assert batch == pytest.approx(2.0, abs=0.02)


def test_a_few_looks_do_not_tell_adapters_apart() -> None:
    use = three_on_one_slot(1)
    assert use.share == use.rest


def test_all_that_are_always_there_share_alike() -> None:
    """A queue in which all wait tells nothing of shares: even ones are the safe side."""
    use = use_of([sample(float(n), 300.0, "a", "b", "c", "d") for n in range(20)])
    assert use.share == pytest.approx(0.25)
    assert use.rest == pytest.approx(0.25)


def test_requests_of_the_base_model_take_no_slot() -> None:
    """100 requests that touch now these and now those 3 of 6 adapters: 1 - 0.5^(1/100), a 24th of the even share."""
    use = use_of([sample(float(n), 100.0, *("abc" if n % 2 else "def")) for n in range(20)])
    assert use.adapters == 6
    assert use.share == pytest.approx(1.0 - 0.5**0.01, rel=0.02)
    assert use.rest == pytest.approx(1.0 - 0.5**0.01, rel=0.02)


def test_one_request_that_never_gets_a_slot_is_not_a_fifth_of_all() -> None:
    """Two adapters run all the time and 1,000 requests are finished, while two of a third wait: 2 of 1,002."""
    page = LoraPage(2, ("a", "b", "c"), ("a", "b", "c"), ("c",))
    history = [
        Sample("r1", "h100", at_s, running=50.0, waiting=waits, finished_total=done, lora=page)
        for at_s, waits, done in ((0.0, 0.0, 0.0), (60.0, 1.0, 500.0), (120.0, 2.0, 1000.0))
    ]
    use = use_of(history)
    assert use.rest == pytest.approx(2 / 1002, rel=0.01)
    assert use.share == pytest.approx(0.5, rel=0.01)
    unknown = use_of([replace(one, finished_total=None) for one in history])
    assert unknown.rest == pytest.approx(1 / 3)


def test_who_does_not_tell_is_not_counted() -> None:
    silent = Sample("r2", "h100", 0.0, running=5.0)
    assert lora_use([[silent], []]) is None
    assert use_of([silent], [sample(0.0, None, "a", lately=("b", "c"))]) == LoraUse(2, 3)
    assert lora_use([[sample(0.0, 5.0, "a"), silent]]) is None


names = st.lists(st.sampled_from("abcdefgh"), max_size=8, unique=True)
pages = st.builds(
    lambda slots, now, past, held: LoraPage(slots, tuple(now), tuple({*now, *past}), tuple(now[:held])),
    st.integers(1, 6),
    names,
    names,
    st.integers(0, 8),
)
counts = st.none() | st.floats(0.0, 1e9)
samples = st.builds(
    lambda running, waiting, done, page: Sample("r", "v", 0.0, running, waiting, finished_total=done, lora=page),
    counts,
    counts,
    counts,
    st.none() | pages,
)


@given(st.lists(st.lists(samples, max_size=6), max_size=4))
def test_shares_are_shares_whatever_pages_say(histories: list[list[Sample]]) -> None:
    use = lora_use(histories)
    if use is None or use.share is None or use.rest is None:
        return
    assert use.adapters > use.slots
    assert use.share * (1.0 + 1e-9) >= use.rest >= 0.0
    assert use.slots * use.share + (use.adapters - use.slots) * use.rest <= 1.0 + 1e-6
