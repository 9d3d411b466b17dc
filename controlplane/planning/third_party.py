"""A stepper for third parties: a policy in YAML, then pages and replicas' states in, desired replicas and reasons out.

It is the controller's own brain behind a door that is hard to misuse. It reads no clock and does no I/O; all that it
remembers is in the object. docs/stepper.md has an example that runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import yaml

from controlplane.domain import catalog
from controlplane.domain.catalog import Accelerator, Model
from controlplane.domain.decision import Decision, Plan, Ruling, TargetInputs, Tick, Verdict
from controlplane.domain.manifest import ManifestError, target_from_manifest
from controlplane.domain.observation import Fault, FaultKind, Inventory, Replica, ReplicaPhase, Sample, Surroundings
from controlplane.domain.target import Mode, Target
from controlplane.observing import read_page
from controlplane.planning.explain import sentences
from controlplane.planning.replica_states import CLOCK_SLACK_S, ReplicaBook, ReplicaState, StepperError
from controlplane.planning.self_fitting import SelfFittingStepper
from controlplane.planning.stepper import Step, TargetView

__all__ = ["Answer", "ReplicaState", "Stepper", "StepperError", "TargetAnswer"]

SOONEST = 0.5
"""Of `intervalSeconds`, before which a step gives the last answer again: whoever asks fifteen times as often would
else take fifteen times as many chances to be misled upwards by noise, and downs wait five minutes (measured: a third
more replicas when stepped every second). Half of it, so that a driver of 10 s is not slowed to 20 s."""


@dataclass(frozen=True, slots=True)
class TargetAnswer:
    """The answer for one document. `desired` is replicas by variant; `trail` says what each rule did to the plan."""

    target: str
    desired: Mapping[str, int]
    verdict: Verdict
    reason: str
    trail: tuple[Ruling, ...]
    sentences: tuple[str, ...]
    """The same in words: seen, expected, possible, chosen, refused."""
    plan: Plan
    inputs: TargetInputs
    """All that was decided on; `inputs.observation` is what the pages and replicas say."""

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What was wrong with the pages."""
        return self.inputs.observation.faults


@dataclass(frozen=True, slots=True)
class Answer:
    """What to do now. `desired` is replicas by variant, of all documents; the rest is by target, and may be asked of
    the answer itself where there is only one."""

    desired: Mapping[str, int]
    targets: tuple[TargetAnswer, ...]
    decided_at_s: float
    """`now_s` of the step that decided it: the last one, or one less than half of `intervalSeconds` before."""

    @property
    def only(self) -> TargetAnswer:
        """The answer for the only document.

        Raises:
            StepperError: if there are several.
        """
        if len(self.targets) != 1:
            names = ", ".join(t.target for t in self.targets)
            raise StepperError(f"the answer is for {names}; allowed with several: answer.targets")
        return self.targets[0]

    @property
    def verdict(self) -> Verdict:
        """See `TargetAnswer`."""
        return self.only.verdict

    @property
    def reason(self) -> str:
        """One sentence."""
        return self.only.reason

    @property
    def trail(self) -> tuple[Ruling, ...]:
        """See `TargetAnswer`."""
        return self.only.trail

    @property
    def sentences(self) -> tuple[str, ...]:
        """See `TargetAnswer`."""
        return self.only.sentences

    @property
    def plan(self) -> Plan:
        """What the planner chose before the rules."""
        return self.only.plan

    @property
    def faults(self) -> tuple[Fault, ...]:
        """See `TargetAnswer`."""
        return self.only.faults


class Stepper:
    """Steps the targets of one group. `also` are models and accelerators that the catalog does not hold.

    Modes Shadow and Live are the same here: an answer is given, and it is taken to be applied. Off abstains.
    """

    def __init__(self, targets: Sequence[Target], also: Sequence[Model | Accelerator] = ()) -> None:
        _check_group(targets)
        self.targets = tuple(_live(target) for target in targets)
        self._also = tuple(also)
        self._brain = SelfFittingStepper(self.targets[0].group)
        self._book = ReplicaBook()
        self._last: Answer | None = None
        self._now_s: float | None = None

    @classmethod
    def from_yaml(cls, text: str, also: Sequence[Model | Accelerator] = ()) -> Stepper:
        """A stepper for the `InferenceAutoscaler` documents in `text`; several (`---`) are planned together.

        A variant needs no `scaleTargetRef` here.

        Raises:
            StepperError: naming the document, the field, the value and what is allowed.
        """
        try:
            documents = [one for one in yaml.safe_load_all(text) if one is not None]
        except yaml.YAMLError as error:
            raise StepperError(f"the policy is not YAML: {error}") from error
        with catalog.also(*also):
            return cls([_target(number, one) for number, one in enumerate(documents, 1)], also)

    def step(
        self,
        now_s: float,
        replicas: Iterable[ReplicaState],
        pages: Mapping[str, str | bytes | None],
        desired: Mapping[str, int] | None = None,
        inventory: Mapping[str, int] | None = None,
        queued: float | None = None,
    ) -> Answer:
        """What to want from now on.

        `now_s` is seconds on any clock that does not go back; the distance of two steps is what counts. `replicas` are
        all that exist, those that start and drain included; `pages` the text of their /metrics by replica name, as
        scraped now; those of replicas that are not Ready are not looked at. `desired` is what is wanted now by variant,
        where that is not what was last answered. `inventory` is GPUs by accelerator; one that is not named is not
        limited. A step that comes before half of `intervalSeconds` has passed since the last decision gives the last
        answer again. `queued` is the number of requests that wait outside the replicas, at a gateway: without it the
        last replica of a role is kept, since nobody would say when to wake it.

        Raises:
            StepperError: naming the field, the value and what is allowed. Nothing is remembered of such a step.
        """
        self._check_time(now_s)
        _check_queued(queued)
        stock = self._inventory(inventory)
        known = [v.name for target in self.targets for v in target.variants]
        wanted = {**(self._last.desired if self._last else {}), **_counts(desired or {}, known, "desired")}
        states = list(replicas)
        _check_pages(pages, {state.name for state in states})
        seen = self._book.replicas(states, known, now_s)
        samples = _samples(seen, pages, now_s)
        self._now_s = now_s
        if self._last is not None and not self._is_due(self._last, now_s):
            return self._last
        interval_s = None if self._last is None else now_s - self._last.decided_at_s
        # Whose they are is not said where several share a queue: each is taken to have its part.
        held = None if queued is None else queued / len(self.targets)
        views = [
            _view(_drowsy(_paced(target, interval_s), held), wanted, seen, samples, held) for target in self.targets
        ]
        with catalog.also(*self._also):
            step = self._brain.step(now_s, views, stock)
            targets = tuple(_answers(step))
        desired = {name: count for one in targets for name, count in one.desired.items()}
        self._last = Answer(desired, targets, now_s)
        return self._last

    def _is_due(self, last: Answer, now_s: float) -> bool:
        shortest_s = min(target.policy.interval_s for target in self.targets)
        return now_s - last.decided_at_s >= SOONEST * shortest_s

    def _check_time(self, now_s: float) -> None:
        if not math.isfinite(now_s):
            raise StepperError(f"now_s is {now_s!r}; allowed: a number of seconds")
        if self._now_s is not None and now_s < self._now_s:
            raise StepperError(f"now_s is {now_s!r}; allowed: at least the last step's, {self._now_s!r}")

    def _inventory(self, gpus: Mapping[str, int] | None) -> Inventory:
        brought = {one.name for one in self._also if isinstance(one, Accelerator)}
        return Inventory(_counts(gpus or {}, [*catalog.ACCELERATORS, *sorted(brought)], "inventory"))


def _target(number: int, document: object) -> Target:
    if not isinstance(document, Mapping):
        raise StepperError(f"document {number} is {type(document).__name__}; allowed: an InferenceAutoscaler")
    try:
        return target_from_manifest(_with_refs(document))
    except ManifestError as error:
        brought = error.field.endswith((".model", ".accelerator"))
        hint = "; or give it to the stepper, as also=[Model(...)] or also=[Accelerator(...)]" if brought else ""
        raise StepperError(f"document {number}: {error}{hint}") from error


def _with_refs(document: Mapping[str, object]) -> Mapping[str, object]:
    """The document with a scaleTargetRef for each variant that has none: there is no cluster to point into."""
    spec = document.get("spec")
    variants = spec.get("variants") if isinstance(spec, Mapping) else None
    if not isinstance(spec, Mapping) or not isinstance(variants, list):
        return document
    whole = [
        {"scaleTargetRef": {"name": one["name"]}, **one} if isinstance(one, Mapping) and one.get("name") else one
        for one in variants
    ]
    return {**document, "spec": {**spec, "variants": whole}}


def _check_group(targets: Sequence[Target]) -> None:
    if not targets:
        raise StepperError("the policy holds no document; allowed: one InferenceAutoscaler, or several of one group")
    groups = sorted({target.group for target in targets})
    if len(groups) > 1:
        raise StepperError(f"the documents have groups {', '.join(groups)}; allowed: one group for a stepper")
    for what, names in (
        ("documents", [target.key for target in targets]),
        ("variants", [v.name for target in targets for v in target.variants]),
    ):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise StepperError(f"{what} have the name {', '.join(twice)} more than once; allowed: each name once")


def _live(target: Target) -> Target:
    policy = target.policy
    return replace(target, policy=replace(policy, mode=Mode.LIVE)) if policy.mode is Mode.SHADOW else target


def _paced(target: Target, interval_s: float | None) -> Target:
    """With the interval at which it is really stepped: that weighs each observation and lengthens the look-ahead."""
    if interval_s is None:
        return target
    return replace(target, policy=replace(target.policy, interval_s=interval_s))


def _drowsy(target: Target, queued: float | None) -> Target:
    """With the time after which it may sleep: that of the policy, else the stabilisation window of downs; never where
    nobody would say when to wake it."""
    policy = target.policy
    window_s = policy.scale_down.stabilization_window_s
    idle_s = policy.idle_s if policy.idle_s is not None else window_s if window_s > 0 else None
    return replace(target, policy=replace(policy, idle_s=None if queued is None else idle_s))


def _check_queued(queued: float | None) -> None:
    if queued is not None and not queued >= 0:
        raise StepperError(f"queued is {queued!r}; allowed: 0 or more requests")


def _counts(given: Mapping[str, int], known: Sequence[str], field: str) -> dict[str, int]:
    for name, count in given.items():
        if name not in known:
            raise StepperError(f"{field} names {name!r}; allowed: {', '.join(known)}")
        if isinstance(count, bool) or count != count or count < 0 or count != int(count):
            raise StepperError(f"{field}[{name!r}] is {count!r}; allowed: a whole number of at least 0")
    return {name: int(count) for name, count in given.items()}


def _check_pages(pages: Mapping[str, str | bytes | None], names: set[str]) -> None:
    """Pages of replicas that just left may still come; pages of nobody are a mistake in their keys."""
    if pages and names and not names & set(pages):
        raise StepperError(
            f"pages are of {', '.join(sorted(pages)[:5])}, none of which is a replica; allowed: "
            f"{', '.join(sorted(names)[:5])}{', ...' if len(names) > 5 else ''}"
        )


def _samples(seen: Sequence[Replica], pages: Mapping[str, str | bytes | None], now_s: float) -> list[Sample]:
    return [_sample(one, pages.get(one.name), now_s) for one in seen if one.phase is ReplicaPhase.READY]


def _sample(replica: Replica, page: str | bytes | None, now_s: float) -> Sample:
    if page is None:
        fault = Fault(FaultKind.UNREACHABLE, replica.name, detail="no page was given")
        return Sample(replica.name, replica.variant, now_s, faults=(fault,))
    body = page.encode() if isinstance(page, str) else page
    # A page that is handed over whole may have lost its last line's end on the way; one from the wire may not.
    body = body if body.endswith(b"\n") or not body else body + b"\n"
    return _on_this_clock(read_page(body, replica.name, replica.variant, now_s), replica)


def _on_this_clock(sample: Sample, replica: Replica) -> Sample:
    """With the engine's start as the replica's readiness where the page does not say one, or says one to come: its
    clock is then another than `now_s`."""
    if sample.started_at_s is not None and sample.started_at_s <= sample.at_s + CLOCK_SLACK_S:
        return sample
    ready_s = replica.ready_at_s
    # One that was Ready from the first may have counted for ever.
    known = ready_s is not None and ready_s > replica.created_at_s
    return replace(sample, started_at_s=ready_s if known else None)


def _view(
    target: Target,
    wanted: Mapping[str, int],
    replicas: Sequence[Replica],
    samples: Sequence[Sample],
    queued: float | None,
) -> TargetView:
    names = {v.name for v in target.variants}
    return TargetView(
        target,
        {name: count for name, count in wanted.items() if name in names},
        [r for r in replicas if r.variant in names],
        [s for s in samples if s.variant in names],
        surroundings=Surroundings(waiting_requests=queued),
    )


def _answers(step: Step) -> Iterator[TargetAnswer]:
    for inputs, plan, decision in zip(step.inputs.targets, step.outcome.plans, step.outcome.decisions, strict=True):
        yield TargetAnswer(
            target=inputs.target.key,
            desired=dict(decision.desired),
            verdict=decision.verdict,
            reason=decision.reason,
            trail=decision.trail,
            sentences=_sentences(step, inputs, plan, decision),
            plan=plan,
            inputs=inputs,
        )


def _sentences(step: Step, inputs: TargetInputs, plan: Plan, decision: Decision) -> tuple[str, ...]:
    now_s, group = step.inputs.now_s, step.inputs.group
    version, stock = step.outcome.planner_version, step.inputs.inventory
    return sentences(Tick("", "", group, now_s, version, inputs, stock, True, plan, decision, None, ()))
