"""Measures a running server: an open Poisson load at a rate, or the highest rate that meets the SLO."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from controlplane.adapters.clock import monotonic_s
from controlplane.adapters.completion_stream import ServerError
from controlplane.adapters.openai_client import Answer, OpenAiClient, Refused
from controlplane.domain.measurement import Measurement
from controlplane.domain.target import Slo
from controlplane.planning.load_run import Outcome, poisson_arrivals, random_prompt, summarise
from controlplane.planning.rate_search import Tried, met, next_rate

CALIBRATION_TOKENS = 4
"""Answer length of the requests that find out how many tokens a word has."""
WARM_UP_REQUESTS = 4
"""Sent together before anything is measured: they fill the engine's caches and compile what is left to compile."""
LEAD_SHARE = 0.1
"""Of a run's duration that goes by before requests are judged: a batch takes that long to fill."""
DRAIN_S = 30.0
"""Beyond what a request may take within the SLO, before one that has not ended counts as failed."""
MIN_REQUESTS = 20
"""A run is lengthened up to fourfold to have about as many: a share of fewer says little."""
MAX_LENGTHENING = 4.0
BUSY_WAIT_S = 0.5
"""Between two runs, for the server to notice the requests that were taken back."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent: mean lengths in tokens, the limits, the seed that makes it the same again."""

    model: str
    input_tokens: int
    output_tokens: int
    slo: Slo
    duration_s: float
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Search:
    """How the highest rate is sought."""

    start_rps: float = 1.0
    tolerance: float = 0.05
    max_runs: int = 12


class Profiler:
    """One server under one kind of load. `prepare` comes first."""

    def __init__(self, client: OpenAiClient, load: Load, told: Callable[[str], None]) -> None:
        self._client = client
        self._load = load
        self._told = told
        self._words = load.input_tokens
        self._runs = 0

    async def prepare(self) -> None:
        """Find out what the server takes and how many words make a prompt, and warm it up.

        Raises:
            ServerError: if it cannot be reached, has not the model, or does not serve a first request.
        """
        generator = np.random.default_rng(self._load.seed)
        model, wanted = self._load.model, self._load.input_tokens
        # Twice, as a chat template adds tokens that do not grow with the words.
        for _ in range(2):
            answer = await self._client.probe(model, random_prompt(self._words, generator), CALIBRATION_TOKENS)
            if answer.input_tokens:
                self._words = max(
                    1, round(self._words + (wanted - answer.input_tokens) * self._words / answer.input_tokens)
                )
        prompts = [random_prompt(self._words, generator) for _ in range(WARM_UP_REQUESTS)]
        self._told(f"warming up: {WARM_UP_REQUESTS} requests of {self._words} words")
        answers = await asyncio.gather(
            *(self._client.stream(model, prompt, self._load.output_tokens) for prompt in prompts)
        )
        failed = [answer.error for answer in answers if answer.error is not None]
        if len(failed) == len(answers):
            raise ServerError(f"{self._client.url}: every warm-up request failed: {failed[0]}")

    async def measure(self, rate_rps: float) -> Measurement:
        """A run at that rate."""
        load = self._load
        window_s = min(max(load.duration_s, MIN_REQUESTS / rate_rps), load.duration_s * MAX_LENGTHENING)
        lead_s = window_s * LEAD_SHARE
        # A generator of its own for each run: the same seed gives the same run, whatever ran before it.
        generator = np.random.default_rng((load.seed, round(rate_rps * 1e6)))
        arrivals = poisson_arrivals(rate_rps, lead_s + window_s, generator)
        prompts = [random_prompt(self._words, generator) for _ in arrivals]
        self._told(f"{rate_rps:.3g} requests/s for {lead_s + window_s:.0f} s: {len(arrivals)} requests")
        if self._runs:
            await asyncio.sleep(BUSY_WAIT_S)
        self._runs += 1
        outcomes = await self._offer(arrivals, prompts)
        judged = [outcome for outcome in outcomes if outcome.due_s >= lead_s]
        return summarise(judged, rate_rps, window_s, load.slo, "tidegate", load.model)

    async def search(self, how: Search) -> tuple[Measurement, ...]:
        """Runs by bisection until the highest rate is known whose attainment is that of the SLO; in the order run."""
        tried: list[Tried] = []
        runs: list[Measurement] = []
        while (rate := next_rate(tried, how.start_rps, how.tolerance, how.max_runs)) is not None:
            run = await self.measure(rate)
            tried.append(Tried(rate, met(run, self._load.slo.attainment)))
            runs.append(run)
            share = "-" if run.attainment is None else f"{run.attainment:.1%}"
            self._told(f"  {share} met the SLO")
        return tuple(runs)

    async def _offer(self, arrivals: Sequence[float], prompts: Sequence[str]) -> list[Outcome]:
        start_s = monotonic_s()
        tasks = [
            asyncio.create_task(self._one(start_s, due_s, prompt))
            for due_s, prompt in zip(arrivals, prompts, strict=True)
        ]
        if not tasks:
            return []
        slo = self._load.slo
        limit_s = arrivals[-1] + slo.ttft_s + slo.tpot_s * self._load.output_tokens + DRAIN_S
        done, late = await asyncio.wait(tasks, timeout=limit_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        cut = f"not finished {DRAIN_S:g} s after the SLO's limits"
        return [
            task.result() if task in done else Outcome(due_s, due_s, (), None, None, cut)
            for due_s, task in zip(arrivals, tasks, strict=True)
        ]

    async def _one(self, start_s: float, due_s: float, prompt: str) -> Outcome:
        await asyncio.sleep(max(0.0, start_s + due_s - monotonic_s()))
        answer = await self._client.stream(self._load.model, prompt, self._load.output_tokens)
        return _outcome(answer, due_s, start_s)


def _outcome(answer: Answer, due_s: float, start_s: float) -> Outcome:
    chunks = tuple(at - start_s for at in answer.chunk_at_s)
    return Outcome(due_s, answer.sent_s - start_s, chunks, answer.input_tokens, answer.output_tokens, answer.error)


async def served_model(client: OpenAiClient, asked: str | None) -> str:
    """The model to measure: the one asked for, or the only one there is.

    Raises:
        ServerError: if the server has not that one, or several and none was named.
    """
    try:
        served = await client.models()
    except Refused as error:
        # Some servers have no list: then the name is taken as given, and the first request shows whether it is right.
        if error.status == 404 and asked is not None:
            return asked
        raise
    if asked is None and len(served) == 1:
        return served[0]
    if asked is None or asked not in served:
        raise ServerError(f"--model is {asked!r}; allowed: {', '.join(served) or 'none, the server serves no model'}")
    return asked
