import type { TargetSummary } from "../api/client";
import type { Guard, Policy, ShadowTick, StepTo, Version } from "../api/policies";
import { dollarsChange, dollarsPerHour, fleet, moves, seconds, share } from "./format";
import { type Changed, changesOf } from "./spec";
import { keysOf, MOST_SHADOWS } from "./policy";

export type CanaryScope = { by: "variants" | "namespaces"; names: string[]; ttlS: number };

/** All that is known when somebody is about to do a step. `ticks` are the version's newest decisions, one a target. */
export type Facts = {
  policy: Policy;
  version: Version;
  other: Version | null;
  previous: Version | null;
  targets: TargetSummary[];
  ticks: ShadowTick[];
};

export type Told = { what: string; more: string[]; changed: Changed[] };

const plural = (count: number, word: string) => `${count} ${word}${count === 1 ? "" : "s"}`;

/** What will happen, in numbers. */
export function told(facts: Facts, to: StepTo, guard: Guard, scope: CanaryScope): Told {
  if (to === "Shadow") return facts.version.stage === "Canary" ? canaryEnds(facts) : shadow(facts);
  if (to === "Canary") return canary(facts, guard, scope);
  if (to === "Live") return promote(facts, guard);
  if (to === "RolledBack") return facts.version.stage === "Canary" ? canaryEnds(facts) : rollBack(facts);
  return putAway(facts);
}

const names = (policy: Policy) => keysOf(policy).join(", ");
const versionOf = ({ version }: Facts) => `Version ${version.number}`;

function shadow(facts: Facts): Told {
  const { policy, version } = facts;
  const beside = policy.live !== null ? ` beside version ${policy.live}` : policy.named_by_resources.length > 0 ? " beside the custom resource" : "";
  const every = typeof version.spec.intervalSeconds === "number" ? version.spec.intervalSeconds : 15;
  const taken = policy.shadows.length + 1;
  return {
    what: `${versionOf(facts)} decides${beside} for ${plural(policy.namespaces.length, "target")} (${names(policy)}) every ${seconds(every)}, and moves 0 replicas.`,
    more: [
      ...(policy.live === null && policy.named_by_resources.length === 0 ? [`No version is Live, so ${names(policy)} itself is then a target in mode Shadow: decided and recorded, never scaled.`] : []),
      ...(policy.named_by_resources.length > 0 ? [`The custom resource goes on deciding ${policy.named_by_resources.join(", ")}.`] : []),
      `${taken} of ${MOST_SHADOWS} places in Shadow ${taken === 1 ? "is" : "are"} then taken.`,
    ],
    changed: [],
  };
}

function canaryEnds(facts: Facts): Told {
  const { policy, version } = facts;
  const scope = version.canary ? [...(version.canary.variants ?? []), ...(version.canary.namespaces ?? [])].join(", ") : "its part";
  return {
    what: `${versionOf(facts)} no longer decides ${scope}: version ${policy.live ?? "–"} decides everything again, from its next decision on.`,
    more: [...comparedNow(facts).map((line) => `${line}`)],
    changed: [],
  };
}

function canary(facts: Facts, guard: Guard, scope: CanaryScope): Told {
  const { policy } = facts;
  const all = scope.by === "variants" ? variantsOf(facts.version) : policy.namespaces;
  const part = `${scope.names.join(", ") || "nothing yet"} (${scope.names.length} of ${plural(all.length, scope.by.slice(0, -1))})`;
  return {
    what: `${versionOf(facts)} decides ${part} for ${seconds(scope.ttlS)}; version ${policy.live ?? "–"} decides the rest. Then it is in Shadow again.`,
    more: [...comparedNow(facts), guarded(guard, "goes back")],
    changed: differing(facts),
  };
}

function promote(facts: Facts, guard: Guard): Told {
  const { policy, version } = facts;
  const bumped = policy.canary !== null && policy.canary !== version.number;
  const next = policy.live === null ? "Replicas move from its next decision on." : `Version ${policy.live} is superseded; a roll-back returns to it.`;
  return {
    what: `${versionOf(facts)} decides for ${plural(policy.namespaces.length, "target")} (${names(policy)}). ${next}`,
    more: [...comparedNow(facts), ...(bumped ? [`Version ${policy.canary}, the canary, goes back to Shadow.`] : []), guarded(guard, "is rolled back")],
    changed: differing(facts),
  };
}

function rollBack(facts: Facts): Told {
  const { policy, version, previous } = facts;
  const before = previous === null ? "the version before it" : `version ${previous.number}`;
  return {
    what: `${versionOf(facts)} stops deciding for ${plural(policy.namespaces.length, "target")} (${names(policy)}), and ${before} is Live again from the next decision on. It needs nobody's approval.`,
    more: facts.targets.map(nowOf),
    changed: previous === null ? [] : changesOf(version.spec, previous.spec),
  };
}

function putAway(facts: Facts): Told {
  const { policy, version, targets } = facts;
  if (version.stage !== "Live") return { what: `${versionOf(facts)} is put away. Nothing that decides changes: 0 replicas move.`, more: [], changed: [] };
  return {
    what: `Nothing of this policy decides any more: ${plural(policy.namespaces.length, "target")} (${names(policy)}) keep${policy.namespaces.length === 1 ? "s" : ""} the replicas that there are, whatever the load.`,
    more: targets.map(nowOf),
    changed: [],
  };
}

const differing = ({ version, other }: Facts) => (other === null ? [] : changesOf(other.spec, version.spec));

const guarded = (guard: Guard, verb: string) =>
  `It ${verb} by itself if, over ${seconds(guard.over_s)}, it attains ${(guard.attainment * 100).toFixed(1)} points less than the version before, or costs ${share(guard.cost, 0)} more.`;

const priceOf = (target: TargetSummary, replicas: Record<string, number>) =>
  target.variants.reduce((sum, variant) => sum + (replicas[variant.name] ?? 0) * variant.usd_per_replica_hour, 0);

/** `default/chat has 3 h100 + 1 l40s now, $13.90/h.` */
function nowOf(target: TargetSummary): string {
  const wanted = Object.fromEntries(target.variants.flatMap(({ name, desired }) => (desired === null ? [] : [[name, desired]])));
  return `${target.namespace}/${target.name} has ${fleet(wanted)} now, ${dollarsPerHour(target.usd_per_hour)}.`;
}

/** What the version would have beside what there is, as its newest decision in Shadow says. */
function comparedNow({ ticks, targets, version }: Facts): string[] {
  return ticks.map((tick) => {
    const target = targets.find((one) => `${one.namespace}/${one.name}` === tick.target);
    const now = `${tick.target}: now ${fleet(tick.live_desired)}`;
    if (target === undefined) return `${now}; version ${version.number} would have ${fleet(tick.desired)}, ${dollarsPerHour(tick.usd_per_hour)}.`;
    const [before, after] = [priceOf(target, tick.live_desired), priceOf(target, tick.desired)];
    const step = moves(tick.live_desired, tick.desired);
    if (step === "") return `${now}, ${dollarsPerHour(before)}; version ${version.number} wants the same.`;
    return `${now}, ${dollarsPerHour(before)}; version ${version.number} wants ${step} = ${dollarsChange(after - before)}.`;
  });
}

/** The names of a version's variants; the only one of `scaleTargetRef` is called default. */
export function variantsOf(version: Version): string[] {
  const listed = version.spec.variants;
  if (!Array.isArray(listed)) return ["default"];
  return listed.flatMap((one: { name?: unknown }) => (typeof one.name === "string" ? [one.name] : []));
}
