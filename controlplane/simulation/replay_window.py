"""A window of a target's history under any policy, and under the live one, beside what was recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from controlplane.domain.decision import ColdStart, Tick
from controlplane.domain.manifest import API_VERSION, KIND, ManifestError, target_from_manifest
from controlplane.domain.target import Target, Variant
from controlplane.simulation.backtest import Policy
from controlplane.simulation.comparison import Comparison, Run, Watched, recorded_run, simulation_error
from controlplane.simulation.peers import PEERS
from controlplane.simulation.policies import TidegatePolicy, policy_named, static_replicas
from controlplane.simulation.recorded import RecordedTraffic, load_points, recorded_scenario
from controlplane.simulation.said import Obeying, Said
from controlplane.simulation.scenario import Scenario, ScenarioError
from controlplane.simulation.window_play import POINTS, play_window

Starts = Mapping[str, Mapping[str, ColdStart]]
"""Measured cold starts, by target and variant."""

LIVE = "live"
"""The policy that the window ended with."""
VERSION = "version"
"""A policy version's spec."""
NOTES = (
    "Requests are drawn from the recorded rates and lengths, the same for each policy; they are not those that came.",
    "Replicas cost in time what was learned of them by the window's end, and start as fast as was measured.",
    "The simulated live policy begins without memory: it learns the replicas' speed and the load's ways again.",
    "What people said through the API (pins, freezes) holds in every play from when it was heard to when it ended.",
    "Only this target is played: accelerators that others of its group took are taken to be free.",
    "What is played begins and ends with what was recorded, and costs nothing while Tidegate was not there to see.",
)


@dataclass(frozen=True, slots=True)
class Replayed:
    """What is asked. `policy` is `live`, `version` (of `spec`, as in the custom resource), `static:N` or a peer's
    name."""

    policy: str
    since_s: float
    until_s: float
    seed: int = 1
    spec: Mapping[str, object] | None = None


def check_policy(name: str) -> None:
    """Refuse before anything is queued what could not be played.

    Raises:
        ScenarioError: naming the policies that there are.
    """
    if name in (LIVE, VERSION) or name in PEERS or static_replicas(name) is not None:
        return
    raise ScenarioError(f"policy is {name!r}; allowed: {', '.join((LIVE, VERSION, 'static:N', *PEERS))}")


def replay_window(ticks: Sequence[Tick], asked: Replayed, heard: Callable[[float], None]) -> Comparison:
    """Play both policies on the same requests. `heard` is told the share of the whole that is done; what it raises
    ends the replay.

    Raises:
        ScenarioError: if nothing was recorded, or the fleet or the policy cannot be played.
    """
    check_policy(asked.policy)
    scenario = recorded_scenario(ticks, asked.seed)
    watched = Watched(tuple(tick.at_s for tick in ticks))
    since_s, until_s = watched.within(asked.since_s, asked.until_s)
    traffic = RecordedTraffic(load_points(ticks), asked.seed, until_s)
    if not traffic.points:
        raise ScenarioError("the window has no recorded load; allowed: one with at least one tick that saw it")
    plays = 1 if asked.policy == LIVE else 2

    def play(which: Scenario, policy: Policy, place: int) -> Run:
        return play_window(
            which, traffic, since_s, until_s, policy, watched, lambda share: heard((place + share) / plays)
        )

    said, starts = Said.of(ticks), _measured_starts(ticks)
    others = () if asked.policy == LIVE else (_other(scenario, asked, said, starts, play),)
    live = replace(play(scenario, TidegatePolicy(scenario, said.over, starts), plays - 1), policy=LIVE)
    runs = (*others, live)
    recorded = recorded_run(ticks, until_s, POINTS)
    return Comparison(
        target=scenario.targets[0].key,
        since_s=since_s,
        until_s=until_s,
        recorded=recorded,
        runs=runs,
        error=simulation_error(live, recorded),
        savings_usd=runs[0].cost_usd - live.cost_usd,
        notes=NOTES,
    )


def _measured_starts(ticks: Sequence[Tick]) -> Starts:
    """What had been measured of cold starts when the window began: a play need not find out what was known."""
    first = min(ticks, key=lambda tick: tick.at_s).inputs
    return {first.target.key: {name: start for name, start in first.cold_starts.items() if start.samples}}


def _other(
    scenario: Scenario, asked: Replayed, said: Said, starts: Starts, play: Callable[[Scenario, Policy, int], Run]
) -> Run:
    target = scenario.targets[0]
    if asked.policy != VERSION:
        return play(scenario, Obeying(policy_named(asked.policy, scenario), target, said), 0)
    changed = with_target(scenario, under_spec(target, asked.spec or {}))
    return replace(play(changed, TidegatePolicy(changed, said.over, starts), 0), policy=VERSION)


def with_target(scenario: Scenario, target: Target) -> Scenario:
    """The scenario with another form of its target: the same variants, by name."""
    workloads = tuple(replace(w, target=target, variant=target.variant(w.variant.name)) for w in scenario.workloads)
    return replace(scenario, targets=(target,), workloads=workloads)


def under_spec(target: Target, spec: Mapping[str, object]) -> Target:
    """The target with the policy, the bounds, the prices and the failure domains of a custom resource's `spec`; its
    variants stay, and those that the spec does not name get no replicas.

    Raises:
        ScenarioError: if the spec cannot be used, or names none of the variants.
    """
    metadata = {"name": target.name, "namespace": target.namespace}
    try:
        meant = target_from_manifest({"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec})
    except ManifestError as error:
        raise ScenarioError(f"the version's spec cannot be played: {error}") from error
    named = {v.name: v for v in meant.variants}
    recorded = [v.name for v in target.variants]
    if not named.keys() & set(recorded):
        raise ScenarioError(
            f"the version's spec cannot be played: its variants are {', '.join(named)}; "
            f"allowed: at least one of those that were recorded, {', '.join(recorded)}"
        )
    variants = tuple(_bounded(v, named.get(v.name)) for v in target.variants)
    return replace(target, policy=replace(meant.policy, mode=target.policy.mode), variants=variants)


def _bounded(variant: Variant, meant: Variant | None) -> Variant:
    if meant is None:
        return replace(variant, min_replicas=0, max_replicas=0)
    return replace(
        variant,
        min_replicas=meant.min_replicas,
        max_replicas=meant.max_replicas,
        usd_per_replica_hour=meant.usd_per_replica_hour,
        preference=meant.preference,
        failure_domain=meant.failure_domain,
    )
