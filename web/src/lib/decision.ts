import type { Tick } from "../api/client";
import { fleet, moves } from "./format";

/** What was decided, as one would say it: first the deed, then whether it was done. */
export function leadWords(tick: Tick): string {
  const { verdict, current, desired } = tick.decision;
  const stays = fleet(current);
  if (verdict === "abstain") return `It could not decide, and left what runs: ${stays}`;
  if (verdict === "hold") return `It left the replicas as they are: ${stays}`;
  const moved = moves(current, desired);
  return `${verdict === "up" ? "More" : "Fewer"} replicas: ${moved}${undone(tick)}`;
}

/** Why a change was not carried out, as far as the decision itself knows. */
function undone(tick: Tick): string {
  if (tick.validation && !tick.validation.allowed) return ", but the last check refused it";
  if (tick.inputs.target.policy?.mode !== "Live" && tick.inputs.target.policy !== undefined) return `, but nothing is patched in ${tick.inputs.target.policy.mode}`;
  const failed = tick.actuations.filter((one) => one.result !== "applied");
  return failed.length > 0 ? `, but ${failed.map((one) => `${one.variant} was not changed (${one.result})`).join(", ")}` : "";
}

/** Dollars an hour of some replicas; null where a price is missing. */
export function costOf(tick: Tick, replicas: Record<string, number>): number | null {
  const prices = new Map((tick.inputs.target.variants ?? []).map((v) => [v.name, v.usd_per_replica_hour]));
  return Object.entries(replicas).reduce<number | null>((sum, [name, count]) => {
    const price = prices.get(name);
    return sum === null || (price === undefined && count > 0) ? null : sum + count * (price ?? 0);
  }, 0);
}

/** A sentence's first words and the rest: `Seen:` and what was seen. */
export function headed(sentence: string): [string, string] {
  const found = /^(Seen|Expected|Possible|Chosen|Verdict|Done|Checked again|Rule [^:]+):/.exec(sentence);
  return found ? [found[0], sentence.slice(found[0].length)] : ["", sentence];
}

/** Unix seconds around a decision: an hour before and after, the latter as far as it is over. */
export const HALF_S = 3600;
export const around = (atS: number, nowS: number | null) => ({ from: Math.floor(atS - HALF_S), to: Math.ceil(Math.min(atS + HALF_S, nowS ?? Infinity)) });
