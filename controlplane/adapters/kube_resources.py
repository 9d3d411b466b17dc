"""What a Pod asks of a node, as the scheduler counts it, and which of it is a GPU."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal

from controlplane.adapters.kube_json import Json, at, largest, mapping, objects, quantities, total

GPU_RESOURCES = ("nvidia.com/gpu", "amd.com/gpu")
"""Resources of which one is one whole GPU."""
SLICES = re.compile(r"^(nvidia\.com/mig-|nvidia\.com/gpu\.shared$|amd\.com/cpx_|amd\.com/dpx_|amd\.com/gpu\.)")
"""Resources that are parts of GPUs: MIG, time slices, partitions of an MI300X."""


def requests_of(container: Json) -> dict[str, Decimal]:
    """A container's requests; what it limits without requesting it is requested too."""
    resources = mapping(container.get("resources"))
    return {**quantities(resources.get("limits")), **quantities(resources.get("requests"))}


def limits_of(container: Json) -> dict[str, Decimal]:
    """A container's limits."""
    return quantities(at(container, "resources", "limits"))


def pod_requests(spec: Json) -> dict[str, Decimal]:
    """What a Pod of that spec requests of its node.

    The larger of what its containers and sidecars ask for together and what each init container asks for beside the
    sidecars started before it, and its overhead (Kubernetes' sidecar containers, KEP-753).
    """
    return pod_sum(spec, requests_of)


def pod_sum(spec: Json, read: Callable[[Json], dict[str, Decimal]]) -> dict[str, Decimal]:
    """As `pod_requests`, of `requests_of` or `limits_of` its containers."""
    sidecars: dict[str, Decimal] = {}
    start: dict[str, Decimal] = {}
    for container in objects(spec.get("initContainers")):
        if container.get("restartPolicy") == "Always":
            sidecars = total([sidecars, read(container)])
            start = largest(start, sidecars)
        else:
            start = largest(start, total([sidecars, read(container)]))
    running = total([sidecars, *(read(container) for container in objects(spec.get("containers")))])
    return total([largest(running, start), quantities(spec.get("overhead"))])


def gpus_in(resources: Mapping[str, Decimal]) -> int:
    """Whole GPUs in a resource list."""
    return int(sum(resources.get(name, Decimal(0)) for name in GPU_RESOURCES))


def gpus_of(spec: Json) -> int:
    """Whole GPUs that a Pod of that spec asks for."""
    return gpus_in(pod_requests(spec))


def unclear_devices(spec: Json) -> str:
    """What a Pod asks for that is not a number of whole GPUs, in words: MIG slices, DRA claims. Empty: nothing."""
    slices = sorted(name for name in pod_requests(spec) if SLICES.match(name))
    claims = [str(claim.get("name") or "unnamed") for claim in objects(spec.get("resourceClaims"))]
    words = [*slices, *(f"resourceClaim {claim}" for claim in claims)]
    return ", ".join(words)
