"""The load generator against a real server whose delays are known."""

from __future__ import annotations

import pytest

from controlplane.adapters.completion_stream import Endpoint, ServerError
from controlplane.adapters.openai_client import Extras, OpenAiClient
from controlplane.adapters.profiler import Load, Profiler, Search, served_model
from controlplane.domain.measurement import Measurement
from controlplane.domain.target import Slo
from tests.adapters.sse_server import Behaviour, serving

SLO = Slo(0.2, 0.05)


def client(url: str, endpoint: Endpoint = Endpoint.COMPLETIONS, key: str | None = None) -> OpenAiClient:
    return OpenAiClient(url, endpoint, key, timeout_s=10.0)


async def measured(
    behaviour: Behaviour, rate: float = 20.0, endpoint: Endpoint = Endpoint.COMPLETIONS, slo: Slo = SLO
) -> Measurement:
    with serving(behaviour) as url:
        async with client(url, endpoint) as opened:
            profiler = Profiler(opened, Load("tiny", 64, 10, slo, duration_s=1.0), lambda line: None)
            await profiler.prepare()
            return await profiler.measure(rate)


@pytest.mark.parametrize("endpoint", list(Endpoint))
async def test_the_servers_own_delays_are_measured(endpoint: Endpoint) -> None:
    run = await measured(Behaviour(ttft_s=0.05, tpot_s=0.01), endpoint=endpoint)
    assert run.failed == 0
    assert run.requests > 15
    assert run.ttft is not None
    assert run.tpot is not None
    assert run.itl is not None
    # Timers end late, never early; a busy machine adds some milliseconds.
    assert 0.0499 <= (run.ttft.p50_s or 0) < 0.08
    assert 0.0099 <= (run.tpot.p50_s or 0) < 0.02
    assert 0.0099 <= (run.itl.p50_s or 0) < 0.02
    assert run.output_tokens == 10
    # 64 were asked for: the words are chosen so that the server's own count comes to that.
    assert run.input_tokens == pytest.approx(64, abs=2)
    assert run.attainment == 1.0
    # Little's law: 20 requests/s of about 0.15 s
    assert run.concurrency == pytest.approx(3.0, rel=0.6)


async def test_every_prompt_is_new_and_of_the_length_that_was_asked_for() -> None:
    behaviour = Behaviour()
    await measured(behaviour)
    prompts = [str(body["prompt"]) for body in behaviour.seen[2:]]
    assert len(set(prompts)) == len(prompts)
    assert {len(prompt.split()) for prompt in prompts} == {29}  # 29 words of 2 tokens, and 7 of a template
    assert all(body["max_tokens"] == 10 and body["ignore_eos"] for body in behaviour.seen[2:])


async def test_the_same_seed_sends_the_same_load() -> None:
    first, second = Behaviour(), Behaviour()
    await measured(first)
    await measured(second)
    assert sorted(str(b["prompt"]) for b in first.seen) == sorted(str(b["prompt"]) for b in second.seen)


async def test_a_server_without_usage_is_counted_by_chunks() -> None:
    run = await measured(Behaviour(usage=False))
    assert run.output_tokens == 10
    assert run.input_tokens is None
    assert any("no usage" in note for note in run.notes)


@pytest.mark.parametrize("refuses", [("ignore_eos",), ("ignore_eos", "stream_options")])
async def test_what_a_server_does_not_take_is_left_out(refuses: tuple[str, ...]) -> None:
    with serving(Behaviour(refuses=refuses)) as url:
        async with client(url) as opened:
            await opened.probe("tiny", "a prompt", 4)
            assert opened.extras == Extras(usage="stream_options" not in refuses, ignore_eos=False)


async def test_server_errors_are_counted_and_never_good() -> None:
    run = await measured(Behaviour(fails_every=4))
    assert 0 < run.failed < run.requests
    assert run.attainment == pytest.approx(1 - run.failed / run.requests)
    assert run.notes[0] == f"{run.failed} failed: /v1/completions answered 500: CUDA out of memory"


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        (Behaviour(cuts_after=3), "cannot be reached"),
        (Behaviour(cuts_after=0), "cannot be reached"),
        (Behaviour(ends_after=3), "/v1/completions: the stream broke off"),
        (Behaviour(ends_after=0), "/v1/completions: the stream ended without a token"),
        (Behaviour(error_event=True), "/v1/completions: engine died"),
        (Behaviour(models=("other",)), "The model `tiny` does not exist."),
        (Behaviour(refuses=("model",)), "answered 400: extra field model"),
    ],
)
async def test_a_server_that_cannot_serve_one_request_is_not_measured(behaviour: Behaviour, message: str) -> None:
    with pytest.raises(ServerError) as error:
        await measured(behaviour)
    assert message in str(error.value)


async def test_a_request_that_misses_a_limit_is_not_good() -> None:
    run = await measured(Behaviour(ttft_s=0.05), slo=Slo(0.04, 0.05))
    assert run.failed == 0
    assert run.attainment == 0.0
    assert run.goodput_rps == 0.0
    assert (run.throughput_rps or 0) > 5


async def test_bisection_finds_what_the_server_can_do() -> None:
    # 2 slots, each held for 20 + 9 * 5 ms and some overhead: a little under 30 requests/s, less what waiting costs.
    with serving(Behaviour(slots=2)) as url:
        async with client(url) as opened:
            load = Load("tiny", 16, 10, Slo(0.15, 0.05, attainment=0.9), duration_s=0.8)
            profiler = Profiler(opened, load, lambda line: None)
            await profiler.prepare()
            runs = await profiler.search(Search(start_rps=20.0, tolerance=0.5, max_runs=6))
    met = [run.rate_rps or 0.0 for run in runs if (run.attainment or 0.0) >= 0.9]
    missed = [run.rate_rps or 0.0 for run in runs if (run.attainment or 0.0) < 0.9]
    assert met
    assert missed
    assert 5 <= max(rate for rate in met if rate < min(missed)) <= 31
    assert 10 <= min(missed) <= 62


@pytest.mark.parametrize(
    ("behaviour", "asked", "key", "message"),
    [
        (Behaviour(models=("a", "b")), None, None, "--model is None; allowed: a, b"),
        (Behaviour(models=("a", "b")), "c", None, "--model is 'c'; allowed: a, b"),
        (Behaviour(models=()), None, None, "the server serves no model"),
        (Behaviour(api_key="k"), None, None, "answered 401: no such key; allowed: a key in --api-key"),
        (Behaviour(api_key="k"), None, "wrong", "answered 401"),
    ],
)
async def test_the_model_to_measure(behaviour: Behaviour, asked: str | None, key: str | None, message: str) -> None:
    with serving(behaviour) as url:
        async with client(url, key=key) as opened:
            with pytest.raises(ServerError) as error:
                await served_model(opened, asked)
    assert message in str(error.value)


async def test_a_key_opens_and_the_only_model_is_taken() -> None:
    with serving(Behaviour(api_key="k")) as url:
        async with client(f"{url}/v1/", key="k") as opened:
            assert await served_model(opened, None) == "tiny"


async def test_nobody_there() -> None:
    async with client("http://127.0.0.1:9") as opened:
        with pytest.raises(ServerError, match=r"http://127\.0\.0\.1:9 cannot be reached"):
            await served_model(opened, None)


def test_a_url_without_a_scheme_is_named() -> None:
    with pytest.raises(ServerError, match="URL is 'localhost:8000'; allowed: http://HOST:PORT"):
        client("localhost:8000")
