import type { Spec } from "../api/policies";

export type Changed = { path: string; before: unknown; after: unknown };

/** Fields in the order in which people write them; what is not named here comes after, by name. */
const ORDER = [
  ["apiVersion", "kind", "metadata", "spec"],
  ["name", "model", "mode", "group", "slo", "scaleTargetRef", "role", "accelerator", "acceleratorsPerReplica", "capacityType", "pricePerReplicaHour"],
  ["minReplicas", "maxReplicas", "drainSeconds", "failureDomain", "variants", "behavior", "scaleUp", "scaleDown", "stabilizationWindowSeconds", "selectPolicy", "policies"],
  ["type", "value", "periodSeconds", "preset", "ttft", "tpot", "e2e", "ttftSeconds", "tpotSeconds", "e2eSeconds", "seconds", "percentile", "attainment"],
  ["intervalSeconds", "forecast", "headroom", "scaleToZero", "schedules"],
].flat();

const rank = (key: string) => {
  const found = ORDER.indexOf(key);
  return found < 0 ? ORDER.length : found;
};

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

/** The same, in the order in which people write it: a database keeps none. */
export function ordered<T>(value: T): T {
  if (Array.isArray(value)) return value.map(ordered) as T;
  if (!isObject(value)) return value;
  const keys = Object.keys(value).sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
  return Object.fromEntries(keys.map((key) => [key, ordered(value[key])])) as T;
}

/** Every field that differs, by its path as the API names it: `spec.variants[0].maxReplicas`. */
export const changesOf = (before: Spec, after: Spec): Changed[] => differences(before, after, "spec");

function differences(before: unknown, after: unknown, path: string): Changed[] {
  if (isObject(before) && isObject(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
    return keys.flatMap((key) => differences(before[key], after[key], `${path}.${key}`));
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    return Array.from({ length: Math.max(before.length, after.length) }, (_, place) => differences(before[place], after[place], `${path}[${place}]`)).flat();
  }
  return JSON.stringify(ordered(before)) === JSON.stringify(ordered(after)) ? [] : [{ path, before, after }];
}

/** A value in a sentence: short, and absent where it is. */
export function brief(value: unknown): string {
  if (value === undefined || value === null) return "absent";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
