"""Scalable objects of many kinds -> what they say of their replicas."""

from __future__ import annotations

import copy

import pytest

from controlplane.adapters.kube_accelerators import accelerator_of, capacity_type_of, shared_words
from controlplane.adapters.kube_engine import model_in, role_in
from controlplane.adapters.kube_templates import parts_of, pod_template
from controlplane.adapters.kube_workloads import discovered, model_of, role_of, template_of
from controlplane.domain.catalog import ACCELERATORS
from controlplane.domain.discovered import Discovered
from controlplane.domain.target import CapacityType, Role
from tests.adapters.kube_builders import Json, deployment, engine, node, template

LABELS = [
    # As feature discovery, AMD's labeller, GKE, Karpenter, EKS and AKS write them.
    ("nvidia.com/gpu.product", "NVIDIA-L4", "L4"),
    ("nvidia.com/gpu.product", "NVIDIA-L40S", "L40S"),
    ("nvidia.com/gpu.product", "NVIDIA-A10G", "A10G"),
    ("nvidia.com/gpu.product", "NVIDIA-A40", "A40"),
    ("nvidia.com/gpu.product", "NVIDIA-GeForce-RTX-4090", "RTX-4090"),
    ("nvidia.com/gpu.product", "NVIDIA-GeForce-RTX-5090", "RTX-5090"),
    ("nvidia.com/gpu.product", "NVIDIA-RTX-A6000", "RTX-A6000"),
    ("nvidia.com/gpu.product", "NVIDIA-RTX-6000-Ada-Generation", "RTX-6000-Ada"),
    ("nvidia.com/gpu.product", "NVIDIA-RTX-PRO-6000-Blackwell-Server-Edition", "RTX-PRO-6000"),
    ("nvidia.com/gpu.product", "NVIDIA-A100-SXM4-40GB", "A100-40"),
    ("nvidia.com/gpu.product", "NVIDIA-A100-SXM4-80GB", "A100-80"),
    ("nvidia.com/gpu.product", "NVIDIA-A100-80GB-PCIe", "A100-80"),
    ("nvidia.com/gpu.product", "NVIDIA-A100-PCIE-40GB", "A100-40"),
    ("nvidia.com/gpu.product", "NVIDIA-H20", "H20"),
    ("nvidia.com/gpu.product", "NVIDIA-H100-PCIe", "H100-PCIe"),
    ("nvidia.com/gpu.product", "NVIDIA-H100-NVL", "H100-NVL"),
    ("nvidia.com/gpu.product", "NVIDIA-H100-80GB-HBM3", "H100"),
    ("nvidia.com/gpu.product", "NVIDIA-GH200-480GB", "GH200"),
    ("nvidia.com/gpu.product", "NVIDIA-H200", "H200"),
    ("nvidia.com/gpu.product", "NVIDIA-B200", "B200"),
    ("nvidia.com/gpu.product", "NVIDIA-B300-SXM6-AC", "B300"),
    ("nvidia.com/gpu.product", "NVIDIA-GB200", "GB200"),
    ("nvidia.com/gpu.product", "NVIDIA-GB300", "GB300"),
    ("nvidia.com/gpu.product", "Tesla-T4", "T4"),
    ("amd.com/gpu.product-name", "AMD_Instinct_MI300X_OAM", "MI300X"),
    ("amd.com/gpu.product-name", "AMD_Instinct_MI325_OAM", "MI325X"),
    ("amd.com/gpu.product-name", "AMD_Instinct_MI325X", "MI325X"),
    ("amd.com/gpu.product-name", "AMD_Instinct_MI355X_OAM", "MI355X"),
    ("cloud.google.com/gke-accelerator", "nvidia-h100-80gb", "H100"),
    ("cloud.google.com/gke-accelerator", "nvidia-h100-mega-80gb", "H100"),
    ("cloud.google.com/gke-accelerator", "nvidia-h200-141gb", "H200"),
    ("cloud.google.com/gke-accelerator", "nvidia-tesla-a100", "A100-40"),
    ("cloud.google.com/gke-accelerator", "nvidia-a100-80gb", "A100-80"),
    ("cloud.google.com/gke-accelerator", "nvidia-l4", "L4"),
    ("cloud.google.com/gke-accelerator", "nvidia-b200", "B200"),
    ("cloud.google.com/gke-accelerator", "nvidia-gb200", "GB200"),
    ("cloud.google.com/gke-accelerator", "nvidia-tesla-t4", "T4"),
    ("karpenter.k8s.aws/instance-gpu-name", "h100", "H100"),
    ("karpenter.k8s.aws/instance-gpu-name", "h200", "H200"),
    ("karpenter.k8s.aws/instance-gpu-name", "l40s", "L40S"),
    ("karpenter.k8s.aws/instance-gpu-name", "a10g", "A10G"),
    ("node.kubernetes.io/instance-type", "p5.48xlarge", "H100"),
    ("node.kubernetes.io/instance-type", "p5en.48xlarge", "H200"),
    ("node.kubernetes.io/instance-type", "g6e.12xlarge", "L40S"),
    ("node.kubernetes.io/instance-type", "a3-highgpu-8g", "H100"),
    ("node.kubernetes.io/instance-type", "Standard_ND96isr_H100_v5", "H100"),
    ("node.kubernetes.io/instance-type", "Standard_NC40ads_H100_v5", "H100-NVL"),
    ("tidegate.io/accelerator", "H100-NVL", "H100-NVL"),
    ("tidegate.io/accelerator", "our-own-chip", "our-own-chip"),
]


@pytest.mark.parametrize(("label", "value", "name"), LABELS)
def test_labels_name_the_catalogs_accelerators(label: str, value: str, name: str) -> None:
    assert accelerator_of({"kubernetes.io/os": "linux", label: value}) == name


def test_every_accelerator_of_the_catalog_is_found_by_some_label_and_by_its_own_name() -> None:
    assert set(ACCELERATORS) <= {name for _, _, name in LABELS}
    for name in ACCELERATORS:
        assert accelerator_of({"tidegate.io/accelerator": name.lower()}) == name
        assert accelerator_of({"nvidia.com/gpu.product": f"NVIDIA-{name}"}) == name


def test_karpenters_a100_is_told_apart_by_its_memory_or_machine() -> None:
    a100 = {"karpenter.k8s.aws/instance-gpu-name": "a100"}
    assert accelerator_of({**a100, "karpenter.k8s.aws/instance-gpu-memory": "81920"}) == "A100-80"
    assert accelerator_of({**a100, "karpenter.k8s.aws/instance-gpu-memory": "40960"}) == "A100-40"
    assert accelerator_of({**a100, "node.kubernetes.io/instance-type": "p4de.24xlarge"}) == "A100-80"


def test_machines_without_gpus_name_none_and_unknown_products_keep_their_name() -> None:
    assert accelerator_of({"node.kubernetes.io/instance-type": "m7i.large", "team": "h100"}) is None
    assert accelerator_of({"nvidia.com/gpu.product": "Quadro-P400"}) == "Quadro-P400"


@pytest.mark.parametrize(
    ("label", "value", "kind"),
    [
        ("karpenter.sh/capacity-type", "spot", CapacityType.SPOT),
        ("karpenter.sh/capacity-type", "on-demand", CapacityType.ON_DEMAND),
        ("karpenter.sh/capacity-type", "reserved", CapacityType.ON_DEMAND),
        ("cloud.google.com/gke-spot", "true", CapacityType.SPOT),
        ("cloud.google.com/gke-provisioning", "standard", CapacityType.ON_DEMAND),
        ("eks.amazonaws.com/capacityType", "SPOT", CapacityType.SPOT),
        ("eks.amazonaws.com/capacityType", "ON_DEMAND", CapacityType.ON_DEMAND),
        ("kubernetes.azure.com/scalesetpriority", "spot", CapacityType.SPOT),
        ("topology.kubernetes.io/zone", "a", None),
    ],
)
def test_labels_say_how_a_machine_is_bought(label: str, value: str, kind: CapacityType | None) -> None:
    assert capacity_type_of({label: value}) is kind


def test_shared_and_sliced_gpus_are_told_from_whole_ones() -> None:
    assert "shared 4 ways" in shared_words(
        {"nvidia.com/gpu.product": "NVIDIA-L4-SHARED", "nvidia.com/gpu.replicas": "4"}
    )
    assert "MIG" in shared_words({"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB-MIG-1g.10gb"})
    assert shared_words({"nvidia.com/gpu.product": "NVIDIA-L4", "nvidia.com/gpu.sharing-strategy": "none"}) == ""


def affinity(*terms: list[Json]) -> Json:
    """Required node affinity of these terms, each a list of expressions."""
    required = {"nodeSelectorTerms": [{"matchExpressions": list(term)} for term in terms]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}


def test_a_deployment_says_its_gpu_width_capacity_and_role() -> None:
    selector = {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3", "karpenter.sh/capacity-type": "spot"}
    given = deployment(pod_template=template(4, {"llm-d.ai/role": "prefill"}, nodeSelector=selector))
    assert discovered(given) == Discovered("H100", 4, CapacityType.SPOT, Role.PREFILL)


def test_gpus_are_summed_over_containers_and_kinds_of_gpus() -> None:
    two = template(2)
    two["spec"]["containers"].append(engine("1", "draft"))
    two["spec"]["containers"].append({"name": "proxy"})
    assert discovered(deployment(pod_template=two)).gpus_per_replica == 3
    amd: Json = {"spec": {"containers": [engine(8, resource="amd.com/gpu")]}}
    assert discovered(deployment(pod_template=amd)).gpus_per_replica == 8
    assert discovered(deployment(pod_template={"spec": {"containers": [{"name": "x"}]}})).gpus_per_replica is None


def test_slices_and_claims_are_not_taken_for_gpus() -> None:
    mig = template(1)
    mig["spec"]["containers"][0]["resources"]["limits"] = {"nvidia.com/mig-3g.40gb": "1"}
    assert discovered(deployment(pod_template=mig)).gpus_per_replica is None
    dra = template(1, resourceClaims=[{"name": "gpu", "resourceClaimTemplateName": "one-gpu"}])
    assert discovered(deployment(pod_template=dra)).gpus_per_replica is None


def test_affinity_names_an_accelerator_where_all_it_allows_is_that_one() -> None:
    def said(*terms: list[Json]) -> Discovered:
        return discovered(deployment(pod_template=template(1, affinity=affinity(*terms))))

    gke = {"key": "cloud.google.com/gke-accelerator", "operator": "In", "values": ["nvidia-h100-80gb"]}
    mega = {**gke, "values": ["nvidia-h100-mega-80gb", "nvidia-h100-80gb"]}
    l4 = {**gke, "values": ["nvidia-l4"]}
    assert said([gke]).accelerator == "H100"
    assert said([mega]).accelerator == "H100"
    assert said([gke], [l4]).accelerator is None
    spot = {"key": "cloud.google.com/gke-spot", "operator": "NotIn", "values": ["true"]}
    assert said([gke, spot]).capacity_type is CapacityType.ON_DEMAND


def test_nodes_say_what_the_template_does_not() -> None:
    selector = {"pool": "big"}
    given = deployment(pod_template=template(8, nodeSelector=selector))
    big = node("a", product="NVIDIA-H200", labels={"pool": "big", "eks.amazonaws.com/capacityType": "ON_DEMAND"})
    nodes = [big, node("b", product="NVIDIA-L4", labels={"pool": "small"})]
    assert discovered(given, nodes) == Discovered("H200", 8, CapacityType.ON_DEMAND, None)
    assert discovered(given, [*nodes, node("c", product="NVIDIA-B200", labels={"pool": "big"})]).accelerator is None


def lws(size: int = 4, leader: Json | None = None) -> Json:
    both: Json = {"size": size, "workerTemplate": template(8)}
    if leader:
        both["leaderTemplate"] = leader
    return {
        "kind": "LeaderWorkerSet",
        "metadata": {"name": "big"},
        "spec": {"replicas": 2, "leaderWorkerTemplate": both},
    }


def test_a_leader_worker_set_is_its_size_times_its_worker() -> None:
    assert discovered(lws()).gpus_per_replica == 32
    leader = template(0, {"llm-d.ai/role": "decode"})
    leader["spec"]["containers"] = [{"name": "router"}]
    given = lws(4, leader)
    assert discovered(given) == Discovered(None, 24, None, Role.DECODE)
    assert pod_template(given) == leader
    assert [part.pods for part in parts_of(given)] == [1, 3]


def test_a_ray_worker_group_is_found_by_its_name_or_its_gpus() -> None:
    groups = [
        {"groupName": "cpu", "template": {"spec": {"containers": [{"name": "ray"}]}}},
        {"groupName": "gpu", "numOfHosts": 2, "template": template(8)},
    ]
    cluster: Json = {"kind": "RayCluster", "spec": {"headGroupSpec": {}, "workerGroupSpecs": groups}}
    service: Json = {"kind": "RayService", "spec": {"rayClusterConfig": cluster["spec"]}}
    for given in (cluster, service):
        assert discovered(given).gpus_per_replica == 16
        assert pod_template(given, "cpu") == groups[0]["template"]
        assert pod_template(given, "none") is None


def test_kserves_services_are_read() -> None:
    llm: Json = {
        "kind": "LLMInferenceService",
        "spec": {
            "model": {"name": "meta-llama/Llama-3.1-70B-Instruct", "uri": "hf://meta-llama/Llama-3.1-70B-Instruct"},
            "parallelism": {"data": 8, "dataLocal": 4},
            "template": {"containers": [engine(4, "main")]},
            "worker": {"containers": [engine(4, "main")]},
            "prefill": {"template": {"containers": [engine(2, "main")]}},
        },
    }
    assert discovered(llm) == Discovered(None, 8, None, Role.DECODE)
    assert discovered(llm, group="prefill") == Discovered(None, 2, None, Role.PREFILL)
    assert model_of(llm) == "meta-llama/Llama-3.1-70B-Instruct"
    predictor: Json = {
        "model": {"modelFormat": {"name": "huggingface"}, **engine(1), "args": ["--model_name=llama3"]},
        "workerSpec": {"pipelineParallelSize": 2, "containers": [engine(1)]},
    }
    service: Json = {"kind": "InferenceService", "spec": {"predictor": predictor}}
    assert discovered(service).gpus_per_replica == 2
    assert model_of(service) == "llama3"


def test_an_object_without_a_template_says_nothing() -> None:
    for given in ({}, {"spec": {"template": "x"}}, {"spec": {"replicas": 2}}):
        assert (pod_template(given), template_of(given), model_of(given)) == (None, "", None)
        assert discovered(given) == Discovered()


@pytest.mark.parametrize(
    ("command", "args", "env", "model"),
    [
        (
            None,
            ["--model", "meta-llama/Llama-3.1-8B-Instruct", "--port", "8000"],
            {},
            "meta-llama/Llama-3.1-8B-Instruct",
        ),
        (None, ["--port=8000", "--model=Qwen/Qwen3-8B"], {}, "Qwen/Qwen3-8B"),
        (["vllm", "serve", "Qwen/Qwen3-32B"], ["--tensor-parallel-size", "4"], {}, "Qwen/Qwen3-32B"),
        (["vllm", "serve"], ["--port", "8000", "Qwen/Qwen3-8B"], {}, "Qwen/Qwen3-8B"),
        (
            ["/bin/bash", "-c"],
            ["source /venv/bin/activate\nexec vllm serve \\\n  $MODEL --port 8000 # serve it"],
            {"MODEL": "openai/gpt-oss-120b"},
            "openai/gpt-oss-120b",
        ),
        (
            ["python3", "-m", "sglang.launch_server"],
            ["--model-path", "$(MODEL_PATH)"],
            {"MODEL_PATH": "deepseek-ai/DeepSeek-V3"},
            "deepseek-ai/DeepSeek-V3",
        ),
        (None, ["--model", "/mnt/models", "--served-model-name", "chat"], {}, "chat"),
        (None, ["--model", "/mnt/models"], {}, "/mnt/models"),
        (None, None, {"MODEL_ID": "mistralai/Mistral-7B-v0.3"}, "mistralai/Mistral-7B-v0.3"),
        (["sleep", "infinity"], None, {}, None),
    ],
)
def test_the_model_is_read_from_the_command_line(
    command: list[str] | None, args: list[str] | None, env: dict[str, str], model: str | None
) -> None:
    container: Json = {"name": "vllm", "env": [{"name": name, "value": value} for name, value in env.items()]}
    container |= {"command": command} if command else {}
    container |= {"args": args} if args else {}
    assert model_in(container) == model


@pytest.mark.parametrize(
    ("args", "role"),
    [
        (["--disaggregation-mode", "prefill"], Role.PREFILL),
        (["--kv-transfer-config", '{"kv_connector":"P2pNcclConnector","kv_role":"kv_consumer"}'], Role.DECODE),
        (["--kv-transfer-config", '{"kv_connector":"NixlConnector","kv_role":"kv_both"}'], None),
        (["--kv-transfer-config", "{not json"], None),
        (["--is-prefill-worker"], Role.PREFILL),
    ],
)
def test_the_role_is_read_from_the_command_line(args: list[str], role: Role | None) -> None:
    assert role_in({"args": args}) is role


@pytest.mark.parametrize(
    ("label", "value", "role"),
    [
        ("llm-d.ai/role", "prefill", Role.PREFILL),
        ("llm-d.ai/role", "decode", Role.DECODE),
        ("llm-d.ai/role", "both", Role.BOTH),
        ("llm-d.ai/role", "prefill-decode", Role.BOTH),
        ("llm-d.ai/role", "encode", None),
        ("nvidia.com/dynamo-sub-component-type", "decode", Role.DECODE),
        ("rolebasedgroup.workloads.x-k8s.io/role", "prefill", Role.PREFILL),
    ],
)
def test_labels_say_the_role(label: str, value: str, role: Role | None) -> None:
    assert role_of(deployment(pod_template=template(1, {label: value}))) is role
    assert role_of(deployment(labels={label: value})) is role


def test_a_template_is_another_with_its_image_or_arguments_and_with_nothing_else() -> None:
    given = deployment(pod_template=template(2))
    made = template_of(given)
    assert len(made) == 16

    restarted = copy.deepcopy(given)
    restarted["spec"]["replicas"] = 9
    restarted["metadata"]["labels"] = {"team": "b"}
    restarted["spec"]["template"]["metadata"] = {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}
    restarted["spec"]["template"]["spec"]["containers"].append({"name": "istio-proxy", "image": "istio:2"})
    assert template_of(restarted) == made

    for field, value in (
        ("image", "vllm/vllm-openai:v0.12.0"),
        ("args", ["--max-model-len", "4096"]),
        ("env", [{"name": "VLLM_USE_V1", "value": "1"}]),
        ("resources", {"limits": {"nvidia.com/gpu": "4"}}),
    ):
        other = copy.deepcopy(given)
        other["spec"]["template"]["spec"]["containers"][0][field] = value
        assert template_of(other) != made
    assert template_of(lws(2)) != template_of(lws(4))


def test_the_order_of_the_environment_does_not_matter() -> None:
    one, two = template(1), template(1)
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    one["spec"]["containers"][0]["env"] = env
    two["spec"]["containers"][0]["env"] = env[::-1]
    assert template_of(deployment(pod_template=one)) == template_of(deployment(pod_template=two))
