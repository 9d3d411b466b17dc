"""Every peer by its name; a new one is added here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controlplane.simulation.backtest import Policy
from controlplane.simulation.peers.aibrix import AIBRIX_PEERS
from controlplane.simulation.peers.dynamo_classic import DYNAMO_CLASSIC_PEER
from controlplane.simulation.peers.dynamo_load_peer import DYNAMO_LOAD_PEER
from controlplane.simulation.peers.hpa_peers import HPA_PEERS
from controlplane.simulation.peers.keda_slo import KEDA_SLO_PEER
from controlplane.simulation.peers.kpa import KPA_PEER
from controlplane.simulation.peers.peer import Peer
from controlplane.simulation.peers.ray_serve import RAY_PEER
from controlplane.simulation.peers.wva_peers import WVA_V1_PEER, WVA_V2_PEER
from controlplane.simulation.scenario import Scenario

_ALL: tuple[Peer[Any], ...] = (
    *HPA_PEERS,
    KPA_PEER,
    WVA_V1_PEER,
    WVA_V2_PEER,
    KEDA_SLO_PEER,
    *AIBRIX_PEERS,
    RAY_PEER,
    DYNAMO_CLASSIC_PEER,
    DYNAMO_LOAD_PEER,
)
PEERS: Mapping[str, Peer[Any]] = {peer.name: peer for peer in _ALL}
"""In the order of docs/peers.md. Settings are each peer's own frozen dataclass, hence Any."""


def peer_named(name: str, scenario: Scenario, settings: object | None = None) -> Policy | None:
    """The policy of that peer for a scenario, by default with its documented settings; None for another name.

    Raises:
        TypeError: if the settings are another peer's.
    """
    peer = PEERS.get(name)
    return None if peer is None else peer.policy(scenario, settings)
