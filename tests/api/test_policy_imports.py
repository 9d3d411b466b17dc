"""An HPA or a ScaledObject as a policy: what comes back is taken as it is, and what is wrong is named."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from controlplane.domain.access import AccessRole
from controlplane.store.ledger import PostgresLedger
from tests.api.test_overrides import NOW_S, Office
from tests.builders import make_target
from tests.importing.test_imports import DEPLOYMENT, cron, hpa, pod, scaled_object

PATH = "/api/v1/policies/import"
MODEL = {"model": "llama-3.1-8b", "accelerator": "H100"}


@pytest.fixture
def operator(database_url: str, recording: PostgresLedger) -> Office:
    recording.save_targets([make_target()], NOW_S)
    return Office(database_url, AccessRole.OPERATOR, "prod")


def sent(office: Office, *documents: dict[str, Any], **more: Any) -> Any:
    return office.client.post(PATH, json={"manifest": yaml.safe_dump_all(documents), **more})


def test_an_hpa_becomes_a_policy_that_is_taken_as_it_is(operator: Office) -> None:
    answer = sent(operator, hpa(), **MODEL)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["kind"], body["valid"], body["field"]) == ("HorizontalPodAutoscaler", True, None)
    assert body["policy"]["namespaces"] == ["prod"]
    assert (body["policy"]["spec"]["minReplicas"], "mode" in body["policy"]["spec"]) == (2, False)
    assert yaml.safe_load(body["yaml"])["spec"]["mode"] == "Shadow"
    assert any("is replaced by the SLO" in note or "Shadow" in note for note in body["notes"])
    assert operator.rows("SELECT count(*) FROM audit") == [(0,)]
    made = operator.client.post("/api/v1/policies", json=body["policy"])
    assert (made.status_code, made.json()["versions"][0]["stage"]) == (201, "Draft")


def test_a_scaled_object_keeps_its_hours_and_says_what_it_lost(operator: Office) -> None:
    kafka = {"type": "kafka", "metadata": {"topic": "asks", "password": "hunter2"}}
    body = sent(operator, scaled_object(triggers=[cron("office"), kafka], pollingInterval=5), **MODEL).json()
    assert [one["name"] for one in body["policy"]["spec"]["schedules"]] == ["office"]
    assert any(note.startswith("KEDA trigger kafka") for note in body["notes"])
    assert any(note.startswith("pollingInterval was not carried over") for note in body["notes"])
    assert "hunter2" not in str(body)


def test_the_model_is_read_from_the_workload_beside_it(operator: Office) -> None:
    deployment = {**DEPLOYMENT, "metadata": {"name": "chat"}, "spec": pod("--model", "Qwen/Qwen3-8B")["spec"]}
    body = sent(operator, hpa(), deployment, accelerator="H100").json()
    assert body["policy"]["spec"]["model"] == "qwen3-8b"
    unsaid = sent(operator, hpa())
    assert (unsaid.status_code, unsaid.json()["field"]) == (422, "model")


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ("a: [", "YAML"),
        ("a: &x [1]\nb: *x", "aliases are not allowed"),
        ("kind: Deployment", "it holds Deployment None"),
        ("[]", "it holds nothing"),
        ("a: 2026-13-45", "YAML"),
        ("[" * 5000, "YAML"),
        (yaml.safe_dump_all([hpa(), scaled_object()]), "name says which"),
        (yaml.safe_dump({**hpa(), "apiVersion": "autoscaling/v2beta1"}), "autoscaling/v2 or autoscaling/v1"),
        (yaml.safe_dump(hpa(minReplicas=-1)), "minReplicas"),
        (yaml.safe_dump(hpa(maxReplicas=1)), "the most replicas are 1"),
    ],
)
def test_what_cannot_be_read_is_named(operator: Office, manifest: str, words: str) -> None:
    answer = operator.client.post(PATH, json={"manifest": manifest, **MODEL})
    assert (answer.status_code, answer.json()["field"]) == (422, "manifest"), answer.text
    assert words in answer.json()["detail"]


@pytest.mark.parametrize("change", [{"model": "gpt-9"}, {"accelerator": "H1"}, {"slo": "Chess"}, {"colour": "red"}])
def test_what_is_wrong_beside_it_is_named_too(operator: Office, change: dict[str, str]) -> None:
    answer = sent(operator, hpa(), **{**MODEL, **change})
    assert (answer.status_code, answer.json()["field"]) == (422, next(iter(change)))


def test_only_an_operator_of_its_namespace(database_url: str, operator: Office) -> None:
    assert sent(Office(database_url, AccessRole.VIEWER, "prod"), hpa(), **MODEL).status_code == 403
    assert sent(Office(database_url, AccessRole.ADMIN, "default"), hpa(), **MODEL).status_code == 404
    nameless = {**hpa(), "metadata": {"name": "chat"}}
    assert sent(operator, nameless, namespace="prod", **MODEL).status_code == 200
    assert sent(operator, nameless, **MODEL).status_code == 404
