"""What each engine calls what we read: a table each, and nothing but tables. `pages` reads them all."""

from controlplane.observing.dialects.dynamo import FRONTEND, WORKER
from controlplane.observing.dialects.epp import EPP
from controlplane.observing.dialects.sglang import SGLANG
from controlplane.observing.dialects.table import Dialect, LoraFamily, Reading, Source
from controlplane.observing.dialects.tgi import TGI
from controlplane.observing.dialects.trtllm import TRITON, TRTLLM
from controlplane.observing.dialects.vllm import VLLM

ENGINES: tuple[Dialect, ...] = (VLLM, SGLANG, TRTLLM, TRITON, TGI, FRONTEND, WORKER)
"""Engines first: a Dynamo worker's page holds its engine's metrics too, and those say more."""
ROUTERS: tuple[Dialect, ...] = (EPP, FRONTEND)

__all__ = ["ENGINES", "EPP", "FRONTEND", "ROUTERS", "SGLANG", "TGI", "TRITON", "TRTLLM", "VLLM", "WORKER"]
__all__ += ["Dialect", "LoraFamily", "Reading", "Source"]
