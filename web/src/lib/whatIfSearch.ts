import { type Range, RANGES } from "./search";
import { type Change, readChange } from "./change";

/** What is asked for: a target, a stretch of its past, and what to compare there. */
export type WhatIfSearch = {
  target?: string;
  range: Range;
  from?: number;
  to?: number;
  /** Peers' names, comma between; `none` for none. */
  peers: string;
  /** Ids of policy versions, comma between. */
  versions?: string;
  /** A fleet of so many replicas, always. */
  fixed?: number;
  change: Change;
  /** Jobs that are picked from the list, comma between. */
  pick?: string;
};

export const NO_PEERS = "none";

export const listed = (text: string | undefined): string[] => (text ?? "").split(",").filter((one) => one !== "" && one !== NO_PEERS);

export const joined = (list: string[]): string | undefined => (list.length === 0 ? undefined : list.join(","));

export function whatIfSearch(raw: Record<string, unknown>): WhatIfSearch {
  const [from, to, fixed] = [Number(raw.from), Number(raw.to), Number(raw.fixed)];
  return {
    ...(typeof raw.target === "string" && /^[^/]+\/[^/]+$/.test(raw.target) ? { target: raw.target } : {}),
    range: Object.keys(RANGES).includes(raw.range as string) ? (raw.range as Range) : "6h",
    ...(raw.from !== undefined && from > 0 && to > from ? { from, to } : {}),
    peers: typeof raw.peers === "string" && raw.peers !== "" ? raw.peers : "hpa-queue",
    ...words("versions", raw.versions),
    ...(Number.isInteger(fixed) && fixed > 0 ? { fixed } : {}),
    change: readChange(raw.change),
    ...words("pick", raw.pick),
  };
}

/** The other jobs that are compared with the one that the path names. */
export type ComparisonSearch = { with?: string };

export const comparisonSearch = (raw: Record<string, unknown>): ComparisonSearch => words("with", raw.with);

const words = <K extends string>(key: K, value: unknown) =>
  typeof value === "string" && value !== "" ? ({ [key]: value } as Record<K, string>) : {};
