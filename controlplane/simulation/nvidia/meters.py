"""From the simulator's ticks to the samples that scraping its workers would have given.

The simulator tells the traffic of the fleet as a whole and the newest pass of each worker. Its router goes round robin,
so each active worker gets the same share of the arrivals; what it holds is in its newest pass; what it finished is the
difference. Latencies are told as means, so all of a tick's requests fall into the bucket of their mean.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from controlplane.domain.observation import Sample
from controlplane.simulation.nvidia.snapshot import EnginePass, Snapshot, Traffic
from controlplane.simulation.telemetry import TOKEN_TIME_BOUNDS, TTFT_BOUNDS, BucketCounts, one_two_five

LONGEST_TOKENS = 131_072.0
"""Upper end of the histograms of lengths: the longest context of the models in the catalog."""
STEP_BOUNDS = (1.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16384.0)


@dataclass(slots=True)
class WorkerMeter:
    """One worker's counters since it became ready at `started_at_s`."""

    started_at_s: float
    arrived: float = 0.0
    finished: float = 0.0
    prompt_tokens: float = 0.0
    generation_tokens: float = 0.0
    ttft: BucketCounts = field(default_factory=lambda: BucketCounts(TTFT_BOUNDS))
    tpot: BucketCounts = field(default_factory=lambda: BucketCounts(TOKEN_TIME_BOUNDS))
    itl: BucketCounts = field(default_factory=lambda: BucketCounts(TOKEN_TIME_BOUNDS))
    prompts: BucketCounts = field(default_factory=lambda: BucketCounts(one_two_five(LONGEST_TOKENS)))
    answers: BucketCounts = field(default_factory=lambda: BucketCounts(one_two_five(LONGEST_TOKENS)))
    steps: BucketCounts = field(default_factory=lambda: BucketCounts(STEP_BOUNDS))

    def count(self, traffic: Traffic, share: float, held: float) -> None:
        """Add this worker's `share` of a tick's traffic; it holds `held` requests now."""
        self.arrived += traffic.arrived * share
        self.finished = max(self.finished, self.arrived - held)
        self._lengths(traffic, share)
        if traffic.ttft_s is not None:
            self.ttft.observe(traffic.ttft_s, traffic.first_tokens * share)
        if traffic.itl_s is not None:
            self.tpot.observe(traffic.itl_s, traffic.itl_count * share)
            self._steps(traffic, traffic.itl_s, share)

    def _lengths(self, traffic: Traffic, share: float) -> None:
        self.generation_tokens += traffic.decode_passes * share
        if traffic.input_tokens is None or traffic.output_tokens is None:
            return
        self.prompt_tokens += traffic.first_tokens * traffic.input_tokens * share
        self.prompts.observe(traffic.input_tokens, traffic.finished * share)
        self.answers.observe(traffic.output_tokens, traffic.finished * share)

    def _steps(self, traffic: Traffic, itl_s: float, share: float) -> None:
        """Little's law: sequences in a step are tokens/s times a step's time; below one the engine idles between."""
        tokens = traffic.decode_passes * share
        together = max(1.0, tokens / traffic.seconds * itl_s)
        self.itl.observe(itl_s, tokens)
        self.steps.observe(together, tokens / together)

    def sample(self, name: str, variant: str, now_s: float, newest: EnginePass | None, kv_tokens: float) -> Sample:
        """The page that this worker would have shown at `now_s`; `kv_tokens` is the size of its cache."""
        return Sample(
            replica=name,
            variant=variant,
            at_s=now_s,
            running=float(newest.running) if newest else 0.0,
            waiting=float(newest.queued) if newest else 0.0,
            kv_usage=min(1.0, newest.context_tokens / kv_tokens) if newest else 0.0,
            kv_capacity_tokens=kv_tokens,
            prompt_tokens_total=self.prompt_tokens,
            prompt_tokens_cached_total=0.0,
            generation_tokens_total=self.generation_tokens,
            finished_total=self.finished,
            preemptions_total=0.0,
            started_at_s=self.started_at_s,
            ttft_s=self.ttft.snapshot(),
            tpot_s=self.tpot.snapshot(),
            itl_s=self.itl.snapshot(),
            prompt_tokens=self.prompts.snapshot(),
            generation_tokens=self.answers.snapshot(),
            iteration_tokens=self.steps.snapshot(),
        )


class FleetMeter:
    """Every active worker's counters, brought forward tick by tick."""

    def __init__(self, variant: str, kv_tokens: float) -> None:
        self._variant, self._kv_tokens = variant, kv_tokens
        self._workers: dict[int, WorkerMeter] = {}
        self._before_s = 0.0

    def samples(self, snapshot: Snapshot, name: str) -> list[Sample]:
        """A sample of each active worker, named `name-<number>`."""
        started = {w: self._before_s for w in snapshot.active if w not in self._workers}
        self._before_s = snapshot.now_s
        known = {w: self._workers.get(w) or WorkerMeter(started[w]) for w in snapshot.active}
        for worker, meter in known.items():
            newest = snapshot.passes.get(worker)
            meter.count(snapshot.traffic, 1.0 / len(known), float(newest.running + newest.queued) if newest else 0.0)
        self._workers = known
        return [
            meter.sample(f"{name}-{w}", self._variant, snapshot.now_s, snapshot.passes.get(w), self._kv_tokens)
            for w, meter in known.items()
        ]
