import type { Stage } from "../api/policies";

export const STAGES: Stage[] = ["Draft", "Shadow", "Canary", "Live", "RolledBack", "Superseded"];
export const SHOWN = ["all", "waiting"] as const;
export const TABS = ["changes", "regret", "ticks", "yaml", "history"] as const;

/** `draft` is a new policy's form: empty, or of the target `namespace/name`. */
export type PoliciesSearch = { q?: string; stage?: Stage; origin?: "Api" | "CustomResource"; show: (typeof SHOWN)[number]; archived?: true; draft?: string };

/** `v` is the version that is looked at, `against` the one beside it, `edit` the one that a new one is made from. */
export type PolicySearch = { v?: number; against?: number; tab: (typeof TABS)[number]; edit?: number };

const within = <T>(allowed: readonly T[], value: unknown): T | undefined => allowed.find((one) => one === value);
const kept = <K extends string, V>(key: K, value: V | undefined) => (value === undefined ? {} : ({ [key]: value } as Record<K, V>));
const text = (value: unknown) => (value === undefined || value === "" ? undefined : String(value));
const count = (value: unknown) => (Number.isInteger(value) && (value as number) > 0 ? (value as number) : undefined);

/** What the URL says; what it says wrongly is left out. */
export const policiesSearch = (raw: Record<string, unknown>): PoliciesSearch => ({
  ...kept("q", text(raw.q)),
  ...kept("stage", within(STAGES, raw.stage)),
  ...kept("origin", within(["Api", "CustomResource"] as const, raw.origin)),
  show: within(SHOWN, raw.show) ?? "all",
  ...(raw.archived === true ? { archived: true as const } : {}),
  ...kept("draft", text(raw.draft)),
});

export const policySearch = (raw: Record<string, unknown>): PolicySearch => ({
  ...kept("v", count(raw.v)),
  ...kept("against", count(raw.against)),
  tab: within(TABS, raw.tab) ?? "changes",
  ...kept("edit", count(raw.edit)),
});
