"""Least-cost replicas per variant for all targets that share accelerators.

`group` puts it together; `cover` solves one target alone, `program` and `shares` several that compete, `exchange`
many that do; `filling` answers where the solver's node limit came first. Nothing here stops on a clock.
"""

from controlplane.planning.allocation.ask import Ask, carried, fleet_usd, routing_weights
from controlplane.planning.allocation.group import allocate
from controlplane.planning.allocation.model import GAP

__all__ = ["GAP", "Ask", "allocate", "carried", "fleet_usd", "routing_weights"]
