import type { Verdict } from "../api/client";

/** Relative ranges of the charts, seconds up to now. */
export const RANGES = {
  "15m": 900,
  "1h": 3600,
  "3h": 3 * 3600,
  "6h": 6 * 3600,
  "12h": 12 * 3600,
  "24h": 24 * 3600,
  "2d": 2 * 86_400,
  "7d": 7 * 86_400,
  "30d": 30 * 86_400,
} as const;
export type Range = keyof typeof RANGES;

export const VERDICTS: Verdict[] = ["up", "down", "hold", "abstain"];

/** `from` and `to` (unix seconds) where a stretch of the past is looked at; else the last `range`. */
export type TargetSearch = { range: Range; from?: number; to?: number; verdict: Verdict | "changes" | "all" };

/** What the URL says; what it does not, or says wrongly, is the default. */
export function targetSearch(raw: Record<string, unknown>): TargetSearch {
  const range = Object.keys(RANGES).includes(raw.range as string) ? (raw.range as Range) : "6h";
  const known = [...VERDICTS, "changes", "all"].includes(raw.verdict as string);
  const [from, to] = [Number(raw.from), Number(raw.to)];
  const window = raw.from !== undefined && from > 0 && to > from ? { from, to } : {};
  return { range, ...window, verdict: known ? (raw.verdict as TargetSearch["verdict"]) : "all" };
}

/** The verdicts to ask the API for; none means all. */
export function asked(verdict: TargetSearch["verdict"]): Verdict[] {
  if (verdict === "all") return [];
  return verdict === "changes" ? ["up", "down"] : [verdict];
}

export type Stretch = { from: number; to: number };

/** The stretch that is looked at; null where it is relative and the clock is not known yet. */
export function stretchOf(search: TargetSearch, nowS: number | null): Stretch | null {
  if (search.from !== undefined && search.to !== undefined) return { from: search.from, to: search.to };
  return nowS === null ? null : { from: nowS - RANGES[search.range], to: nowS };
}

/** Twice as long around the same middle, as Grafana's zoom out. */
export function wider({ from, to }: Stretch): Stretch {
  const half = to - from;
  const middle = (from + to) / 2;
  return { from: Math.round(middle - half), to: Math.round(middle + half) };
}

/** Half a length earlier (-1) or later (1), as Grafana's arrows. */
export function shifted({ from, to }: Stretch, direction: -1 | 1): Stretch {
  const step = Math.round(((to - from) / 2) * direction);
  return { from: Math.round(from) + step, to: Math.round(to) + step };
}

export type OverridesSearch = { q?: string; show: "active" | "all"; what?: "freezes" };

export function overridesSearch(raw: Record<string, unknown>): OverridesSearch {
  return { ...text("q", raw.q), show: raw.show === "all" ? "all" : "active", ...(raw.what === "freezes" ? { what: "freezes" as const } : {}) };
}

export type AuditSearch = { actor?: string; action?: string; resource?: string; namespace?: string };

export function auditSearch(raw: Record<string, unknown>): AuditSearch {
  return { ...text("actor", raw.actor), ...text("action", raw.action), ...text("resource", raw.resource), ...text("namespace", raw.namespace) };
}

const text = <K extends string>(key: K, value: unknown) =>
  value === undefined || value === "" ? {} : ({ [key]: String(value) } as Record<K, string>);
