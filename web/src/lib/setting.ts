import type { Setting } from "../api/settings";
import { fleet } from "./format";

/** One line of a setting that is a table: what it is of, and its cells as they were typed. */
export type Line = { of: string; a: string; b: string };

export const TITLES: Record<string, string> = {
  approval_required: "Second person's approval",
  retention_ticks_days: "Decisions are kept",
  retention_rollups_days: "Sums are kept",
  budgets: "Budgets a day",
  report_baseline: "Fleets to compare with",
};

type Budgets = Record<string, string>;
type Baseline = Record<string, Record<string, number>>;

/** A value in words. */
export function valueWords({ name, value }: Pick<Setting, "name" | "value">): string {
  if (typeof value === "boolean") return value ? "required" : "not required";
  if (typeof value === "number") return `${value} days`;
  const entries = Object.entries((value ?? {}) as Record<string, unknown>);
  if (entries.length === 0) return "none";
  if (name === "budgets") return (entries as [string, string][]).map(([of, usd]) => `${of === "*" ? "everything" : of} $${usd}`).join(", ");
  return (entries as [string, Record<string, number>][]).map(([of, replicas]) => `${of}: ${fleet(replicas)}`).join("; ");
}

/** The lines that a table's editor begins with. */
export function linesOf({ name, value }: Pick<Setting, "name" | "value">): Line[] {
  if (name === "budgets") return Object.entries(value as Budgets).map(([of, usd]) => ({ of, a: usd, b: "" }));
  return Object.entries(value as Baseline).flatMap(([of, replicas]) => Object.entries(replicas).map(([variant, count]) => ({ of, a: variant, b: String(count) })));
}

/** The value that lines mean. Empty ones are left out; what cannot be is refused by the API, which says why. */
export function valueOf(name: string, lines: Line[]): Budgets | Baseline {
  const meant = lines.map(({ of, a, b }) => ({ of: of.trim(), a: a.trim(), b: b.trim() })).filter(({ of, a }) => of !== "" && a !== "");
  if (name === "budgets") return Object.fromEntries(meant.map(({ of, a }) => [of, a]));
  const found: Baseline = {};
  for (const { of, a, b } of meant) found[of] = { ...found[of], [a]: Number(b) };
  return found;
}

/** What a change brings, in numbers where there are some. */
export function changeWords({ name, value }: Pick<Setting, "name" | "value">, to: unknown): string {
  if (JSON.stringify(value) === JSON.stringify(to)) return "Nothing changes.";
  if (name === "approval_required") {
    return to ? "From now on a policy goes live only when a second person has approved it. Those that are live stay." : "From now on one person alone can put a policy live.";
  }
  if (typeof to === "number" && typeof value === "number") {
    const what = name === "retention_ticks_days" ? "Decisions" : "Hourly and daily sums";
    if (to > value) return `${what} are kept for ${to} days instead of ${value}. What is gone already does not come back.`;
    const rest = name === "retention_ticks_days" ? "of older ones their sums remain" : "older ones are gone for good";
    return `${what} of the oldest ${value - to} of ${value} days are dropped at the next sweep: ${rest}. This cannot be undone.`;
  }
  const before = Object.keys((value ?? {}) as object).length;
  const after = Object.keys((to ?? {}) as object).length;
  return `${after} ${after === 1 ? "entry" : "entries"} instead of ${before}, from now on: ${valueWords({ name, value: to as Setting["value"] })}.`;
}
