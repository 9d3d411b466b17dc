export const TABS = ["fit", "accelerators", "variants", "profiles"] as const;
export const FIT_SORTS = ["cost", "goodput", "name"] as const;

/** `tpot` and `ttft` in seconds, `isl` and `osl` in tokens; `target` is a `namespace/name`. */
export type CatalogSearch = {
  tab: (typeof TABS)[number];
  model?: string;
  isl: number;
  osl: number;
  ttft: number;
  tpot: number;
  gpus: "best" | "all";
  sort: (typeof FIT_SORTS)[number];
  target?: string;
};

const MOST_TOKENS = 10_000_000;
const MOST_S = 86_400;

/** What the URL says; what it does not, or says wrongly, is the default. */
export function catalogSearch(raw: Record<string, unknown>): CatalogSearch {
  return {
    tab: TABS.find((one) => one === raw.tab) ?? "fit",
    ...named("model", raw.model),
    isl: tokens(raw.isl) ?? 1000,
    osl: tokens(raw.osl) ?? 200,
    ttft: limit(raw.ttft) ?? 2,
    tpot: limit(raw.tpot) ?? 0.1,
    gpus: raw.gpus === "all" ? "all" : "best",
    sort: FIT_SORTS.find((one) => one === raw.sort) ?? "cost",
    ...named("target", raw.target),
  };
}

const named = <K extends string>(key: K, value: unknown) => (typeof value === "string" && value !== "" ? ({ [key]: value } as Record<K, string>) : {});

function tokens(value: unknown): number | undefined {
  const found = Math.round(Number(value));
  return value !== undefined && found >= 1 && found <= MOST_TOKENS ? found : undefined;
}

function limit(value: unknown): number | undefined {
  const found = Number(value);
  return value !== undefined && found > 0 && found <= MOST_S ? found : undefined;
}
