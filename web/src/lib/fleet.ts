import type { Mode, TargetSummary, Verdict } from "../api/client";

export const SORTS = ["faults", "name", "load", "attainment", "cost"] as const;
export const GROUPS = ["none", "namespace", "model"] as const;
export const MODES: Mode[] = ["Live", "Shadow", "Off"];

export type FleetSearch = {
  q?: string;
  mode?: Mode;
  verdict?: Verdict;
  faults?: true;
  sort: (typeof SORTS)[number];
  group: (typeof GROUPS)[number];
};

const within = <T>(allowed: readonly T[], value: unknown): T | undefined => allowed.find((one) => one === value);

/** What the URL says; what it says wrongly is left out. */
export function fleetSearch(raw: Record<string, unknown>): FleetSearch {
  return {
    ...(raw.q === undefined || raw.q === "" ? {} : { q: String(raw.q) }),
    ...keep("mode", within(MODES, raw.mode)),
    ...keep("verdict", within<Verdict>(["up", "down", "hold", "abstain"], raw.verdict)),
    ...(raw.faults === true ? { faults: true as const } : {}),
    sort: within(SORTS, raw.sort) ?? "faults",
    group: within(GROUPS, raw.group) ?? "none",
  };
}

const keep = <K extends string, V>(key: K, value: V | undefined) => (value === undefined ? {} : ({ [key]: value } as Record<K, V>));

/** Two intervals and a half: one decision that was skipped is not yet silence. */
export const LATE_INTERVALS = 2.5;

export const isLate = (target: TargetSummary, nowS: number) =>
  target.at_s !== null && nowS - target.at_s > LATE_INTERVALS * target.tick_interval_s;

export const losesSlo = (target: TargetSummary) => target.attainment !== null && target.attainment < target.slo.attainment;

/** What is wrong with a target, the worst first, in words. */
export function troubles(target: TargetSummary, nowS: number): string[] {
  const found: string[] = [];
  if (isLate(target, nowS)) found.push("no decision for a while");
  if (losesSlo(target)) found.push("misses its SLO");
  if (target.verdict === "abstain") found.push("cannot decide");
  for (const fault of target.faults) found.push(`${fault.count} × ${fault.kind}`);
  return [...found, ...target.conflicts];
}

const WEIGHTS: [(target: TargetSummary, nowS: number) => boolean, number][] = [
  [isLate, 8],
  [losesSlo, 4],
  [(t) => t.verdict === "abstain", 2],
  [(t) => t.faults.length + t.conflicts.length > 0, 1],
];

export const severity = (target: TargetSummary, nowS: number) =>
  WEIGHTS.reduce((sum, [holds, weight]) => sum + (holds(target, nowS) ? weight : 0), 0);

export const keyOf = (target: { namespace: string; name: string }) => `${target.namespace}/${target.name}`;

/** Made once: a comparer for each comparison costs more than the comparison. */
const byName = new Intl.Collator("en").compare;

/** The targets that are meant, in the order that is meant. */
export function arranged(targets: TargetSummary[], search: FleetSearch, nowS: number): TargetSummary[] {
  const words = (search.q ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const meant = targets.filter(
    (target) =>
      (search.mode === undefined || target.mode === search.mode) &&
      (search.verdict === undefined || target.verdict === search.verdict) &&
      (!search.faults || severity(target, nowS) > 0) &&
      (words.length === 0 || has(target, words)),
  );
  const ranks = meant.map((target) => ({ target, key: keyOf(target), rank: rankOf(target, search, nowS) }));
  return ranks.sort((a, b) => a.rank - b.rank || byName(a.key, b.key)).map(({ target }) => target);
}

function has(target: TargetSummary, words: string[]): boolean {
  const text = `${keyOf(target)} ${target.model} ${target.reason ?? ""} ${target.variants.map((v) => `${v.name} ${v.accelerator}`).join(" ")}`.toLowerCase();
  return words.every((word) => text.includes(word));
}

/** The smallest comes first; what is not known comes last. */
function rankOf(target: TargetSummary, { sort }: FleetSearch, nowS: number): number {
  const last = Number.MAX_VALUE;
  switch (sort) {
    case "faults":
      return -severity(target, nowS);
    case "load":
      return target.requests_per_s === null ? last : -target.requests_per_s;
    case "attainment":
      return target.attainment ?? last;
    case "cost":
      return target.usd_per_hour === null ? last : -target.usd_per_hour;
    case "name":
      return 0;
  }
}

export type FleetRow = { kind: "group"; name: string; count: number; faults: number; usdPerHour: number | null } | { kind: "target"; target: TargetSummary };

/** One row a target, with a row of sums before each group's first. Groups keep the order of their first target. */
export function grouped(targets: TargetSummary[], group: FleetSearch["group"], nowS: number): FleetRow[] {
  if (group === "none") return targets.map((target) => ({ kind: "target", target }));
  const groups = new Map<string, TargetSummary[]>();
  for (const target of targets) {
    const members = groups.get(target[group]);
    if (members) members.push(target);
    else groups.set(target[group], [target]);
  }
  return [...groups].flatMap(([name, members]): FleetRow[] => [headOf(name, members, nowS), ...members.map((target): FleetRow => ({ kind: "target", target }))]);
}

function headOf(name: string, members: TargetSummary[], nowS: number): FleetRow {
  const costs = members.map(({ usd_per_hour }) => usd_per_hour).filter((usd) => usd !== null);
  const usdPerHour = costs.length ? costs.reduce((sum, usd) => sum + usd, 0) : null;
  return { kind: "group", name, count: members.length, faults: members.filter((target) => severity(target, nowS) > 0).length, usdPerHour };
}

/** The change from the first to the last known value of an hour; null where there are not two. */
export function trend(values: (number | null)[]): number | null {
  const known = values.filter((value): value is number => value !== null);
  return known.length < 2 ? null : (known[known.length - 1] as number) - (known[0] as number);
}
