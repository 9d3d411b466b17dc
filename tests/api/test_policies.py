"""A policy's life over HTTP, from Draft to roll-back, and everything that is refused on the way."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import psycopg
import pytest
import yaml

from controlplane.domain.access import AccessRole, Grant
from controlplane.store.ledger import PostgresLedger
from tests.api.policies import NEW, NOW_S, SPEC, Desk, set_approval
from tests.builders import make_target


@pytest.fixture
def desk(database_url: str) -> Desk:
    return Desk(database_url, "ann")


def test_the_whole_life_with_a_second_person(desk: Desk) -> None:
    bob = Desk(desk.url, "bob", clock=desk.clock)
    set_approval(desk, True)
    policy = desk.create()["id"]
    assert desk.go(policy, 1, "promote").status_code == 409
    assert desk.go(policy, 1, "shadow").json()["shadows"] == [1]
    refused = desk.go(policy, 1, "promote")
    assert (refused.status_code, "a second person must approve" in refused.json()["detail"]) == (409, True)

    asked = desk.post(f"/policies/{policy}/versions/1/approvals", {"reason": "please"})
    assert asked.status_code == 201
    where, etag = f"/approvals/{asked.json()['id']}", asked.headers["etag"]
    own = desk.post(f"{where}/approve", {"reason": "I like it"}, etag)
    assert (own.status_code, "second person" in own.json()["detail"]) == (403, True)
    assert [a["id"] for a in bob.get("/approvals", params={"open": True}).json()] == [asked.json()["id"]]
    assert bob.post(f"{where}/approve", {"reason": "fine"}, etag).json()["decision"] == "Approved"
    assert bob.post(f"{where}/reject", {"reason": "no"}, '"2"').status_code == 409
    assert desk.go(policy, 1, "promote").json()["live"] == 1

    number = desk.version(policy, spec={**SPEC, "priority": 5}, reason="more important")
    desk.go(policy, number, "shadow")
    asked = desk.post(f"/policies/{policy}/versions/2/approvals", {"reason": "please"})
    bob.post(f"/approvals/{asked.json()['id']}/approve", {"reason": "fine"}, '"1"')
    canary = desk.go(policy, number, "canary", variants=["h100"], ttl_s=600)
    assert (canary.json()["canary"], canary.json()["versions"][1]["canary"]["until_s"]) == (2, NOW_S + 600)
    assert desk.go(policy, number, "promote").json()["live"] == 2
    assert desk.stages(policy) == {1: "Superseded", 2: "Live"}
    assert desk.go(policy, number, "rollback", reason="too dear").json()["live"] == 1
    assert desk.stages(policy) == {1: "Live", 2: "RolledBack"}
    history = [(s["number"], s["stage"], s["actor"]) for s in desk.get(f"/policies/{policy}/stages").json()]
    assert history[-4:] == [
        (1, "Superseded", "user:ann"),
        (2, "Live", "user:ann"),
        (2, "RolledBack", "user:ann"),
        (1, "Live", "user:ann"),
    ]
    actions = [row[0] for row in desk.rows("SELECT action FROM audit ORDER BY id")]
    assert actions[:5] == ["policy.create", "policy.shadow", "approval.ask", "approval.approve", "policy.promote"]


def test_a_rejection_is_a_word_too(desk: Desk) -> None:
    bob = Desk(desk.url, "bob")
    set_approval(desk, True)
    policy = desk.create()["id"]
    desk.go(policy, 1, "shadow")
    asked = desk.post(f"/policies/{policy}/versions/1/approvals", {"reason": "please"}).json()
    no = bob.post(f"/approvals/{asked['id']}/reject", {"reason": "not on a Friday"}, '"1"').json()
    assert (no["decision"], no["decided_by"], no["decision_reason"]) == ("Rejected", "user:bob", "not on a Friday")
    assert desk.go(policy, 1, "promote").status_code == 409


def test_a_version_says_what_it_changed(desk: Desk) -> None:
    policy = desk.create()["id"]
    changed = {**SPEC, "priority": 5, "slo": {"ttftSeconds": 1.5, "tpotSeconds": 0.1}}
    desk.version(policy, spec=changed, reason="faster")
    version = desk.get(f"/policies/{policy}/versions/2").json()
    assert [(c["path"], c["before"], c["after"]) for c in version["changes"]] == [
        ("spec.priority", None, 5),
        ("spec.slo.ttftSeconds", 2.0, 1.5),
    ]
    assert (version["author"], version["reason"], version["parent"]) == ("user:ann", "faster", 1)
    diff = desk.get(f"/policies/{policy}/diff", params={"before": 1, "after": 2}).json()
    assert {"-  ttftSeconds: 2.0", "+  ttftSeconds: 1.5", "+priority: 5"} <= set(diff["unified"].splitlines())
    assert len(desk.get(f"/policies/{policy}/versions").json()) == 2


def test_what_was_written_stays(desk: Desk) -> None:
    desk.create()
    for statement in ("UPDATE policy_versions SET reason = 'x'", "DELETE FROM policy_stages"):
        with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
            desk.rows(statement)


def test_two_changes_on_one_etag_are_one(desk: Desk) -> None:
    policy = desk.create()["id"]
    path = f"/policies/{policy}/versions"
    assert desk.post(path, {"spec": SPEC, "reason": "r"}).status_code == 428
    answers: list[int] = []

    def change() -> None:
        answers.append(desk.post(path, {"spec": SPEC, "reason": "r"}, '"1"').status_code)

    threads = [threading.Thread(target=change) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [201, 412, 412, 412, 412, 412]
    assert len(desk.get(f"/policies/{policy}").json()["versions"]) == 2


def test_one_target_has_one_policy(desk: Desk) -> None:
    first = desk.create()
    taken = desk.post("/policies", NEW)
    assert (taken.status_code, "team/chat already" in taken.json()["detail"]) == (409, True)
    gone = desk.client.delete(f"/api/v1/policies/{first['id']}", headers={"If-Match": first["etag"]})
    assert gone.status_code == 200
    again = desk.create()
    assert [p["id"] for p in desk.get("/policies").json()["items"]] == [again["id"]]
    assert len(desk.get("/policies", params={"archived": True}).json()["items"]) == 2


def test_a_replayed_request_is_answered_as_before(desk: Desk) -> None:
    key = {"Idempotency-Key": "k"}
    first, again = (desk.post("/policies", NEW, headers=key) for _ in range(2))
    assert (again.status_code, again.json(), again.headers["idempotency-replayed"]) == (201, first.json(), "true")
    assert desk.rows("SELECT count(*) FROM policy_documents") == [(1,)]


def test_a_custom_resource_wins_and_is_shown(desk: Desk, recording: PostgresLedger) -> None:
    target = replace(make_target(), namespace="team", uid="u-1")
    recording.save_targets([target], NOW_S - 60.0)
    policy = desk.create()["id"]
    items = desk.get("/policies").json()["items"]
    assert [(p["origin"], p["read_only"]) for p in items] == [("Api", False), ("CustomResource", True)]
    mirrored = items[1]
    assert (mirrored["live"], mirrored["versions"][0]["stage"]) == (1, "Live")
    assert desk.get(f"/policies/{mirrored['id']}/versions/1").json()["spec"]["mode"] == "Live"
    assert desk.go(mirrored["id"], 1, "rollback").status_code == 403

    assert desk.get(f"/policies/{policy}").json()["named_by_resources"] == ["team/chat"]
    assert desk.go(policy, 1, "shadow").status_code == 200
    refused = desk.go(policy, 1, "promote")
    assert (refused.status_code, "GitOps" in refused.json()["detail"]) == (409, True)
    (commit,) = refused.json()["commit"]
    resource = yaml.safe_load(commit["yaml"])
    assert (resource["metadata"], resource["spec"]) == ({"name": "chat", "namespace": "team"}, SPEC)
    assert commit["json_patch"] == [{"op": "replace", "path": "/spec", "value": SPEC}]
    assert desk.get(f"/policies/{policy}/patch").json() == [commit]
    desk.rows("UPDATE targets SET gone_at = now()")
    assert desk.go(policy, 1, "promote").json()["live"] == 1


def test_yaml_in_and_out(desk: Desk) -> None:
    resource = {
        "apiVersion": "tidegate.io/v1alpha1",
        "kind": "InferenceAutoscaler",
        "metadata": {"name": "chat", "namespace": "team"},
        "spec": SPEC,
    }
    kind = {"content-type": "application/yaml"}
    made = desk.client.post("/api/v1/policies?reason=from+git", content=yaml.safe_dump(resource), headers=kind)
    assert made.status_code == 201, made.text
    policy = made.json()["id"]
    assert made.json()["versions"][0]["reason"] == "from git"
    back = desk.get(f"/policies/{policy}/versions/1", headers={"accept": "application/yaml"})
    assert (back.headers["content-type"], yaml.safe_load(back.text)) == ("application/yaml", resource)
    bomb = "a: &a [x,x]\nb: &b [*a,*a]\n"
    assert desk.client.post("/api/v1/policies", content=bomb, headers=kind).status_code == 422
    assert desk.client.post("/api/v1/policies", content="[" * 100_000, headers=kind).status_code == 422


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "Chat!"}, "name"),
        ({"namespaces": []}, "namespaces"),
        ({"reason": ""}, "reason"),
        ({"reason": "a\x00b"}, "reason"),
        ({"spec": {**SPEC, "model": "gpt-9"}}, "spec.model"),
        ({"spec": {**SPEC, "group": "a\x00b"}}, "spec"),
        ({"spec": {"slo": {}}}, "spec.model"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_one_is_refused_by_field(desk: Desk, change: dict[str, Any], field: str) -> None:
    answer = desk.post("/policies", {**NEW, **change})
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert desk.rows("SELECT count(*) FROM policy_documents") == [(0,)]


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"\xff", b'{"spec": NaN}', b'{"spec": 1e999}', b"[" * 50_000, b"[]", b"null"]
)
def test_what_is_no_json_is_refused(desk: Desk, raw: bytes) -> None:
    answer = desk.client.post("/api/v1/policies", content=raw, headers={"content-type": "application/json"})
    assert answer.status_code == 422


def test_a_dry_run_keeps_nothing(desk: Desk) -> None:
    body = {"name": "chat", "namespaces": ["team"], "spec": SPEC}
    assert desk.post("/policies/validate", body).json()["targets"] == ["team/chat"]
    wrong = desk.post("/policies/validate", {**body, "spec": {**SPEC, "priority": 10**6}}).json()
    assert (wrong["valid"], wrong["field"]) == (False, "spec.priority")
    assert desk.rows("SELECT count(*) FROM policy_documents") == [(0,)]


def test_a_canary_is_of_what_there_is(desk: Desk) -> None:
    policy = desk.create()["id"]
    desk.go(policy, 1, "shadow")
    assert desk.go(policy, 1, "canary", variants=["h100"], ttl_s=60).status_code == 409
    desk.go(policy, 1, "promote")
    desk.version(policy)
    desk.go(policy, 2, "shadow")
    for body, field in (
        ({"ttl_s": 60}, "variants"),
        ({"ttl_s": 60, "variants": ["b200"]}, "variants"),
        ({"ttl_s": 60, "namespaces": ["other"]}, "namespaces"),
        ({"ttl_s": 0, "variants": ["h100"]}, "ttl_s"),
    ):
        answer = desk.go(policy, 2, "canary", **body)
        assert (answer.status_code, answer.json()["field"]) == (422, field)
    fewer = {**SPEC, "variants": SPEC["variants"][:1]}
    desk.version(policy, spec=fewer)
    desk.go(policy, 3, "shadow")
    other = desk.go(policy, 3, "canary", variants=["h100"], ttl_s=60)
    assert (other.status_code, "version 1, which is Live" in other.json()["allowed"]) == (422, True)
    assert desk.go(policy, 3, "canary", namespaces=["team"], ttl_s=60).status_code == 200


def test_who_may(desk: Desk) -> None:
    policy = desk.create()["id"]
    viewer = Desk(desk.url, "vic", Grant(AccessRole.VIEWER, "team"))
    stranger = Desk(desk.url, "eve", Grant(AccessRole.ADMIN, "other"))
    assert viewer.get(f"/policies/{policy}").status_code == 200
    assert viewer.go(policy, 1, "shadow").status_code == 403
    assert viewer.post("/policies", NEW).status_code == 403
    assert stranger.get(f"/policies/{policy}").status_code == 404
    assert stranger.get("/policies").json()["items"] == []
    assert stranger.post("/policies", NEW).status_code == 404
    both = {**NEW, "name": "rag", "namespaces": ["team", "other"]}
    assert desk.post("/policies", both).status_code == 404
    admin = Desk(desk.url, "root", Grant(AccessRole.ADMIN))
    wide = admin.create(name="rag", namespaces=["team", "other"])["id"]
    assert desk.get(f"/policies/{wide}").json()["namespaces"] == ["team"]
    assert desk.go(wide, 1, "shadow").status_code == 404
    assert desk.rows("SELECT count(*) FROM audit WHERE namespace = 'other'") == [(1,)]


def test_pages_hold_each_once(desk: Desk, recording: PostgresLedger) -> None:
    for number in range(4):
        desk.clock.advance(1.0)
        desk.create(name=f"chat-{number}")
        one = replace(make_target(name=f"cr-{number}"), namespace="team", uid="u")
        recording.save_targets([one], desk.clock.now_s())
    seen, cursor = [], None
    while True:
        page = desk.get("/policies", params={"limit": 3, **({"cursor": cursor} if cursor else {})}).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 8
