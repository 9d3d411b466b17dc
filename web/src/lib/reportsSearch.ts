import type { components } from "../api/schema";
import type { Stretch } from "./search";
import type { Zone } from "./zone";

export type By = components["schemas"]["By"];
export const BYS: { value: By; label: string }[] = [
  { value: "target", label: "Target" },
  { value: "namespace", label: "Namespace" },
  { value: "variant", label: "Variant" },
  { value: "day", label: "Day" },
];
export const PERIODS = [
  { value: "month", label: "This month" },
  { value: "last-month", label: "Last month" },
  { value: "7d", label: "Last 7 days" },
  { value: "30d", label: "Last 30 days" },
] as const;
export type Period = (typeof PERIODS)[number]["value"];

/** `from` and `to` (unix seconds) where a stretch of one's own is looked at. */
export type ReportsSearch = { period: Period; from?: number; to?: number; by: By; namespace?: string };

export function reportsSearch(raw: Record<string, unknown>): ReportsSearch {
  const [from, to] = [Number(raw.from), Number(raw.to)];
  return {
    period: PERIODS.find(({ value }) => value === raw.period)?.value ?? "month",
    ...(raw.from !== undefined && from > 0 && to > from ? { from, to } : {}),
    by: BYS.find(({ value }) => value === raw.by)?.value ?? "target",
    ...(typeof raw.namespace === "string" && raw.namespace !== "" ? { namespace: raw.namespace } : {}),
  };
}

const DAY_S = 86_400;

/** The stretch of a report at a time. Months begin at midnight of the chosen zone; a running one ends now. */
export function stretchOfReport({ period, from, to }: ReportsSearch, nowS: number, zone: Zone): Stretch {
  if (from !== undefined && to !== undefined) return { from, to };
  if (period === "7d") return { from: nowS - 7 * DAY_S, to: nowS };
  if (period === "30d") return { from: nowS - 30 * DAY_S, to: nowS };
  const now = new Date(nowS * 1000);
  const monthAt = (back: number) =>
    (zone === "utc" ? Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - back, 1) : new Date(now.getFullYear(), now.getMonth() - back, 1).getTime()) / 1000;
  return period === "month" ? { from: monthAt(0), to: nowS } : { from: monthAt(1), to: monthAt(0) };
}

/** The same report as a file. */
export function fileHref({ from, to }: Stretch, { by, namespace }: ReportsSearch, format: "csv" | "parquet"): string {
  const query = new URLSearchParams({ from: String(from), to: String(to), by, format, ...(namespace === undefined ? {} : { namespace }) });
  return `/api/v1/reports?${query.toString()}`;
}
