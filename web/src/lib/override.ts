import type { OverrideIn, OverrideKind, TargetSummary, VariantStatus } from "../api/client";
import { dollarsChange, dollarsPerHour, seconds } from "./format";

export const KINDS: { value: OverrideKind; label: string; hint: string }[] = [
  { value: "Pin", label: "Pin", hint: "exactly this many replicas" },
  { value: "Floor", label: "Floor", hint: "at least this many replicas" },
  { value: "Ceiling", label: "Ceiling", hint: "at most this many replicas" },
  { value: "Pause", label: "Pause", hint: "leave the replicas as they are" },
];

export type Wish = { kind: OverrideKind; variant: string | null; replicas: number | null };

/** How many replicas a variant is held to now, as far as one can say before the next decision. */
function after(wish: Wish, variant: VariantStatus): number | null {
  if (variant.desired === null) return null;
  if (wish.kind === "Pause" || wish.replicas === null) return variant.desired;
  // A quota may stand behind maxReplicas: it holds over people's words too.
  const high = Math.max(variant.max_replicas, variant.desired);
  const bent = { Pin: wish.replicas, Floor: Math.max(variant.desired, wish.replicas), Ceiling: Math.min(variant.desired, wish.replicas) }[wish.kind];
  return Math.min(bent, high);
}

export type Consequence = { words: string; usdPerHour: number | null; warnings: string[] };

/** What will happen, in numbers: `+2 h100 (3 → 5) = +$8.00/h`. */
export function consequence(wish: Wish, target: TargetSummary): Consequence {
  const meant = target.variants.filter((v) => wish.variant === null || v.name === wish.variant);
  const moves = meant.map((variant) => ({ variant, to: after(wish, variant) }));
  const warnings = moves.flatMap(({ variant, to }) => warningsOf(wish, variant, to));
  if (moves.some(({ to }) => to === null)) return { words: "What will change is not known before the first decision.", usdPerHour: null, warnings };
  const changed = moves.filter(({ variant, to }) => to !== variant.desired);
  const usd = changed.reduce((sum, { variant, to }) => sum + ((to as number) - (variant.desired as number)) * variant.usd_per_replica_hour, 0);
  if (changed.length === 0) return { words: `Nothing moves now: ${held(meant)}.`, usdPerHour: 0, warnings };
  const words = changed.map(({ variant, to }) => {
    const step = (to as number) - (variant.desired as number);
    return `${step < 0 ? "−" : "+"}${Math.abs(step)} ${variant.name} (${variant.desired} → ${to})`;
  });
  const ready = Math.max(...changed.map(({ variant, to }) => ((to as number) > (variant.desired as number) ? (variant.cold_start_s ?? 0) : 0)));
  const wait = ready > 0 ? `, ready in about ${seconds(ready)}` : "";
  return { words: `${words.join(", ")} = ${dollarsChange(usd)}${wait}`, usdPerHour: usd, warnings };
}

const held = (variants: VariantStatus[]) =>
  `${variants.map((v) => `${v.desired} ${v.name}`).join(" + ")} at ${dollarsPerHour(variants.reduce((sum, v) => sum + (v.desired ?? 0) * v.usd_per_replica_hour, 0))}`;

function warningsOf(wish: Wish, variant: VariantStatus, to: number | null): string[] {
  if (wish.replicas === null || wish.kind === "Pause") return [];
  const found: string[] = [];
  if (wish.kind !== "Ceiling" && wish.replicas > variant.max_replicas) found.push(`${variant.name} has maxReplicas ${variant.max_replicas}, which still holds.`);
  if (wish.kind !== "Floor" && to === 0) found.push(`${variant.name} serves nothing meanwhile.`);
  else if (wish.kind !== "Floor" && wish.replicas < variant.min_replicas) found.push(`That is below minReplicas ${variant.min_replicas} of ${variant.name}.`);
  return found;
}

export const TTLS = [
  { value: "900", label: "15 minutes" },
  { value: "1800", label: "30 minutes" },
  { value: "3600", label: "1 hour" },
  { value: "14400", label: "4 hours" },
  { value: "86400", label: "1 day" },
  { value: "604800", label: "1 week" },
];

/** The request that a wish makes. */
export function bodyOf(wish: Wish, ttlS: number, reason: string): OverrideIn {
  return { kind: wish.kind, variant: wish.variant, replicas: wish.kind === "Pause" ? null : wish.replicas, ttl_s: ttlS, reason };
}
