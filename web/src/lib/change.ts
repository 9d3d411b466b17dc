import type { components } from "../api/schema";
import { number, seconds, share } from "./format";

type WhatIfIn = components["schemas"]["WhatIfIn"];
type Slo = components["schemas"]["Slo"];

/** What is different in a what-if; what is not said stays as it was. Seconds, shares, factors, $/h of one replica. */
export type Change = {
  ttft?: number;
  tpot?: number;
  attainment?: number;
  load?: number;
  cold?: number;
  prices?: Record<string, number>;
  /** Variants of which no new replica can be had in the whole window. */
  out?: string[];
};

/** The API's own bounds: least (which itself may be too little) and most. */
export const BOUNDS = { ttft: [0, 3600], tpot: [0, 60], attainment: [0, 1], load: [0.05, 20], cold: [0.05, 20], price: [0, 100_000] } as const;
const NUMBERS = ["ttft", "tpot", "attainment", "load", "cold"] as const;
const OPEN = ["ttft", "tpot", "attainment"];

const within = (name: keyof typeof BOUNDS, value: unknown): value is number => {
  const [low, high] = BOUNDS[name];
  if (typeof value !== "number" || !Number.isFinite(value) || value < low || value > high) return false;
  return !OPEN.includes(name) || (value > low && (name !== "attainment" || value < high));
};

/** What the URL says; what it says wrongly is left out. */
export function readChange(raw: unknown): Change {
  if (typeof raw !== "object" || raw === null) return {};
  const given = raw as Record<string, unknown>;
  const found: Change = {};
  for (const name of NUMBERS) if (within(name, given[name])) found[name] = given[name] as number;
  const prices = Object.entries((given.prices ?? {}) as Record<string, unknown>).filter(([, price]) => within("price", price));
  if (prices.length > 0) found.prices = Object.fromEntries(prices) as Record<string, number>;
  const out = Array.isArray(given.out) ? given.out.filter((name): name is string => typeof name === "string") : [];
  if (out.length > 0) found.out = out;
  return found;
}

/** The change with another value of one thing; undefined takes it back. */
export function withNumber(change: Change, name: (typeof NUMBERS)[number], value: number | undefined): Change {
  const { [name]: _, ...rest } = change;
  return value === undefined ? rest : { ...rest, [name]: value };
}

export function withPrice(change: Change, variant: string, value: number | undefined): Change {
  const { prices: before = {}, ...rest } = change;
  const { [variant]: _, ...others } = before;
  const prices = value === undefined ? others : { ...others, [variant]: value };
  return Object.keys(prices).length === 0 ? rest : { ...rest, prices };
}

export function withOut(change: Change, out: string[]): Change {
  const { out: _, ...rest } = change;
  return out.length === 0 ? rest : { ...rest, out };
}

/** Whether something is different at all: a factor of one is not. */
export const isChange = ({ load = 1, cold = 1, ...rest }: Change) => load !== 1 || cold !== 1 || Object.keys(rest).length > 0;

/** As the API is asked. */
export function changeBody(change: Change, since: number, until: number): Omit<WhatIfIn, "kind" | "target"> {
  const slo = { ttft_s: change.ttft ?? null, tpot_s: change.tpot ?? null, attainment: change.attainment ?? null };
  return {
    since,
    until,
    slo: Object.values(slo).some((value) => value !== null) ? slo : null,
    prices: change.prices ?? {},
    cold_start_factor: change.cold ?? 1,
    load_factor: change.load ?? 1,
    stock_outs: (change.out ?? []).map((variant) => ({ variant, since, until })),
  };
}

type Stored = {
  slo?: { [K in "ttft_s" | "tpot_s" | "attainment"]?: number | null } | null;
  prices?: Record<string, number>;
  cold_start_factor?: number;
  load_factor?: number;
  stock_outs?: { variant: string }[];
};

/** A stored what-if in words: `TPOT SLO 50 ms, load × 2`. Of the SLO only what differs from `before`, where that is known. */
export function changeWords(stored: Stored, before?: Slo): string {
  const { slo, prices = {}, cold_start_factor: cold = 1, load_factor: load = 1, stock_outs: outs = [] } = stored;
  const said: string[] = [];
  if (slo?.ttft_s != null && slo.ttft_s !== before?.ttft_s) said.push(`TTFT SLO ${seconds(slo.ttft_s)}`);
  if (slo?.tpot_s != null && slo.tpot_s !== before?.tpot_s) said.push(`TPOT SLO ${seconds(slo.tpot_s)}`);
  if (slo?.attainment != null && slo.attainment !== before?.attainment) said.push(`goal ${share(slo.attainment)}`);
  if (load !== 1) said.push(`load × ${plain(load)}`);
  if (cold !== 1) said.push(`cold start × ${plain(cold)}`);
  for (const [variant, price] of Object.entries(prices)) said.push(`${variant} at $${number(price, 2)}/h`);
  if (outs.length > 0) said.push(`no new ${[...new Set(outs.map((out) => out.variant))].join(", ")}`);
  return said.join(", ") || "no change";
}

const plain = (value: number) => String(Number(value.toFixed(2)));
