import type { TargetSeries } from "../api/client";
import type { Stretch } from "./search";

/** Shorter than this at an end is the time between decisions, not a gap in the record. */
const SLACK_S = 300;
/** A window that is shorter has hardly a decision in it. */
const LEAST_S = 60;

/** The part of a stretch that decisions were recorded in, whole seconds; null where there were none. */
export function recordedWithin(at: readonly number[], { from, to }: Stretch): Stretch | null {
  const inside = at.filter((time) => time >= from && time <= to);
  const [first, last] = [inside[0], inside[inside.length - 1]];
  if (first === undefined || last === undefined) return null;
  const found = { from: Math.floor(first - from > SLACK_S ? first : from), to: Math.ceil(to - last > SLACK_S ? last : Math.min(to, last + 1)) };
  return found.to - found.from < LEAST_S ? null : found;
}

/** Requests in a stretch, by the rates that were seen. */
export function requestsOf(series: Pick<TargetSeries, "at_s" | "requests_per_s">, { from, to }: Stretch): number {
  return series.at_s.reduce((sum, at, i) => {
    const rate = series.requests_per_s[i];
    const next = Math.min(series.at_s[i + 1] ?? to, to);
    return at < from || at > to || rate == null ? sum : sum + rate * Math.min(Math.max(0, next - at), SLACK_S);
  }, 0);
}
