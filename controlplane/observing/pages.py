"""One metrics page -> one Sample, whichever engine printed it."""

from __future__ import annotations

from typing import Any

from controlplane.domain.observation import Fault, FaultKind, Sample
from controlplane.observing.dialects import ENGINES
from controlplane.observing.page_lines import NotAPage
from controlplane.observing.reader import read_fields


def read_page(body: bytes, replica: str, variant: str, at_s: float) -> Sample:
    """The Sample that an engine's metrics page holds. Never raises: what cannot be read is None, and a fault says why.

    The engine is known by its metrics' names; `Sample.engine` says which it is.
    """
    try:
        fields = read_fields(body, replica, ENGINES)
    except NotAPage as error:
        fault = Fault(FaultKind.NOT_METRICS, replica, detail=str(error)[:400])
        return Sample(replica, variant, at_s, faults=(fault,))
    everything: dict[str, Any] = {**fields.scalars, **fields.histograms}
    engine = fields.dialect.engine
    return Sample(replica, variant, at_s, lora=fields.lora, engine=engine, faults=fields.faults, **everything)
