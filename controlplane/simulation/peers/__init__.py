"""Other people's autoscalers as policies, written anew from their sources, each with its documented defaults.

No reading of clocks, no I/O; they see what a cluster and its metrics pages would show them, and nothing of Tidegate's
planning but the step cost that stands for a profile.
"""

from controlplane.simulation.peers.peer import Peer
from controlplane.simulation.peers.registry import PEERS, peer_named

__all__ = ["PEERS", "Peer", "peer_named"]
