import type { Job, JobSummary } from "../api/jobs";
import type { components } from "../api/schema";
import { changeWords } from "./change";
import { dollars, percentMore, points } from "./format";
import { policyWords } from "./rivals";
import type { Column, Columns } from "./series";

export type Run = components["schemas"]["Run"];
type Timeline = components["schemas"]["Timeline"];
type Slo = components["schemas"]["Slo"];
type SimulationError = components["schemas"]["SimulationError"];

/** One way through the window. Recorded: what really happened. Base: the live policy, by the same method as the others. */
export type Way = { key: string; name: string; kind: "recorded" | "base" | "other"; run: Run };

/** What may be compared: the same target and window, by one method. Played: every request. Estimated: decisions alone. */
export type Group = {
  key: string;
  target: string;
  since_s: number;
  until_s: number;
  method: "played" | "estimated";
  ways: Way[];
  /** The base less what was recorded. */
  error: SimulationError;
  notes: readonly string[];
};

/** What a job plays, in words. */
export function jobWords({ kind, request }: Pick<JobSummary, "kind" | "request">, slo?: Slo): string {
  if (kind === "WhatIf") return `If ${changeWords(request as Parameters<typeof changeWords>[0], slo)}`;
  return policyWords(String(request.policy), request.version as string | null | undefined);
}

/** The stretch that a job is of: what was played, once that is known, since more may be asked than was recorded. */
export function windowOf({ request, ...job }: Pick<JobSummary, "request"> & Partial<Pick<Job, "replay">>) {
  const played = job.replay ?? request;
  return { target: String(request.target), since_s: Number(played.since_s), until_s: Number(played.until_s) };
}

/** Jobs that succeeded, by what may be compared; within a group each way once. */
export function groupsOf(jobs: Job[], slo?: Slo): Group[] {
  const groups = new Map<string, Group>();
  for (const job of jobs) {
    const found = resultOf(job, slo);
    if (found === null) continue;
    const group = groups.get(found.key);
    if (group === undefined) groups.set(found.key, found);
    else group.ways.push(...found.ways.filter((way) => way.kind === "other").map((way) => renamed(way, group.ways)));
  }
  return [...groups.values()];
}

/** Two ways of one name are told apart by a number. */
function renamed(way: Way, others: Way[]): Way {
  const same = others.filter((other) => other.name.replace(/ \(\d+\)$/, "") === way.name).length;
  return same === 0 ? way : { ...way, name: `${way.name} (${same + 1})` };
}

function resultOf(job: Job, slo?: Slo): Group | null {
  const key = (method: string, at: { target: string; since_s: number; until_s: number }) => `${method} ${at.target} ${at.since_s} ${at.until_s}`;
  const name = jobWords(job, slo);
  const ways = (recorded: Run, base: Run, baseName: string, others: Run[]): Way[] => [
    { key: "recorded", name: "What happened", kind: "recorded", run: recorded },
    { key: "base", name: baseName, kind: "base", run: base },
    ...others.map((run): Way => ({ key: job.id, name, kind: "other", run })),
  ];
  if (job.replay) {
    const { target, since_s, until_s, recorded, runs, error, notes } = job.replay;
    const base = runs[runs.length - 1] as Run;
    const all = ways(recorded, base, "Live policy, simulated", runs.slice(0, -1));
    return { key: key("played", job.replay), target, since_s, until_s, method: "played", ways: all, error, notes };
  }
  if (job.what_if) {
    const { target, since_s, until_s, recorded, unchanged, changed, notes } = job.what_if;
    const all = ways(recorded, unchanged, "No change, estimated", [changed]);
    return { key: key("estimated", job.what_if), target, since_s, until_s, method: "estimated", ways: all, error: errorOf(unchanged, recorded), notes };
  }
  return null;
}

function errorOf(base: Run, recorded: Run): SimulationError {
  const relative = (a: number, b: number) => (b > 0 ? a / b - 1 : null);
  return {
    attainment: base.attainment === null || recorded.attainment === null ? null : base.attainment - recorded.attainment,
    cost: relative(Number(base.cost_usd), Number(recorded.cost_usd)),
    gpu_hours: relative(base.gpu_hours, recorded.gpu_hours),
    requests: relative(base.requests, recorded.requests),
  };
}

export const baseOf = (group: Group): Way => group.ways.find((way) => way.kind === "base") as Way;

const HOUR_S = 3600;
/** A last piece shorter than this is not an hour that one could be judged by. */
const LEAST_S = 1800;

export type WorstHour = { at: number; until: number; attainment: number };

/** The hour (from the window's start on) in which the fewest requests met the SLO. Null where none is known. */
export function worstHour(line: Timeline, since: number, until: number): WorstHour | null {
  const hours = new Map<number, { met: number; all: number }>();
  line.at_s.forEach((at, i) => {
    const [share, rate] = [line.attainment[i], line.requests_per_s[i]];
    if (share == null || rate == null || rate <= 0) return;
    // A last short piece belongs to the hour before it.
    const last = Math.max(0, Math.ceil((until - since) / HOUR_S - LEAST_S / HOUR_S) - 1);
    const hour = Math.min(Math.max(0, Math.floor((at - since) / HOUR_S)), last);
    const sum = hours.get(hour) ?? { met: 0, all: 0 };
    hours.set(hour, { met: sum.met + share * rate, all: sum.all + rate });
  });
  let worst: WorstHour | null = null;
  for (const [hour, { met, all }] of hours) {
    const at = since + hour * HOUR_S;
    if (worst === null || met / all < worst.attainment) worst = { at, until: Math.min(until, at + HOUR_S), attainment: met / all };
  }
  return worst;
}

const POINTS = 500;

/** Evenly spaced times of a window: every way's columns are read off there, so that their charts share an axis. */
export function axisOf(since: number, until: number): number[] {
  const step = (until - since) / (POINTS - 1);
  return Array.from({ length: POINTS }, (_, i) => since + i * step);
}

/** Steps: at each time of the axis the last value at or before it; null before the first. */
export function sampled(at: readonly number[], values: readonly (number | null)[], axis: number[]): Column {
  let place = -1;
  return axis.map((time) => {
    while (place + 1 < at.length && (at[place + 1] as number) <= time) place += 1;
    return place < 0 ? null : (values[place] ?? null);
  });
}

/** The variants that any way of the group ever had, so that a colour means the same in every chart. */
export function variantsOf(group: Group): string[] {
  const had = group.ways.flatMap(({ run }) => Object.entries(run.timeline.replicas).filter(([, counts]) => counts.some((count) => count > 0)));
  return [...new Set(had.map(([name]) => name))].sort();
}

export function replicasOf(way: Way, variants: string[], axis: number[]): Columns {
  const { at_s, replicas } = way.run.timeline;
  return [axis, ...variants.map((name) => sampled(at_s, replicas[name] ?? at_s.map(() => 0), axis))];
}

export function mostReplicas(group: Group): number {
  return Math.max(1, ...group.ways.flatMap(({ run }) => Object.values(run.timeline.replicas).flatMap((counts) => Math.max(0, ...counts))));
}

/** One column a way: what `of` reads off its timeline. */
export function acrossWays(group: Group, axis: number[], of: (line: Timeline) => readonly (number | null)[]): Columns {
  return [axis, ...group.ways.map(({ run }) => sampled(run.timeline.at_s, of(run.timeline), axis))];
}

export type Difference = { usd: number; usdShare: number | null; attainment: number | null; gpuHours: number };

export function differenceOf(run: Run, base: Run): Difference {
  const usd = Number(run.cost_usd) - Number(base.cost_usd);
  return {
    usd,
    usdShare: Number(base.cost_usd) > 0 ? usd / Number(base.cost_usd) : null,
    attainment: run.attainment === null || base.attainment === null ? null : run.attainment - base.attainment,
    gpuHours: run.gpu_hours - base.gpu_hours,
  };
}

/** Less than this (half a cent; a hundredth of a point) is shown as no difference. */
const SAME_USD = 0.005;
const SAME_SHARE = 0.00005;

/** What the numbers say, in words: each other way against the base. */
export function findings(group: Group): string[] {
  const base = baseOf(group).run;
  return group.ways.filter((way) => way.kind === "other").map((way) => `${way.name} ${differenceWords(differenceOf(way.run, base))}.`);
}

function differenceWords({ usd, usdShare, attainment }: Difference): string {
  const same = attainment !== null && Math.abs(attainment) < SAME_SHARE;
  const cost = Math.abs(usd) < SAME_USD ? "costs the same" : `costs ${dollars(Math.abs(usd))} ${usd > 0 ? "more" : "less"} (${percentMore(usdShare)})`;
  if (attainment === null) return `${cost}; how many requests met the SLO is not known`;
  if (same) return `${cost}, and as many requests meet the SLO`;
  return `${cost}, and the share of requests that meet the SLO is ${points(Math.abs(attainment)).slice(1)} ${attainment > 0 ? "higher" : "lower"}`;
}

/** What the ways are held against. */
export const againstWords = ({ method }: Group) =>
  method === "played" ? "Against the live policy, simulated on the same requests:" : "Against the same estimate without a change:";

/** How far to believe it: the base against what really happened. */
export function errorWords({ error, method }: Group): string {
  const parts = [
    error.cost === null ? null : `${percentMore(error.cost)} in cost`,
    error.attainment === null ? null : `${points(error.attainment)} in attainment`,
  ].filter((part) => part !== null);
  if (parts.length === 0) return "Nothing that was recorded can be held against the simulation.";
  const how = method === "played" ? "The simulation of the live policy" : "The estimate without a change";
  return `${how} is off from what really happened by ${parts.join(" and ")}: differences smaller than that say little.`;
}
