"""Labels of nodes, and of what selects nodes, -> the catalog's names of accelerators and how the machine is bought."""

from __future__ import annotations

import re
from collections.abc import Mapping

from controlplane.domain.catalog import ACCELERATORS
from controlplane.domain.target import CapacityType

OWN_LABEL = "tidegate.io/accelerator"
"""A person's word: taken as it is where the catalog knows no such GPU."""
PRODUCT_LABELS = (
    "nvidia.com/gpu.product",
    "amd.com/gpu.product-name",
    "beta.amd.com/gpu.product-name",
    "cloud.google.com/gke-accelerator",
    "karpenter.k8s.aws/instance-gpu-name",
    "eks.amazonaws.com/instance-gpu-name",
    "karpenter.azure.com/sku-gpu-name",
    "k8s.amazonaws.com/accelerator",
    "gpu.nvidia.com/class",
)
"""Labels that name the GPU: of NVIDIA's feature discovery, AMD's labeller, GKE, Karpenter, EKS, AKS, CoreWeave."""
MEMORY_LABELS = (
    "karpenter.k8s.aws/instance-gpu-memory",
    "eks.amazonaws.com/instance-gpu-memory",
    "nvidia.com/gpu.memory",
)
"""One GPU's memory, MiB: tells the two sizes of an A100 apart, which Karpenter both calls a100."""
TYPE_LABELS = ("node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type")
ACCELERATOR_LABELS = (OWN_LABEL, *PRODUCT_LABELS, *TYPE_LABELS)
"""All labels from which an accelerator is read, the most telling first."""

_PRODUCTS = (
    # The first that fits is taken, so the longer names come before those within them. Matched against the label in
    # lower case with its separators as single dashes.
    (r"gb300", "GB300"),
    (r"gb200", "GB200"),
    (r"gh200", "GH200"),
    (r"b300", "B300"),
    (r"b200", "B200"),
    (r"h200", "H200"),
    (r"h100.*nvl", "H100-NVL"),
    (r"h100.*pcie|h100-80gb-pcie", "H100-PCIe"),
    (r"h100", "H100"),
    (r"h20", "H20"),
    (r"a100.*80(gb)?\b|a100-80", "A100-80"),
    (r"a100", "A100-40"),
    (r"l40s", "L40S"),
    (r"l4", "L4"),
    (r"a10g", "A10G"),
    (r"a40", "A40"),
    (r"rtx-pro-6000|rtx-6000-pro|pro-6000", "RTX-PRO-6000"),
    (r"rtx-6000-ada", "RTX-6000-Ada"),
    (r"rtx-a6000|a6000", "RTX-A6000"),
    (r"(rtx-)?5090", "RTX-5090"),
    (r"(rtx-)?4090", "RTX-4090"),
    (r"(mi300x|mi300-oam|74a1)", "MI300X"),
    (r"(mi325x?|74a5)", "MI325X"),
    (r"(mi355x?|75a3)", "MI355X"),
    (r"(tesla-)?t4", "T4"),
)
_PATTERNS = tuple((re.compile(rf"(?:^|-)(?:{pattern})(?:-|$)"), name) for pattern, name in _PRODUCTS)

_TYPES = (
    # Machine types of clouds by how their names begin, from the clouds' lists of GPU machines.
    (r"p4de\.", "A100-80"),
    (r"p4d\.", "A100-40"),
    (r"p5(en|e)\.", "H200"),
    (r"p5\.", "H100"),
    (r"p6-b200\.", "B200"),
    (r"p6-b300\.", "B300"),
    (r"p6e-gb200\.", "GB200"),
    (r"p6e-gb300\.", "GB300"),
    (r"g4dn\.", "T4"),
    (r"g5\.", "A10G"),
    (r"gr?6\.", "L4"),
    (r"g6e\.", "L40S"),
    (r"g7e\.", "RTX-PRO-6000"),
    (r"a2-ultragpu-", "A100-80"),
    (r"a2-(high|mega)gpu-", "A100-40"),
    (r"a3-ultragpu-", "H200"),
    (r"a3-(high|mega|edge)gpu-", "H100"),
    (r"a4-highgpu-", "B200"),
    (r"a4x-max", "GB300"),
    (r"a4x-highgpu-", "GB200"),
    (r"g2-standard-", "L4"),
    (r"g4-standard-", "RTX-PRO-6000"),
    (r"standard_nd96is?r?_h100", "H100"),
    (r"standard_n(c|cc)(40|80)ad[a-z]*_h100", "H100-NVL"),
    (r"standard_nd96is?r?_h200", "H200"),
    (r"standard_nd96is?r?_mi300x", "MI300X"),
    (r"standard_nd128is?r_ndr_gb200|standard_nd128.*gb200", "GB200"),
    (r"standard_nd128.*gb300", "GB300"),
    (r"standard_nd96amsr_a100|standard_nc\d+ads_a100", "A100-80"),
    (r"standard_nd96asr", "A100-40"),
    (r"standard_nc\d+as_t4", "T4"),
)
_TYPE_PATTERNS = tuple((re.compile(pattern), name) for pattern, name in _TYPES)
LARGE_A100_MIB = 60_000
"""Between the 40,960 MiB and the 81,920 MiB that an A100 has."""

CAPACITY_LABELS = {
    "karpenter.sh/capacity-type": ("spot",),
    "eks.amazonaws.com/capacityType": ("SPOT",),
    "cloud.google.com/gke-spot": ("true",),
    "cloud.google.com/gke-preemptible": ("true",),
    "cloud.google.com/gke-provisioning": ("spot", "preemptible"),
    "kubernetes.azure.com/scalesetpriority": ("spot",),
    "node.kubernetes.io/lifecycle": ("spot",),
}
"""Labels that say how a machine is bought, and their values for Spot. Any other value is on demand or reserved."""


def accelerator_of(labels: Mapping[str, str]) -> str | None:
    """The accelerator that a node's labels name, None where they name none.

    A name of the catalog; one that the catalog does not hold (T4, or what `tidegate.io/accelerator` says) is given as
    it is, for a person to see and to bring its figures.
    """
    if OWN_LABEL in labels:
        return product(labels[OWN_LABEL]) or labels[OWN_LABEL] or None
    for name in PRODUCT_LABELS:
        if labels.get(name):
            found = product(labels[name])
            return _sized(found, labels) if found else labels[name]
    return next((found for name in TYPE_LABELS if (found := instance_type(labels.get(name, "")))), None)


def product(label: str) -> str | None:
    """The catalog's name of a product as drivers and clouds write it, None for one that is not known."""
    exact = next((name for name in ACCELERATORS if name.lower() == label.strip().lower()), None)
    if exact:
        return exact
    words = re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")
    return next((name for pattern, name in _PATTERNS if pattern.search(words)), None)


def instance_type(machine: str) -> str | None:
    """The accelerator of a cloud's machine type, None for one without or not known."""
    return next((name for pattern, name in _TYPE_PATTERNS if pattern.match(machine.lower())), None)


def shared_words(labels: Mapping[str, str]) -> str:
    """Why a node's GPU resource does not count whole GPUs, in words; empty where it does.

    Feature discovery marks slices (`mig.strategy` single renames the product) and time slices (`-SHARED`).
    """
    named = labels.get("nvidia.com/gpu.product", "")
    if "-MIG-" in named:
        return f"{named}: its GPUs are MIG slices"
    if named.endswith("-SHARED") or labels.get("nvidia.com/gpu.sharing-strategy", "none") not in ("none", ""):
        return f"{named or 'GPU'}: its GPUs are shared {labels.get('nvidia.com/gpu.replicas', 'several')} ways"
    if labels.get("amd.com/compute-partitioning-supported") == "true" and labels.get("amd.com/gpu.compute-partition"):
        return f"its GPUs are partitioned as {labels['amd.com/gpu.compute-partition']}"
    return ""


def capacity_type_of(labels: Mapping[str, str]) -> CapacityType | None:
    """How the machine under these labels is bought, None where they do not say."""
    said = [labels[name] in spot for name, spot in CAPACITY_LABELS.items() if name in labels]
    if not said:
        return None
    return CapacityType.SPOT if any(said) else CapacityType.ON_DEMAND


def _sized(found: str, labels: Mapping[str, str]) -> str:
    """An A100 whose label does not say its size, by its memory or its machine."""
    if found != "A100-40":
        return found
    memory = next((labels[name] for name in MEMORY_LABELS if labels.get(name, "").isdecimal()), "0")
    machine = next((labels[name] for name in TYPE_LABELS if name in labels), "")
    return "A100-80" if int(memory) > LARGE_A100_MIB else instance_type(machine) or found
