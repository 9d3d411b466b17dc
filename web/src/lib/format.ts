import { type Zone, zone } from "./zone";

/** What is not known is a dash, never a zero. */
export const UNKNOWN = "–";

type Maybe = number | null | undefined;

const known = (value: Maybe): value is number => value !== null && value !== undefined && Number.isFinite(value);

export const number = (value: Maybe, digits = 1) => (known(value) ? value.toFixed(digits) : UNKNOWN);

export const rate = (value: Maybe) => (known(value) ? `${value.toFixed(value < 10 ? 2 : 1)} req/s` : UNKNOWN);

export const share = (value: Maybe, digits = 1) => (known(value) ? `${(value * 100).toFixed(digits)} %` : UNKNOWN);

export const dollarsPerHour = (value: Maybe) => (known(value) ? `$${value.toFixed(2)}/h` : UNKNOWN);

/** Seconds in the unit that reads best. */
export function seconds(value: Maybe): string {
  if (!known(value)) return UNKNOWN;
  if (value < 1) return `${(value * 1000).toFixed(value < 0.1 ? 1 : 0)} ms`;
  if (value < 120) return `${value.toFixed(value < 10 ? 2 : 0)} s`;
  return value < 7200 ? `${(value / 60).toFixed(0)} min` : `${(value / 3600).toFixed(1)} h`;
}

/** `+$8.00/h`: what a change costs or saves; the sign is always there. */
export const dollarsChange = (value: Maybe) => (known(value) ? `${value < 0 ? "−" : "+"}$${Math.abs(value).toFixed(2)}/h` : UNKNOWN);

const day = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "medium" });

/** Unix seconds in the zone that the viewer chose. */
export function time(atS: Maybe, where: Zone = zone()): string {
  if (!known(atS)) return UNKNOWN;
  return where === "utc" ? utc(atS) : day.format(new Date(atS * 1000));
}

/** How long ago, in the unit that reads best. */
export const ago = (fromS: Maybe, nowS: Maybe) => (known(fromS) && known(nowS) ? `${seconds(Math.max(1, Math.round(nowS - fromS)))} ago` : UNKNOWN);

/** Unix seconds in UTC, for tooltips. */
export const utc = (atS: Maybe) =>
  known(atS) ? `${new Date(atS * 1000).toISOString().replace("T", " ").slice(0, 19)} UTC` : UNKNOWN;

/** `2 h100 + 1 l40s`, leaving out what there is none of. */
export function fleet(replicas: Record<string, number>): string {
  const parts = Object.entries(replicas).filter(([, count]) => count > 0);
  return parts.length ? parts.map(([name, count]) => `${count} ${name}`).join(" + ") : "0 replicas";
}

/** `h100 2 → 3`, leaving out what stays. */
export function moves(current: Record<string, number>, desired: Record<string, number>): string {
  return Object.entries(desired)
    .filter(([name, count]) => (current[name] ?? 0) !== count)
    .map(([name, count]) => `${name} ${current[name] ?? 0} → ${count}`)
    .join(", ");
}

/** `$1,234.50`; decimal text comes from the API. */
export const dollars = (value: Maybe | string) => {
  const amount = typeof value === "string" ? Number(value) : value;
  return known(amount) ? `${amount < 0 ? "−" : ""}$${Math.abs(amount).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}` : UNKNOWN;
};

/** `+$1.20` or `−$1.20`. */
export const dollarsMore = (value: Maybe) => (known(value) ? `${value < 0 ? "−" : "+"}${dollars(Math.abs(value))}` : UNKNOWN);

/** `+1.2 %`: a share of something else, with its sign. */
export const percentMore = (value: Maybe, digits = 1) => (known(value) ? `${value < 0 ? "−" : "+"}${(Math.abs(value) * 100).toFixed(digits)} %` : UNKNOWN);

/** `−0.30 points`: a difference of two shares. */
export const points = (value: Maybe, digits = 2) => (known(value) ? `${value < 0 ? "−" : "+"}${(Math.abs(value) * 100).toFixed(digits)} points` : UNKNOWN);

/** Thousands apart: `118,000`. */
export const whole = (value: Maybe) => (known(value) ? Math.round(value).toLocaleString("en-US") : UNKNOWN);

/** A stretch of time in the viewer's zone, the day once where it is one day. */
export function stretch(fromS: number, toS: number, where: Zone = zone()): string {
  const options: Intl.DateTimeFormatOptions = { dateStyle: "short", timeStyle: "short", ...(where === "utc" ? { timeZone: "UTC" } : {}) };
  return new Intl.DateTimeFormat(undefined, options).formatRange(fromS * 1000, toS * 1000) + (where === "utc" ? " UTC" : "");
}
