import { describe, expect, it } from "vitest";

import { boundOf, fitRows, gib, kib, priceConsequence, usd } from "../lib/catalog";
import { catalogSearch } from "../lib/catalogSearch";
import { target } from "./fixtures";
import { accelerator, fit } from "./governanceFixtures";

describe("the catalog's words", () => {
  it("tells bytes and dollars in what reads best, and the unknown as a dash", () => {
    expect(gib(16.06e9)).toBe("15 GiB");
    expect(gib(2 * 2 ** 30)).toBe("2.0 GiB");
    expect(kib(131_072)).toBe("128 KiB");
    expect([usd("7.25"), usd("0.0429"), usd("0"), usd(null)]).toEqual(["$7.25", "$0.0429", "$0.00", "–"]);
    expect([boundOf(fit()), boundOf(fit({ bound: "Kv" })), boundOf(fit({ bound: null }))]).toEqual(["TPOT", "KV cache", "–"]);
  });

  it("takes from the URL what can be asked", () => {
    expect(catalogSearch({ tab: "luck", isl: -3, osl: "50", tpot: 0, ttft: "1.5", gpus: "all" })).toEqual({
      tab: "fit",
      isl: 1000,
      osl: 50,
      ttft: 1.5,
      tpot: 0.1,
      gpus: "all",
      sort: "cost",
    });
  });
});

describe("what fits where", () => {
  const rows = [
    fit({ accelerator: "L4", gpus: 1, usd_per_million_tokens: "0.39", goodput_rps: 0.5 }),
    fit({ accelerator: "L4", gpus: 2, usd_per_million_tokens: "0.16", goodput_rps: 2.4 }),
    fit({ accelerator: "T4", gpus: 1, usd_per_million_tokens: null, goodput_rps: null, fits: false, why: "too small" }),
    fit({ accelerator: "T4", gpus: 2, usd_per_million_tokens: null, goodput_rps: null, fits: false, why: "too small" }),
    fit(),
  ];
  const names = (sort: "cost" | "goodput" | "name", gpus: "best" | "all") => fitRows(rows, { sort, gpus }).map((one) => `${one.accelerator} ${one.gpus}`);

  it("is the cheapest width of each accelerator, what carries nothing last", () => {
    expect(names("cost", "best")).toEqual(["H100 1", "L4 2", "T4 2"]);
    expect(names("goodput", "best")).toEqual(["H100 1", "L4 2", "T4 2"]);
    expect(names("name", "all")).toEqual(["H100 1", "L4 1", "L4 2", "T4 1", "T4 2"]);
  });
});

describe("what another price changes", () => {
  it("is counted over the replicas that go by it", () => {
    const fleet = [target(), target({ name: "own", variants: [{ ...target().variants[0]!, usd_per_replica_hour: 3 }] })];
    // 3 replicas at $4; the other target's at $3 have a price of their own.
    expect(priceConsequence(fleet, accelerator(), { onDemand: 3.5, spot: 1.9 })).toMatch(/^3 replicas of 1 target go by it: \$12\.00\/h → \$10\.50\/h \(−\$1\.50\/h\)/);
    expect(priceConsequence(fleet, accelerator(), { onDemand: 4, spot: 1 })).toBe("The cost stays at $12.00/h: 3 replicas go by it now.");
    expect(priceConsequence([], accelerator(), { onDemand: 3.5, spot: null })).toMatch(/^No variant goes by/);
    expect(priceConsequence(fleet, accelerator({ usd_per_hour: "3", catalog_usd_per_hour: "4" }), { onDemand: null, spot: null })).toContain("$9.00/h → $12.00/h (+$3.00/h)");
  });
});
