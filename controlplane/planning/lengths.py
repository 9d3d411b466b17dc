"""A demand whose prompts and answers are longer or shorter than those that come now."""

from __future__ import annotations

from dataclasses import replace

from controlplane.domain.decision import Demand


def with_lengths(now: Demand, longer: float, wordier: float) -> Demand:
    """The demand with prompts `longer` and answers `wordier` by these factors, in all that is known of them."""
    square = now.input_tokens_squared
    return replace(
        now,
        input_tokens=now.input_tokens * longer,
        output_tokens=now.output_tokens * wordier,
        # W is OSL times a context that is mostly the prompt's.
        context_tokens_weighted=now.context_tokens_weighted * wordier * longer,
        input_tokens_squared=None if square is None else square * longer * longer,
        input_lengths=tuple(length * longer for length in now.input_lengths),
        output_lengths=tuple(length * wordier for length in now.output_lengths),
    )
