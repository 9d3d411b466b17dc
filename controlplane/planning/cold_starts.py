"""How long a new replica takes, before one was ever measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from controlplane.domain import catalog
from controlplane.domain.decision import ColdStart
from controlplane.domain.observation import ColdStartStages
from controlplane.domain.target import Target, Variant

NODE_AND_IMAGE_S = 120.0
"""A GPU node from a cloud's pool and a pull of a 10 GB image: one to three minutes."""
LOAD_BYTES_PER_S = 0.5e9
"""Weights from network storage, per GPU; tensor-parallel ranks load their shards side by side."""
WARM_UP_S = 40.0
"""Profiling of memory and capture of CUDA graphs in vLLM."""
P90_OVER_P50 = 1.3
"""The slow tenth of cold starts, relative to the median."""


def summarise(seconds: Sequence[float], stages: Sequence[ColdStartStages | None] = ()) -> ColdStart:
    """Median and 90th percentile of measured cold starts, of which there is at least one, and the medians of those
    parts that were told."""
    p50, p90 = (float(v) for v in np.percentile(seconds, (50, 90)))
    told = [one for one in stages if one is not None]
    parts = ColdStartStages(
        _median([one.scheduled_s for one in told]),
        _median([one.pulled_s for one in told]),
        _median([one.loaded_s for one in told]),
    )
    return ColdStart(p50, p90, len(seconds), None if parts == ColdStartStages() else parts)


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None


def known_cold_starts(target: Target, measured: Mapping[str, ColdStart]) -> dict[str, ColdStart]:
    """Every variant's cold start: as measured, else its prior, longer or shorter by what those that were measured
    differ from theirs. The same image comes from the same registry; an accelerator that was never used must not make
    the whole target look further ahead than it needs."""
    priors = {v.name: default_cold_start(target, v) for v in target.variants}
    ratios = [measured[n].p50_s / prior.p50_s for n, prior in priors.items() if n in measured]
    factor = float(np.median(ratios)) if ratios else 1.0
    scaled = {n: replace(prior, p50_s=prior.p50_s * factor, p90_s=prior.p90_s * factor) for n, prior in priors.items()}
    return {n: measured.get(n, prior) for n, prior in scaled.items()}


def default_cold_start(target: Target, variant: Variant) -> ColdStart:
    """The prior of a variant's cold start, seconds from creation to Ready; `samples` is 0."""
    shard_bytes = catalog.model(target.model).weight_bytes / variant.gpus_per_replica
    p50_s = NODE_AND_IMAGE_S + shard_bytes / LOAD_BYTES_PER_S + WARM_UP_S
    return ColdStart(p50_s=p50_s, p90_s=p50_s * P90_OVER_P50, samples=0)
