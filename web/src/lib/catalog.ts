import type { components } from "../api/schema";
import type { CatalogSearch } from "./catalogSearch";
import type { TargetSummary } from "../api/client";
import { dollarsChange, dollarsPerHour, UNKNOWN } from "./format";

export type Accelerator = components["schemas"]["AcceleratorOut"];
export type Model = components["schemas"]["ModelOut"];
export type Fit = components["schemas"]["FitOut"];

const GIB = 2 ** 30;

export const gib = (bytes: number | null) => (bytes === null ? UNKNOWN : `${(bytes / GIB).toFixed(bytes < 10 * GIB ? 1 : 0)} GiB`);
export const kib = (bytes: number | null) => (bytes === null ? UNKNOWN : `${Math.round(bytes / 1024)} KiB`);
export const count = (value: number | null) => (value === null ? UNKNOWN : value.toLocaleString("en-US"));

/** Decimal text as dollars: two places, or as many as it has up to four where it is below ten cents. */
export function usd(text: string | null): string {
  if (text === null) return UNKNOWN;
  const value = Number(text);
  return `$${value.toFixed(value !== 0 && Math.abs(value) < 0.1 ? 4 : 2)}`;
}

/** What bounds a replica's goodput, in words. */
export const BOUNDS: Record<string, string> = { Ttft: "TTFT", Tpot: "TPOT", Kv: "KV cache", Sequences: "sequences", LoraSlots: "LoRA slots", E2e: "end-to-end time", Infeasible: "the SLO" };
export const boundOf = (fit: Fit) => (fit.bound === null ? UNKNOWN : (BOUNDS[fit.bound] ?? fit.bound));

const perToken = (fit: Fit) => (fit.usd_per_million_tokens === null ? Number.MAX_VALUE : Number(fit.usd_per_million_tokens));

/** The rows that are meant, in the order that is meant; what carries nothing within the SLO comes last. */
export function fitRows(rows: Fit[], { gpus, sort }: Pick<CatalogSearch, "gpus" | "sort">): Fit[] {
  const meant = gpus === "all" ? [...rows] : bestOfEach(rows);
  const rank = { cost: perToken, goodput: (fit: Fit) => -(fit.goodput_rps ?? -1), name: () => 0 }[sort];
  return meant.sort((a, b) => rank(a) - rank(b) || a.accelerator.localeCompare(b.accelerator) || a.gpus - b.gpus);
}

/** Of each accelerator the width with the cheapest tokens; the widest tried where none carries anything. */
function bestOfEach(rows: Fit[]): Fit[] {
  const best = new Map<string, Fit>();
  for (const row of rows) {
    const held = best.get(row.accelerator);
    if (held === undefined || perToken(row) < perToken(held) || (perToken(row) === perToken(held) && row.gpus > held.gpus)) best.set(row.accelerator, row);
  }
  return [...best.values()];
}

export type PriceChange = { onDemand: number | null; spot: number | null };

/** Replicas that go by an accelerator's price now: those whose own is as much for each GPU. */
function priced(targets: TargetSummary[], gpu: Accelerator) {
  const price = { OnDemand: Number(gpu.usd_per_hour), Spot: Number(gpu.spot_usd_per_hour) };
  return targets.flatMap((target) =>
    target.variants
      .filter((v) => v.accelerator === gpu.name && Math.abs(v.usd_per_replica_hour / v.gpus_per_replica - price[kindOf(v.capacity_type)]) < 1e-6)
      .map((variant) => ({ target, variant })),
  );
}

const kindOf = (type: string) => (type === "Spot" ? "Spot" : "OnDemand");

/** What another price changes from the next decision on, in numbers. An amount that is null goes back to the catalog's. */
export function priceConsequence(targets: TargetSummary[] | undefined, gpu: Accelerator, to: PriceChange): string {
  if (targets === undefined) return "What it changes is not known: the fleet did not answer yet.";
  const found = priced(targets, gpu);
  if (found.length === 0) return `No variant goes by the price of ${gpu.name} now: nothing else changes.`;
  const next = { OnDemand: to.onDemand ?? Number(gpu.catalog_usd_per_hour), Spot: to.spot ?? Number(gpu.catalog_spot_usd_per_hour) };
  const sum = (price: (one: (typeof found)[number]) => number) => found.reduce((total, one) => total + (one.variant.desired ?? 0) * price(one), 0);
  const before = sum(({ variant }) => variant.usd_per_replica_hour);
  const after = sum(({ variant }) => variant.gpus_per_replica * next[kindOf(variant.capacity_type)]);
  const replicas = found.reduce((total, { variant }) => total + (variant.desired ?? 0), 0);
  if (Math.abs(after - before) < 0.005) return `The cost stays at ${dollarsPerHour(before)}: ${replicas} ${replicas === 1 ? "replica goes" : "replicas go"} by it now.`;
  const owners = new Set(found.map(({ target }) => `${target.namespace}/${target.name}`)).size;
  return `${replicas} ${replicas === 1 ? "replica" : "replicas"} of ${owners} ${owners === 1 ? "target" : "targets"} ${replicas === 1 ? "goes" : "go"} by it: ${dollarsPerHour(before)} → ${dollarsPerHour(after)} (${dollarsChange(after - before)}) from the next decision on. The planner may choose other variants then.`;
}
