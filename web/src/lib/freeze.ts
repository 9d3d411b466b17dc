import type { TargetSummary } from "../api/client";
import type { components } from "../api/schema";
import { keyOf } from "./fleet";
import { dollarsPerHour, fleet as fleetWords, seconds } from "./format";

export type Freeze = components["schemas"]["FreezeOut"];
export type FreezeIn = components["schemas"]["FreezeIn"];
export type Direction = Freeze["direction"];

export const DIRECTIONS: { value: Direction; label: string; hint: string }[] = [
  { value: "Both", label: "Everything stands still", hint: "No plan, no bound and no override moves a replica. Who must act meanwhile ends the freeze first." },
  { value: "Down", label: "Nothing goes down", hint: "Replicas are still added when the load asks for them; none is taken away." },
];

export type Scope = { namespace: string | null; target: string | null };

/** What a freeze is of, in words. */
export const scopeOf = ({ namespace, target }: Scope) => (namespace === null ? "everything" : target === null ? `namespace ${namespace}` : `${namespace}/${target}`);

export const concerns = (scope: Scope, target: { namespace: string; name: string }) =>
  (scope.namespace === null || scope.namespace === target.namespace) && (scope.target === null || scope.target === target.name);

export type Wish = Scope & { direction: Direction; startsAtS: number | null; ttlS: number };

/** Replicas that targets want now, by variant. */
function desired(targets: TargetSummary[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { variants } of targets) for (const { name, desired } of variants) sums[name] = (sums[name] ?? 0) + (desired ?? 0);
  return sums;
}

/** The dollars that a freeze holds at most for its whole length: what stands now, all the time. */
const cost = (usdPerHour: number, ttlS: number) => `$${((usdPerHour * ttlS) / 3600).toFixed(2)} in ${seconds(ttlS)}`;

/** What a freeze will hold, in numbers, as far as one can say before it begins. */
export function held(wish: Wish, targets: TargetSummary[] | undefined): { words: string; warnings: string[] } {
  if (targets === undefined) return { words: "What it will hold is not known: the fleet did not answer yet.", warnings: [] };
  const meant = targets.filter((target) => concerns(wish, target));
  if (meant.length === 0) return { words: "It concerns no target that exists now.", warnings: [] };
  const usd = meant.reduce((sum, { usd_per_hour }) => sum + (usd_per_hour ?? 0), 0);
  const who = meant.length === 1 ? keyOf(meant[0] as TargetSummary) : `${meant.length} targets`;
  const what = `${fleetWords(desired(meant))} at ${dollarsPerHour(usd)}`;
  const when = wish.startsAtS === null ? "" : " as things are now; what stands when it begins is what it holds";
  const words =
    wish.direction === "Both"
      ? `Of ${who} it holds ${what}: ${cost(usd, wish.ttlS)}${when}.`
      : `Of ${who} it keeps at least ${what}: ${cost(usd, wish.ttlS)} or more${when}.`;
  return { words, warnings: warningsOf(wish, meant) };
}

function warningsOf({ direction, startsAtS }: Wish, meant: TargetSummary[]): string[] {
  if (direction !== "Both" || startsAtS !== null) return [];
  const found: string[] = [];
  const growing = meant.filter((target) => target.variants.some((v) => (v.ready ?? 0) < (v.desired ?? 0)));
  if (growing.length > 0) found.push(`${listed(growing)} ${growing.length === 1 ? "is" : "are"} growing now: what was asked for still comes, and nothing more.`);
  const missing = meant.filter((target) => target.attainment !== null && target.attainment < target.slo.attainment);
  if (missing.length > 0) found.push(`${listed(missing)} ${missing.length === 1 ? "misses its SLO" : "miss their SLO"}: no replica will be added.`);
  return found;
}

const listed = (targets: TargetSummary[]) => (targets.length > 3 ? `${targets.slice(0, 3).map(keyOf).join(", ")} and ${targets.length - 3} more` : targets.map(keyOf).join(", "));

/** What ending a freeze lets go, in numbers. */
export function letGo(freeze: Freeze, targets: TargetSummary[] | undefined): string {
  const meant = targets?.filter((target) => concerns(freeze, target)).length;
  const count = meant === undefined ? "its targets" : `${meant} ${meant === 1 ? "target" : "targets"}`;
  return freeze.state === "Planned"
    ? `It never begins; ${count} would have been frozen.`
    : `From the next decision on ${count} may ${freeze.direction === "Both" ? "be scaled" : "shrink"} again, within the policy's pace.`;
}

export const FREEZE_TTLS = [
  { value: "900", label: "15 minutes" },
  { value: "3600", label: "1 hour" },
  { value: "7200", label: "2 hours" },
  { value: "14400", label: "4 hours" },
  { value: "28800", label: "8 hours" },
  { value: "86400", label: "1 day" },
  { value: "259200", label: "3 days" },
  { value: "604800", label: "1 week" },
  { value: "1209600", label: "2 weeks" },
  { value: "2592000", label: "30 days" },
];

/** The request that a wish makes. */
export function freezeBody({ namespace, target, direction, startsAtS, ttlS }: Wish, reason: string): FreezeIn {
  return { namespace, target, direction, starts_at_s: startsAtS, ttl_s: ttlS, reason };
}
