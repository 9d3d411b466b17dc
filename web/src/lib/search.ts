import type { Verdict } from "../api/client";

/** Ranges of the charts, seconds. */
export const RANGES = { "1h": 3600, "6h": 6 * 3600, "24h": 24 * 3600, "7d": 7 * 24 * 3600 } as const;
export type Range = keyof typeof RANGES;

export const VERDICTS: Verdict[] = ["up", "down", "hold", "abstain"];

export type TargetSearch = { range: Range; verdict: Verdict | "changes" | "all" };

/** What the URL says; what it does not, or says wrongly, is the default. */
export function targetSearch(raw: Record<string, unknown>): TargetSearch {
  const range = Object.keys(RANGES).includes(raw.range as string) ? (raw.range as Range) : "6h";
  const known = [...VERDICTS, "changes", "all"].includes(raw.verdict as string);
  return { range, verdict: known ? (raw.verdict as TargetSearch["verdict"]) : "all" };
}

/** The verdicts to ask the API for; none means all. */
export function asked(verdict: TargetSearch["verdict"]): Verdict[] {
  if (verdict === "all") return [];
  return verdict === "changes" ? ["up", "down"] : [verdict];
}
