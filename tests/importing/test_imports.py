"""HPAs and ScaledObjects as custom resources: what is carried over, what is said of the rest, and that all of it is valid."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.domain.discovered import Discovered
from controlplane.domain.json_object import FieldError
from controlplane.domain.manifest import target_from_manifest
from controlplane.domain.target import Mode
from controlplane.importing.hpa import from_hpa
from controlplane.importing.imported import Choice, Imported
from controlplane.importing.scaled_object import from_scaled_object
from controlplane.importing.served_model import catalog_name, served_model
from controlplane.simulation.kubernetes.schema import admit
from tests.domain.resources import RESOURCE

CHOICE = Choice("llama-3.1-8b", "Chat", "H100")
DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat"}


def hpa(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "chat", "namespace": "prod"},
        "spec": {"scaleTargetRef": DEPLOYMENT, "minReplicas": 2, "maxReplicas": 8, **spec},
    }


def scaled_object(annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": "chat", "namespace": "prod", "annotations": annotations or {}},
        "spec": {"scaleTargetRef": {"name": "chat"}, "triggers": [], **spec},
    }


def cron(name: str | None = None, **metadata: Any) -> dict[str, Any]:
    hours = {"timezone": "Europe/Berlin", "start": "0 8 * * 1-5", "end": "0 18 * * 1-5", "desiredReplicas": "4"}
    return {"type": "cron", "metadata": {**hours, **metadata}, **({"name": name} if name else {})}


def spec_of(imported: Imported) -> dict[str, Any]:
    """The spec of what was written as YAML, after an API server and the reader have taken it."""
    written = yaml.safe_load(imported.to_yaml())
    assert written == imported.manifest
    kept = admit(RESOURCE, json.loads(json.dumps(written)), strict=True)
    target = target_from_manifest(kept, {"default": Discovered("H100")})
    assert target.policy.mode is Mode.SHADOW
    spec: dict[str, Any] = written["spec"]
    return spec


def test_an_hpas_bounds_behaviour_and_tolerance() -> None:
    behavior = {
        "scaleUp": {
            "stabilizationWindowSeconds": 0,
            "selectPolicy": "Max",
            "policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}],
            "tolerance": "50m",
        },
        "scaleDown": {"stabilizationWindowSeconds": 600},
    }
    assert spec_of(from_hpa(hpa(behavior=behavior), CHOICE)) == {
        "model": "llama-3.1-8b",
        "mode": "Shadow",
        "slo": {"preset": "Chat"},
        "accelerator": "H100",
        "scaleTargetRef": DEPLOYMENT,
        "minReplicas": 2,
        "maxReplicas": 8,
        "behavior": {**behavior, "scaleDown": {**behavior["scaleDown"], "waitOutFalls": True}},
    }


def test_every_metric_is_named_as_replaced() -> None:
    metrics = [
        {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}},
        {
            "type": "Pods",
            "pods": {
                "metric": {"name": "vllm:num_requests_waiting"},
                "target": {"type": "AverageValue", "averageValue": "5"},
            },
        },
    ]
    text = from_hpa(hpa(metrics=metrics), CHOICE).to_yaml()
    assert "# metric Resource cpu (averageUtilization 80) is replaced by the SLO.\n" in text
    assert "# metric Pods vllm:num_requests_waiting (averageValue 5) is replaced by the SLO.\n" in text
    assert "waits 60 s. Set stabilizationWindowSeconds and waitOutFalls to keep HPA's." in text


def test_an_hpa_that_goes_to_zero_and_one_that_keda_made() -> None:
    assert spec_of(from_hpa(hpa(minReplicas=0), CHOICE))["scaleToZero"] == {"idleSeconds": 300}
    owned = hpa()
    owned["metadata"]["ownerReferences"] = [{"kind": "ScaledObject", "name": "chat"}]
    assert "use tidegate import scaledobject chat" in from_hpa(owned, CHOICE).to_yaml()


def test_without_an_accelerator_it_is_left_to_be_discovered() -> None:
    imported = from_hpa(hpa(), Choice("llama-3.1-8b", "RAG"))
    assert "accelerator" not in spec_of(imported)
    assert "# accelerator: discovered from the pod template" in imported.to_yaml()


def test_kedas_defaults_are_0_to_100_and_five_minutes() -> None:
    spec = spec_of(from_scaled_object(scaled_object(), CHOICE))
    assert (spec["minReplicas"], spec["maxReplicas"], spec["scaleToZero"]) == (0, 100, {"idleSeconds": 300})
    assert spec["scaleTargetRef"] == DEPLOYMENT


def test_cron_triggers_become_schedules_and_the_others_are_named() -> None:
    prometheus = {
        "type": "prometheus",
        "metadata": {"query": "sum(\n  waiting)", "threshold": "5", "serverAddress": "http://u:p@x"},
    }
    triggers = [
        cron("Office Hours"),
        cron(),
        prometheus,
        cron(start="0 8 * *"),
        cron(timezone="Mars"),
        cron(desiredReplicas="300"),
    ]
    imported = from_scaled_object(scaled_object(triggers=triggers, minReplicaCount=1, maxReplicaCount=10), CHOICE)
    spec = spec_of(imported)
    assert [(s["name"], s["minReplicas"]) for s in spec["schedules"]] == [
        ("office-hours", 4),
        ("cron-1", 4),
        ("cron-5", 10),
    ]
    assert spec["schedules"][0]["timeZone"] == "Europe/Berlin"
    assert "scaleToZero" not in spec
    text = imported.to_yaml()
    assert "# KEDA trigger prometheus (query sum(\n" not in text
    assert "# KEDA trigger prometheus (query sum( waiting), threshold 5) is replaced by the SLO.\n" in text
    assert "u:p" not in text
    assert "# KEDA trigger cron cron-3 was not carried over: start '0 8 * *'" in text
    assert "# KEDA trigger cron cron-4 was not carried over: timezone 'Mars' is no time zone" in text
    assert "cron-5 asks for 300 replicas, which maxReplicas 10 cuts" in text


def test_idle_replicas_behaviour_and_what_is_left_out() -> None:
    down = {"stabilizationWindowSeconds": 120}
    advanced = {
        "horizontalPodAutoscalerConfig": {"behavior": {"scaleDown": down}},
        "scalingModifiers": {"formula": "a"},
    }
    given = scaled_object(
        idleReplicaCount=0, minReplicaCount=2, cooldownPeriod=60, advanced=advanced, fallback={"replicas": 3}
    )
    imported = from_scaled_object(given, CHOICE)
    spec = spec_of(imported)
    assert (spec["minReplicas"], spec["scaleToZero"], spec["behavior"]) == (
        0,
        {"idleSeconds": 60},
        {"scaleDown": {**down, "waitOutFalls": True}},
    )
    text = imported.to_yaml()
    assert "the floor of 2 while there is load was not carried over" in text
    assert "fallback was not carried over" in text
    assert "scalingModifiers was not carried over" in text


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({"autoscaling.keda.sh/paused-replicas": "4"}, {"kind": "Pin", "replicas": 4}),
        ({"autoscaling.keda.sh/paused": "true"}, {"kind": "Pause"}),
    ],
)
def test_a_paused_scaled_object_stays_paused(annotations: dict[str, str], expected: dict[str, Any]) -> None:
    (override,) = spec_of(from_scaled_object(scaled_object(annotations), CHOICE))["overrides"]
    assert {**override, **expected} == override


def test_a_direction_that_is_paused_is_disabled() -> None:
    given = scaled_object({"autoscaling.keda.sh/paused-scale-in": "true"})
    assert spec_of(from_scaled_object(given, CHOICE))["behavior"] == {"scaleDown": {"selectPolicy": "Disabled"}}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (
            {**hpa(), "kind": "Deployment"},
            "the document is autoscaling/v2 Deployment; allowed: HorizontalPodAutoscaler",
        ),
        (hpa(scaleTargetRef={}), "scaleTargetRef.name is absent"),
        (hpa(maxReplicas="many"), "maxReplicas is 'many'"),
        (hpa(maxReplicas=1), "the most replicas are 1; allowed: at least 1, and the fewest (2)"),
        (hpa(behavior={"scaleUp": {"selectPolicy": "Most"}}), "selectPolicy is 'Most'; allowed: Max, Min, Disabled"),
        (hpa(behavior={"scaleUp": {"policies": [{"type": "Pods", "value": 0}]}}), "periodSeconds is absent"),
        (hpa(minReplicas=1.5), "minReplicas is 1.5; allowed: a whole number"),
    ],
)
def test_what_cannot_be_read_is_named(document: dict[str, Any], words: str) -> None:
    with pytest.raises(FieldError) as refusal:
        from_hpa(document, CHOICE)
    assert words in str(refusal.value)


# Whatever is imported is valid

POLICIES = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["Pods", "Percent"]),
            "value": st.integers(1, 2**31 - 1),
            "periodSeconds": st.integers(1, 1800),
        }
    ),
    max_size=20,
)
TOLERANCES = st.sampled_from(["0", "50m", "0.05", "1", "2", "1k", "5e-2", "100u", 0, 1, 3])
SIDE = st.fixed_dictionaries(
    {},
    optional={
        "stabilizationWindowSeconds": st.integers(0, 3600),
        "selectPolicy": st.sampled_from(["Max", "Min", "Disabled"]),
        "policies": POLICIES,
        "tolerance": TOLERANCES,
    },
)
BEHAVIOR = st.fixed_dictionaries({}, optional={"scaleUp": SIDE, "scaleDown": SIDE})
REFS = st.fixed_dictionaries(
    {"name": st.from_regex(r"[a-z]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)},
    optional={"kind": st.sampled_from(["Deployment", "LeaderWorkerSet"]), "apiVersion": st.just("apps/v1")},
)
FIELD = st.sampled_from(["*", "0", "8", "*/5", "1-5", "MON-FRI", "61", "?", "L", "@", "2#1"])
CRON = st.lists(FIELD, min_size=1, max_size=7).map(" ".join)
TRIGGERS = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {
                "type": st.just("cron"),
                "metadata": st.fixed_dictionaries(
                    {},
                    optional={
                        "start": CRON,
                        "end": CRON,
                        "timezone": st.sampled_from(["UTC", "Europe/Berlin", "Mars", "", "../x", "Etc/GMT+1"]),
                        "desiredReplicas": st.sampled_from(["0", "3", "99999999", "x", "-1", "", "٣"]),
                    },
                ),
            },
            optional={"name": st.text(max_size=70)},
        ),
        st.fixed_dictionaries({"type": st.text(max_size=9), "metadata": st.dictionaries(st.just("query"), st.text())}),
    ),
    max_size=6,
)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 5), st.integers(5, 2**31 - 1), BEHAVIOR, REFS)
def test_any_hpa_gives_a_valid_resource(low: int, high: int, behavior: dict[str, Any], ref: dict[str, Any]) -> None:
    given_ = hpa(minReplicas=low, maxReplicas=high, behavior=behavior, scaleTargetRef=ref)
    assert spec_of(from_hpa(given_, CHOICE))["minReplicas"] == low


@settings(max_examples=40, deadline=None)
@given(
    st.fixed_dictionaries(
        {"scaleTargetRef": REFS, "triggers": TRIGGERS},
        optional={
            "minReplicaCount": st.integers(0, 9),
            "maxReplicaCount": st.integers(9, 2**31 - 1),
            "idleReplicaCount": st.just(0),
            "cooldownPeriod": st.integers(0, 10**7),
            "pollingInterval": st.integers(1, 60),
            "advanced": st.fixed_dictionaries(
                {"horizontalPodAutoscalerConfig": st.fixed_dictionaries({"behavior": BEHAVIOR})},
                optional={"restoreToOriginalReplicaCount": st.booleans()},
            ),
        },
    )
)
def test_any_scaled_object_gives_a_valid_resource(spec: dict[str, Any]) -> None:
    given_ = scaled_object()
    given_["spec"] = spec
    assert spec_of(from_scaled_object(given_, CHOICE))["maxReplicas"] == min(spec.get("maxReplicaCount", 100), 100_000)


# The model


def pod(*words: str, command: tuple[str, ...] = ()) -> dict[str, Any]:
    containers = [{"name": "sidecar"}, {"name": "engine", "command": list(command), "args": list(words)}]
    return {"spec": {"template": {"spec": {"containers": containers}}}}


@pytest.mark.parametrize(
    ("workload", "served"),
    [
        (pod("--model", "Qwen/Qwen3-8B"), "Qwen/Qwen3-8B"),
        (pod("--port=8000", "--model=Qwen/Qwen3-8B"), "Qwen/Qwen3-8B"),
        (pod("meta-llama/Llama-3.1-8B-Instruct", command=("vllm", "serve")), "meta-llama/Llama-3.1-8B-Instruct"),
        (pod("vllm serve google/gemma-2-9b-it \\\n --port 80", command=("sh", "-c")), "google/gemma-2-9b-it"),
        (pod("--model-path", "/models/qwen3-32b"), "/models/qwen3-32b"),
        (pod("serve", "x"), None),
        (pod("--model"), None),
        ({"spec": {"leaderWorkerTemplate": {"workerTemplate": pod("--model-id=a/b")["spec"]["template"]}}}, "a/b"),
        (None, None),
    ],
)
def test_the_model_is_read_from_the_command_line(workload: object, served: str | None) -> None:
    assert served_model(workload) == served


@pytest.mark.parametrize(
    ("served", "name"),
    [
        ("meta-llama/Meta-Llama-3.1-8B-Instruct", "llama-3.1-8b"),
        ("neuralmagic/Meta-Llama-3.1-70B-Instruct-FP8", "llama-3.1-70b-fp8"),
        ("mistralai/Mistral-7B-Instruct-v0.3", "mistral-7b"),
        ("google/gemma-2-9b-it", "gemma-2-9b"),
        ("/models/qwen3-32b/", "qwen3-32b"),
        ("hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4", None),
        ("meta-llama/Llama-3.2-1B", None),
    ],
)
def test_a_checkpoint_of_another_size_is_not_taken_for_one_of_the_catalogs(served: str, name: str | None) -> None:
    assert catalog_name(served) == name
