"""The `slo` of a manifest -> `Slo`: presets, own latencies, and percentiles that become the attainment."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from controlplane.domain.manifest_base import MAX_LATENCY_S, ManifestError, Part, PositiveShare
from controlplane.domain.target import Slo

PRESET_ATTAINMENT = 0.99
"""The presets' latencies are P99s."""
DEFAULT_ATTAINMENT = 0.99
UNLIMITED_S = 3600.0
"""What a latency is that nobody limits, where the whole request is not limited either: an hour, which no request of an
engine's default timeouts takes, so that it never binds."""

Seconds = Annotated[float, Field(gt=0, le=MAX_LATENCY_S)]


class Preset(StrEnum):
    """Kinds of use whose limits are known."""

    CHAT = "Chat"
    RAG = "RAG"
    CODE_COMPLETION = "CodeCompletion"
    BATCH = "Batch"


PRESETS: dict[Preset, tuple[float | None, float | None, float | None]] = {
    Preset.CHAT: (0.2, 0.05, None),
    Preset.RAG: (0.3, 0.1, 3.0),
    Preset.CODE_COMPLETION: (None, None, 2.0),
    Preset.BATCH: (None, None, 3600.0),
}
"""TTFT, TPOT and the whole request, seconds. Chat: P99 TTFT 200 ms and P99 inter-token latency 50 ms, which is taken as
the limit of a request's mean. RAG: 300 ms, 100 ms, 3 s. Code completion: 2 s for the whole, since a completion that
comes later is typed over. Batch has a deadline alone; within an hour the fleet is sized for throughput."""


class Latency(Part):
    """One limit, and the percentile of requests that must be within it."""

    seconds: Seconds
    percentile: float | None = Field(default=None, ge=50, le=99.99)


class SloPart(Part):
    """The `slo` of a manifest."""

    preset: Preset | None = None
    ttft: Latency | None = None
    tpot: Latency | None = None
    e2e: Latency | None = Field(default=None, alias="e2e")
    ttft_seconds: Seconds | None = None
    tpot_seconds: Seconds | None = None
    e2e_seconds: Seconds | None = Field(default=None, alias="e2eSeconds")
    attainment: PositiveShare | None = None
    miss_price_per_request: float | None = Field(default=None, gt=0, allow_inf_nan=False)

    def refuse_contradictions(self) -> None:
        """What the types do not say.

        Raises:
            ManifestError: if a latency is given twice, or none at all.
        """
        pairs = (("ttft", self.ttft, self.ttft_seconds), ("tpot", self.tpot, self.tpot_seconds))
        for name, whole, short in (*pairs, ("e2e", self.e2e, self.e2e_seconds)):
            if whole is not None and short is not None:
                raise ManifestError(f"spec.slo.{name}Seconds", f"is the short form of {name}; give one of them")
        if self.preset is None and self._own() == (None, None, None):
            raise ManifestError(
                "spec.slo",
                "a preset, or at least one of ttft, tpot, e2e, ttftSeconds, tpotSeconds and e2eSeconds must be given",
            )

    def to_domain(self) -> Slo:
        """The limits, own ones before the preset's; one that nobody gives never binds."""
        preset = PRESETS[self.preset] if self.preset is not None else (None, None, None)
        ttft_s, tpot_s, e2e_s = (
            own if own is not None else given for own, given in zip(self._own(), preset, strict=True)
        )
        spare_s = UNLIMITED_S if e2e_s is None else e2e_s
        return Slo(
            ttft_s=spare_s if ttft_s is None else ttft_s,
            tpot_s=spare_s if tpot_s is None else tpot_s,
            attainment=self._attainment(),
            e2e_s=e2e_s,
        )

    def _own(self) -> tuple[float | None, float | None, float | None]:
        return (
            self.ttft.seconds if self.ttft else self.ttft_seconds,
            self.tpot.seconds if self.tpot else self.tpot_seconds,
            self.e2e.seconds if self.e2e else self.e2e_seconds,
        )

    def _attainment(self) -> float:
        """The strictest of those given. A request meets its SLO as a whole, so the strictest holds for all limits."""
        percentiles = [part.percentile for part in (self.ttft, self.tpot, self.e2e) if part is not None]
        given = [percentile / 100.0 for percentile in percentiles if percentile is not None]
        if self.attainment is not None:
            given.append(self.attainment)
        elif self.preset is not None and self._leaves_some_of(PRESETS[self.preset]):
            given.append(PRESET_ATTAINMENT)
        return max(given, default=DEFAULT_ATTAINMENT)

    def _leaves_some_of(self, preset: tuple[float | None, float | None, float | None]) -> bool:
        return any(own is None and given is not None for own, given in zip(self._own(), preset, strict=True))
