"""What may be given to the third parties' stepper, what may not, and what it then says."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from controlplane.domain.catalog import Accelerator, Model
from controlplane.domain.observation import FaultKind, ReplicaPhase
from controlplane.planning.replica_states import STATES, ReplicaBook
from controlplane.planning.third_party import ReplicaState, Stepper, StepperError

DOCS = Path(__file__).resolve().parents[2] / "docs"
ENGINES = Path(__file__).resolve().parents[2] / ".." / "shared" / "engines"


def policy(name: str = "chat", variant: str = "h100", accelerator: str = "H100", low: int = 1, **spec: Any) -> str:
    extra = "".join(f"  {key}: {value}\n" for key, value in spec.items() if key != "model")
    return (
        "apiVersion: tidegate.io/v1alpha1\nkind: InferenceAutoscaler\n"
        f"metadata: {{name: {name}}}\nspec:\n  model: {spec.get('model', 'llama-3.1-8b')}\n{extra}"
        "  slo: {ttftSeconds: 2, tpotSeconds: 0.1}\n  variants:\n"
        f"  - {{name: {variant}, accelerator: {accelerator}, minReplicas: {low}, maxReplicas: 20}}\n"
    )


def page(finished: float, waiting: float = 0.0, running: float = 6.0) -> str:
    return (
        f"vllm:num_requests_running {running}\nvllm:num_requests_waiting {waiting}\n"
        f"vllm:prompt_tokens_total {finished * 800}\nvllm:generation_tokens_total {finished * 150}\n"
        f"vllm:request_success_total {finished}\n"
    )


def ready(*names: str, variant: str = "h100") -> list[ReplicaState]:
    return [ReplicaState(name, variant, "Ready") for name in names]


def rate(stepper: Stepper, now_s: float, pages: Mapping[str, str], **more: Any) -> float | None:
    answer = stepper.step(now_s, ready(*pages), pages, **more)
    load = answer.only.inputs.observation.load
    return None if load is None else load.requests_per_s


def test_the_page_in_the_documentation_runs_and_scales_up_and_down() -> None:
    code = re.search(r"```python\n(.*?)```", (DOCS / "stepper.md").read_text(encoding="utf-8"), re.S)
    assert code is not None
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(compile(code[1], "stepper.md", "exec"), names)
    wanted = [row[2] for row in names["history"]]
    assert wanted[0] == 1
    assert max(wanted) >= 2
    assert wanted[-1] == 1
    assert "Verdict: hold 1 h100" in said.getvalue()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no document"),
        ("{", "not YAML"),
        ("[1]", "document 1 is list; allowed: an InferenceAutoscaler"),
        ("kind: Deployment", "document 1: kind: is None 'Deployment'; allowed: tidegate.io/v1alpha1"),
        (policy(model="gpt-9"), "'gpt-9' is not in the catalog; allowed: llama-3.1-8b"),
        (policy(model="gpt-9"), r"or give it to the stepper, as also=\[Model"),
        (policy(accelerator="TPU"), "'TPU' is not in the catalog; allowed: L4"),
        (policy(intervalSeconds=0), "spec.intervalSeconds"),
        (policy() + "---\n" + policy(variant="a"), "documents have the name default/chat more than once"),
        (policy() + "---\n" + policy("b"), "variants have the name h100 more than once"),
        (policy() + "---\n" + policy("b", "a", group="other"), "groups default, other; allowed: one group"),
    ],
)
def test_a_policy_that_cannot_be_used_says_why(text: str, words: str) -> None:
    with pytest.raises(StepperError, match=words):
        Stepper.from_yaml(text)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"now_s": float("nan")}, "now_s is nan"),
        ({"now_s": 99.0}, "now_s is 99.0; allowed: at least the last step's, 100.0"),
        (
            {"replicas": [ReplicaState("p", "h100", "Sleeping")]},
            "state is 'Sleeping'; allowed: Ready, Running, Serving, Pending",
        ),
        ({"replicas": ready("p", variant="a100")}, "variant is 'a100'; allowed: h100"),
        ({"replicas": ready("p", "p")}, "'p' twice"),
        ({"replicas": [ReplicaState("p", "h100", "Ready", 1.7e9)]}, "created_at_s is 1700000000.0; allowed: at most"),
        ({"replicas": [ReplicaState("p", "h100", "Ready", 50.0, 40.0)]}, "ready_at_s is 40.0; allowed: at least"),
        ({"pages": {"q": page(1)}}, "pages are of q, none of which is a replica; allowed: p"),
        ({"desired": {"l40s": 1}}, "desired names 'l40s'; allowed: h100"),
        ({"desired": {"h100": 1.5}}, r"desired\['h100'\] is 1.5; allowed: a whole number"),
        ({"inventory": {"H1000": 1}}, "inventory names 'H1000'; allowed: L4"),
        ({"queued": -1}, "queued is -1"),
    ],
)
def test_a_step_that_cannot_be_used_says_why_and_leaves_no_trace(change: dict[str, Any], words: str) -> None:
    stepper, untouched = Stepper.from_yaml(policy()), Stepper.from_yaml(policy())
    for one in (stepper, untouched):
        one.step(100.0, ready("p"), {"p": page(100)})
    whole: dict[str, Any] = {"now_s": 115.0, "replicas": ready("p"), "pages": {"p": page(250)}}
    with pytest.raises(StepperError, match=words):
        stepper.step(**{**whole, **change})
    assert stepper.step(**whole) == untouched.step(**whole)


@pytest.mark.parametrize("phase", list(ReplicaPhase))
def test_states_are_known_by_all_their_names_in_any_case(phase: ReplicaPhase) -> None:
    for name in STATES[phase]:
        for said in (name, name.lower(), name.upper(), f"{name[:3]}_{name[3:]}", f"{name[:3]}-{name[3:]}"):
            seen = ReplicaBook().replicas([ReplicaState("p", "h100", said)], ["h100"], 5.0)
            assert seen[0].phase is phase


def test_cold_starts_are_measured_from_what_is_seen() -> None:
    book = ReplicaBook()
    states = {0.0: [], 15.0: ["Starting"], 30.0: ["Loading"], 45.0: ["Running"], 60.0: ["Ready"]}
    for now_s, said in states.items():
        seen = book.replicas([ReplicaState("p", "h100", one) for one in said], ["h100"], now_s)
    assert (seen[0].created_at_s, seen[0].ready_at_s) == (0.0, 45.0)


def test_a_replica_found_ready_has_no_cold_start_to_measure() -> None:
    seen = ReplicaBook().replicas(ready("p"), ["h100"], 30.0)
    assert (seen[0].created_at_s, seen[0].ready_at_s) == (30.0, 30.0)


def test_a_name_that_is_used_again_is_another_replica() -> None:
    book = ReplicaBook()
    for now_s, replicas in ((0.0, ready("p")), (15.0, []), (30.0, [ReplicaState("p", "h100", "Pending")])):
        seen = book.replicas(replicas, ["h100"], now_s)
    assert seen[0].created_at_s == 15.0
    seen = book.replicas([ReplicaState("p", "h100", "Ready", 20.0, 40.0)], ["h100"], 45.0)
    assert (seen[0].created_at_s, seen[0].ready_at_s) == (20.0, 40.0)


def test_bytes_and_text_are_the_same_and_a_missing_page_is_a_fault() -> None:
    text, data = Stepper.from_yaml(policy()), Stepper.from_yaml(policy())
    for now_s in (0.0, 15.0):
        a = text.step(now_s, ready("p"), {"p": page(100 + now_s)})
        b = data.step(now_s, ready("p"), {"p": page(100 + now_s).encode()})
    assert a == b
    answer = text.step(30.0, ready("p", "q", "r"), {"p": page(130), "q": None, "r": ""})
    kinds = {(f.replica, f.kind) for f in answer.faults if not f.metric}
    assert kinds == {("q", FaultKind.UNREACHABLE), ("r", FaultKind.NOT_METRICS)}


def test_counters_that_go_back_are_counted_from_there() -> None:
    stepper = Stepper.from_yaml(policy())
    totals = [1000, 1150, 1300, 20, 170, 320]
    rates = [rate(stepper, 15.0 * i, {"p": page(t)}) for i, t in enumerate(totals)]
    assert rates[1] == pytest.approx(10.0)
    assert rates[3] is None
    assert rates[4:] == [pytest.approx(10.0), pytest.approx(10.0)]


def test_what_was_counted_before_the_first_step_did_not_come_in_the_last_minute() -> None:
    """A page's start in another clock, or a start that was never seen, says nothing."""
    born = "process_start_time_seconds 1.7953e9\n"
    for start in ("", born):
        stepper = Stepper.from_yaml(policy())
        assert rate(stepper, 0.0, {"p": start + page(1e6)}) is None
        assert rate(stepper, 15.0, {"p": start + page(1e6 + 150)}) == pytest.approx(10.0)


def test_two_steps_at_one_time_and_sooner_than_half_an_interval_answer_the_same() -> None:
    stepper = Stepper.from_yaml(policy())
    first = stepper.step(0.0, ready("p"), {"p": page(0)})
    assert stepper.step(0.0, ready("p"), {"p": page(0)}) is first
    assert stepper.step(7.0, ready("p"), {"p": page(0)}) is first
    assert stepper.step(7.5, ready("p"), {"p": page(75)}).decided_at_s == 7.5


def test_the_last_replica_stays_unless_somebody_would_wake_it() -> None:
    kept, slept = Stepper.from_yaml(policy(low=0)), Stepper.from_yaml(policy(low=0))
    wanted = []
    for now_s in range(0, 600, 15):
        idle = page(1000, running=1.0 if now_s < 60 else 0.0)
        kept_answer = kept.step(now_s, ready("p"), {"p": idle})
        slept_answer = slept.step(now_s, ready("p"), {"p": idle}, queued=0)
        wanted.append(slept_answer.desired["h100"])
    assert kept_answer.desired == {"h100": 1}
    # One was under way until 45 s, so nothing was at 60 s for the first time; then a minute from 45 s.
    assert (wanted.index(0) * 15, sum(wanted[wanted.index(0) :])) == (105, 0)
    assert slept.step(600, ready("p"), {"p": idle}, queued=0).desired == {"h100": 0}
    assert slept.step(615, [], {}, queued=0).desired == {"h100": 0}
    woken = slept.step(630, [], {}, queued=3)
    assert (woken.desired, woken.verdict) == ({"h100": 1}, "up")
    assert slept.step(645, [ReplicaState("q", "h100", "Pending")], {}, queued=3).desired == {"h100": 1}


def test_a_bound_and_an_inventory_hold() -> None:
    stepper = Stepper.from_yaml(policy())
    for step in range(6):
        answer = stepper.step(15 * step, ready("p"), {"p": page(900 * step, 500 * step)}, inventory={"H100": 2})
    assert answer.desired == {"h100": 2}
    assert not answer.plan.feasible


def test_what_the_driver_wants_now_wins_over_the_last_answer() -> None:
    stepper = Stepper.from_yaml(policy())
    stepper.step(0, ready("p"), {"p": page(0)})
    answer = stepper.step(15, ready("p"), {"p": page(150)}, desired={"h100": 7})
    assert answer.only.inputs.observation.variants[0].desired == 7
    assert answer.desired == {"h100": 7}  # downs wait for the stabilisation window


def test_models_and_accelerators_may_be_brought_along() -> None:
    chip = Accelerator("TPU", 95 * 1024**3, 2.7e12, 4.6e14, 45e9, 4.0, 2.0)
    tiny = Model("tiny", 1e9, 16, 2048, 16, 8, 128, 8192)
    stepper = Stepper.from_yaml(policy(accelerator="TPU", model="tiny"), also=[chip, tiny])
    for step in range(4):
        answer = stepper.step(15 * step, ready("p"), {"p": page(300 * step)}, inventory={"TPU": 4})
    assert answer.plan.capacities[0].requests_per_s > 0
    with pytest.raises(StepperError, match="TPU"):
        Stepper.from_yaml(policy(accelerator="TPU"))


def test_several_documents_are_planned_together() -> None:
    stepper = Stepper.from_yaml(policy("a", "va") + "---\n" + policy("b", "vb"))
    states = [ReplicaState("p", "va", "Ready"), ReplicaState("q", "vb", "Ready")]
    for step in range(4):
        pages = {"p": page(150 * step), "q": page(1500 * step)}
        answer = stepper.step(15 * step, states, pages)
    assert set(answer.desired) == {"va", "vb"}
    assert answer.desired["vb"] > answer.desired["va"]
    with pytest.raises(StepperError, match=r"default/a, default/b; allowed with several: answer\.targets"):
        _ = answer.verdict


def test_off_abstains_and_shadow_answers_as_live() -> None:
    shadow, live, off = (Stepper.from_yaml(policy(mode=mode)) for mode in ("Shadow", "Live", '"Off"'))
    for step in range(5):
        pages = {"p": page(900 * step)}
        a, b, c = (one.step(15 * step, ready("p"), pages) for one in (shadow, live, off))
    assert a.desired == b.desired
    assert a.desired["h100"] > 1
    assert c.desired == {"h100": 1}
    assert c.verdict == "abstain"


@pytest.mark.parametrize("state", ["idle", "under-load", "after-load"])
def test_the_engines_own_pages_are_taken(state: str) -> None:
    real = ENGINES / f"vllm-0.32-{state}.metrics.txt"
    if not real.is_file():
        pytest.skip(f"{real} is not there")
    stepper = Stepper.from_yaml(policy())
    answers = [stepper.step(now_s, ready("p"), {"p": real.read_bytes()}) for now_s in (0, 15, 30)]
    assert answers[0].faults == ()
    # The same page again is one that stands still, where requests run.
    assert {fault.kind for fault in answers[-1].faults} == ({FaultKind.STALE} if state == "under-load" else set())
    assert answers[-1].desired["h100"] >= 1
