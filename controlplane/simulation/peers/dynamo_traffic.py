"""The traffic of an interval as Dynamo's planner sees and forecasts it: requests, prompt and answer lengths."""

from __future__ import annotations

from dataclasses import dataclass

from controlplane.simulation.peers.dynamo_predictors import PredictorName, predictor
from controlplane.simulation.peers.increase import Increase


@dataclass(frozen=True, slots=True)
class Traffic:
    """What is to come in one interval; tokens are means per request."""

    requests: float
    input_tokens: float
    output_tokens: float


class TrafficForecast:
    """Three predictors that know nothing of one another."""

    def __init__(self, name: PredictorName) -> None:
        self._requests, self._inputs, self._outputs = predictor(name), predictor(name), predictor(name)
        self._last: tuple[float, float] | None = None

    def add(self, did: Increase) -> None:
        """Note an interval. Without requests the lengths are carried on."""
        if did.input_tokens is not None and did.output_tokens is not None:
            self._last = (did.input_tokens, did.output_tokens)
        self._requests.add(did.arrivals)
        if self._last is not None:
            self._inputs.add(self._last[0])
            self._outputs.add(self._last[1])

    def next(self) -> Traffic | None:
        """The next interval; None before any request has ended."""
        if self._last is None:
            return None
        return Traffic(self._requests.next(), self._inputs.next(), self._outputs.next())
