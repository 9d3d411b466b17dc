"""Tidegate's own hand on policies: canaries that end, versions that are taken back, and what versions came to.

Each round is safe to run twice and at once: a change is made on the policy as it is under its lock, and one that does
not fit any more is left alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import UUID

from celery.utils.log import get_task_logger
from pydantic import TypeAdapter

from controlplane.adapters.clock import clock_from_anchor
from controlplane.domain.access import SYSTEM
from controlplane.domain.policy_life import Guard, Stage, StageChange, TransitionRefused
from controlplane.domain.ports import LedgerUnavailable, NotificationEvent
from controlplane.settings import settings_from
from controlplane.simulation.regret import Regret, regret, verdict
from controlplane.simulation.scenario import ScenarioError
from controlplane.simulation.traffic import TraceError
from controlplane.store.engine import make_engine, transaction
from controlplane.store.governed import ShadowTicks
from controlplane.store.notifications import OwedNotifier
from controlplane.store.policies import Policies, StoredPolicy
from controlplane.store.queries import Queries, TickFilter
from controlplane.store.regrets import WHY_NOT, Regrets, StoredRegret
from controlplane.store.resources import Resources
from controlplane.store.unit import Request, Writer
from controlplane.workers.app import app

_log = get_task_logger(__name__)
_REGRET = TypeAdapter(Regret)
SHADOW_WINDOW_S = 3600.0
"""Of a version in Shadow: an hour holds several cold starts and is simulated in seconds."""
LEAST_WINDOW_S = 300.0
"""A window that is shorter says nothing: less than a cold start and what follows it."""
FRESH = 4.0
"""A Live version is watched for so many of its guard's windows; later on the load is too far from the one before."""
MOST_TICKS = 4000
"""Of a window: sixteen hours at every tick."""
SHADOWS_KEPT_S = 14 * 86_400.0
"""What versions would have decided is kept for two weeks: as long as a canary may take."""

Tell = Callable[[str, str, str], None]
"""Tells people of a roll-back: subject, namespace, message."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One comparison that is to be made: of a version in one target, over a window on the controller's clock."""

    policy_id: UUID
    number: int
    target: str
    since_s: float
    until_s: float


@dataclass(slots=True)
class Caretaker:
    """What is done at a round. `now_s` is on the controller's clock."""

    writer: Writer
    now_s: float
    tell: Tell

    def round(self) -> list[Ask]:
        """End what is over, take back what did worse; returns the comparisons that are due."""
        asks: list[Ask] = []
        for policy in Policies(self.writer.engine).open():
            self._end_canary(policy)
            self._give_way(policy)
            self._take_back(policy)
            asks += self._due(policy)
        return asks

    def compare(self, ask: Ask) -> None:
        """Simulate a version and the other one over a window, and keep what came of it."""
        engine = self.writer.engine
        policy = Policies(engine).get(ask.policy_id)
        if policy is None or ask.number not in policy.versions:
            return
        version = policy.versions[ask.number]
        body = _compared(Queries(engine), policy, ask)
        Regrets(engine).save(version.id, ask.target, (ask.since_s, ask.until_s), self.now_s, body)

    def _end_canary(self, policy: StoredPolicy) -> None:
        for number in policy.life.of_stage(Stage.CANARY):
            canary = policy.since(number).canary
            if canary is not None and self.now_s >= canary.until_s:
                self._go(policy, number, Stage.SHADOW, "its time as a canary is over")

    def _give_way(self, policy: StoredPolicy) -> None:
        """Where a custom resource names every target of a policy, what decided there is superseded."""
        deciding = [*policy.life.of_stage(Stage.CANARY), *policy.life.of_stage(Stage.LIVE)]
        if not deciding or len(Resources(self.writer.engine).naming(policy.keys)) < len(policy.keys):
            return
        reason = f"a custom resource names {', '.join(policy.keys)}"
        for number in deciding:
            stage = policy.life.stages[number]
            self._go(policy, number, Stage.SHADOW if stage is Stage.CANARY else Stage.SUPERSEDED, reason)

    def _take_back(self, policy: StoredPolicy) -> None:
        for number, guard in _guarded(policy, self.now_s):
            since_s = policy.since(number).at_s
            newest = Regrets(self.writer.engine).newest([policy.versions[number].id])
            mine = [r for r in newest if r.until_s - guard.over_s >= since_s - 1.0 and WHY_NOT not in r.body]
            if not mine or {r.target for r in newest} != {r.target for r in mine}:
                continue
            reason = verdict([_REGRET.validate_python(r.body) for r in mine], guard)
            if reason and self._go(policy, number, Stage.ROLLED_BACK, reason):
                for namespace in policy.namespaces:
                    message = f"version {number} of {policy.name} was rolled back: {reason}"
                    self.tell(f"policies/{policy.id}", namespace, message)

    def _due(self, policy: StoredPolicy) -> Iterator[Ask]:
        made = Regrets(self.writer.engine).newest([version.id for version in policy.versions.values()])
        last = {(r.version_id, r.target): r for r in made}
        for number, window_s, whole in _watched(policy, self.now_s):
            since_s = max(policy.since(number).at_s, self.now_s - window_s)
            length_s = self.now_s - since_s
            if length_s < (window_s if whole else min(window_s, LEAST_WINDOW_S)):
                continue
            for key in policy.keys:
                if _is_old(last.get((policy.versions[number].id, key)), self.now_s, window_s):
                    yield Ask(policy.id, number, key, since_s, self.now_s)

    def _go(self, policy: StoredPolicy, number: int, to: Stage, reason: str) -> bool:
        """Make a change on the policy as it is now; whether it still fitted."""
        request = Request(SYSTEM, "", "governance", self.now_s)
        with self.writer.unit(request) as unit:
            found = Policies.lock_newest(unit, policy.id)
            if found is None or found.archived_at_s is not None or found.since(number) != policy.since(number):
                return False
            try:
                made = found.life.transition(number, to, self.now_s, SYSTEM.id, reason)
            except TransitionRefused as refused:
                _log.warning("policy %s: %s", policy.id, refused)
                return False
            before = found.since(number)
            Policies.change(unit, found, made)
            for namespace in found.namespaces:
                unit.audit(
                    f"policy.{to.value.lower()}",
                    f"policies/{found.id}/versions/{number}",
                    namespace,
                    *_rows(before, made),
                )
        _log.info("policy %s version %d: %s: %s", policy.id, number, to, reason)
        return True


def _rows(before: StageChange, made: tuple[StageChange, ...]) -> tuple[dict[str, str], list[dict[str, int | str]]]:
    after: list[dict[str, int | str]] = [
        {"number": one.number, "stage": one.stage.value, "reason": one.reason} for one in made
    ]
    return {"stage": before.stage.value, "reason": before.reason}, after


def _guarded(policy: StoredPolicy, now_s: float) -> Iterator[tuple[int, Guard]]:
    """Versions that may be taken back by themselves."""
    life = policy.life
    for number in (*life.of_stage(Stage.CANARY), *life.of_stage(Stage.LIVE)):
        since = policy.since(number)
        if since.guard is None or (since.stage is Stage.LIVE and life.previous is None):
            continue
        if since.stage is Stage.CANARY or now_s < since.at_s + FRESH * since.guard.over_s:
            yield number, since.guard


def _watched(policy: StoredPolicy, now_s: float) -> Iterator[tuple[int, float, bool]]:
    """Versions that are compared, over how long, and whether the window must be whole."""
    for number in policy.life.of_stage(Stage.SHADOW):
        yield number, SHADOW_WINDOW_S, False
    for number, guard in _guarded(policy, now_s):
        yield number, guard.over_s, True


def _is_old(last: StoredRegret | None, now_s: float, window_s: float) -> bool:
    return last is None or now_s - last.until_s >= window_s / 2.0


def _compared(queries: Queries, policy: StoredPolicy, ask: Ask) -> dict[str, object]:
    version = policy.versions[ask.number]
    other = _other(policy, ask.number)
    length_s = ask.until_s - ask.since_s
    ticks = queries.thinned(TickFilter(ask.target, (), ask.since_s, ask.until_s), MOST_TICKS)
    before = queries.thinned(TickFilter(ask.target, (), ask.since_s - length_s, ask.since_s), MOST_TICKS)
    specs = (version.spec, None if other is None else policy.versions[other].spec)
    if other is None and ticks and ticks[-1].policy_version == str(version.id):
        return {WHY_NOT: "no other version and no custom resource decides here: there is nothing to compare it with"}
    try:
        found = regret(ticks, str(version.id), specs, ask.since_s, ask.until_s, before)
    except (ScenarioError, TraceError) as error:
        return {WHY_NOT: str(error)}
    made: dict[str, object] = _REGRET.dump_python(found, mode="json")
    return {**made, "against": other}


def _other(policy: StoredPolicy, number: int) -> int | None:
    """The version that one is compared with: the Live one, or the one before where it is Live itself."""
    life = policy.life
    return life.previous if number == life.live else life.live


def _owe(database_url: str, now_s: float) -> Tell:
    """Tells those who want to know of roll-backs, by the channels that they chose."""

    def tell(subject: str, namespace: str, message: str) -> None:
        _log.warning("%s in %s: %s", subject, namespace, message)
        engine = make_engine(database_url)
        try:
            with transaction(engine) as connection:
                OwedNotifier(connection, now_s).notify(NotificationEvent.ROLLBACK, subject, namespace, message)
        finally:
            engine.dispose()

    return tell


@app.task(name="tidegate.judge_policies", autoretry_for=(LedgerUnavailable,), retry_backoff=True, max_retries=3)  # type: ignore[untyped-decorator]
def judge_policies() -> None:
    """One round; the comparisons that are due are sent after it."""
    settings = settings_from(os.environ)
    now_s = clock_from_anchor(settings.clock_path).now_s()
    engine = make_engine(settings.database_url)
    try:
        asks = Caretaker(Writer(engine), now_s, _owe(settings.database_url, now_s)).round()
        ShadowTicks(engine).forget(now_s - SHADOWS_KEPT_S)
    finally:
        engine.dispose()
    for ask in asks:
        compare_version.delay(str(ask.policy_id), ask.number, ask.target, ask.since_s, ask.until_s)


@app.task(name="tidegate.compare_version", autoretry_for=(LedgerUnavailable,), retry_backoff=True, max_retries=3)  # type: ignore[untyped-decorator]
def compare_version(policy_id: str, number: int, target: str, since_s: float, until_s: float) -> None:
    """One comparison; it may be made twice, and the newest counts."""
    settings = settings_from(os.environ)
    now_s = clock_from_anchor(settings.clock_path).now_s()
    engine = make_engine(settings.database_url)
    try:
        ask = Ask(UUID(policy_id), number, target, since_s, until_s)
        Caretaker(Writer(engine), now_s, _owe(settings.database_url, now_s)).compare(ask)
    finally:
        engine.dispose()
