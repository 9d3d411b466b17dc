"""A fake of the fleet's view: what a policy sees is what a test says, and its wishes come true after a cold start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from controlplane.domain.observation import Histogram, Inventory, Replica, ReplicaPhase, Sample
from controlplane.simulation.peers.workload import Seen

T0 = 1_767_600_000.0


def sample(
    replica: str = "r0",
    variant: str = "h100",
    at_s: float = T0,
    running: float | None = 0.0,
    waiting: float | None = 0.0,
    kv_usage: float | None = 0.0,
    finished: float = 0.0,
    started_at_s: float = T0 - 3600.0,
    kv_tokens: float = 100_000.0,
    prompt: float = 1000.0,
    answer: float = 200.0,
) -> Sample:
    """A page; `finished` requests had prompts and answers of the given means, and a TTFT of 0.5 s."""
    return Sample(
        replica,
        variant,
        at_s,
        running=running,
        waiting=waiting,
        kv_usage=kv_usage,
        kv_capacity_tokens=kv_tokens,
        prompt_tokens_total=finished * prompt,
        finished_total=finished,
        started_at_s=started_at_s,
        ttft_s=histogram(0.5, finished),
        itl_s=histogram(0.02, finished * answer),
        tpot_s=histogram(0.02, finished),
        prompt_tokens=histogram(prompt, finished),
        generation_tokens=histogram(answer, finished),
        iteration_tokens=histogram(100.0, finished * 4.0),
    )


def histogram(value: float, count: float) -> Histogram:
    """`count` observations of `value`."""
    bounds = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0, 10_000.0)
    return Histogram(bounds, tuple(count if value <= b else 0.0 for b in bounds), value * count, count)


def seen(now_s: float, samples: Sequence[Sample], pending: int = 0, desired: int | None = None) -> Seen:
    """A Deployment whose Ready replicas are those of the samples."""
    ready = len(samples)
    return Seen(now_s, ready + pending if desired is None else desired, ready, pending, tuple(samples))


@dataclass
class FakeView:
    """One target of one or more variants."""

    now_s: float
    wanted: dict[str, int]
    ready: dict[str, int] = field(default_factory=dict)
    pages: list[Sample] = field(default_factory=list)

    def samples(self, target: str) -> Sequence[Sample]:
        return self.pages

    def replicas(self, target: str) -> Sequence[Replica]:
        made = []
        for variant, count in self.wanted.items():
            ready = self.ready.get(variant, count)
            for place in range(count):
                phase = ReplicaPhase.READY if place < ready else ReplicaPhase.PENDING
                made.append(Replica(f"{variant}-{place}", variant, phase, T0))
        return made

    def desired(self, target: str) -> Mapping[str, int]:
        return self.wanted

    def inventory(self) -> Inventory:
        return Inventory()
