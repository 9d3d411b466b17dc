import { describe, expect, it } from "vitest";

import { arranged, fleetSearch, grouped, isLate, trend, troubles } from "../lib/fleet";
import { target } from "./fixtures";

const NOW = 1_767_600_010;
const fine = target({ name: "fine", attainment: 1, requests_per_s: 5, usd_per_hour: 4 });
const losing = target({ name: "losing", attainment: 0.5, model: "qwen", usd_per_hour: 8 });
const faulty = target({ name: "faulty", attainment: 1, requests_per_s: null, usd_per_hour: null, faults: [{ kind: "Timeout", count: 2, example: "pod-1" }] });
const all = [fine, faulty, losing];
const names = (raw: Record<string, unknown>) => arranged(all, fleetSearch(raw), NOW).map((one) => one.name);

describe("fleet", () => {
  it("puts what loses its SLO first, then other faults, then the rest by name", () => {
    expect(names({})).toEqual(["losing", "faulty", "fine"]);
    expect(names({ sort: "name" })).toEqual(["faulty", "fine", "losing"]);
    expect(names({ sort: "attainment" })).toEqual(["losing", "faulty", "fine"]);
  });

  it("puts what is not known last, whatever is sorted by", () => {
    expect(names({ sort: "cost" })).toEqual(["losing", "fine", "faulty"]);
    expect(names({ sort: "load" })).toEqual(["losing", "fine", "faulty"]);
  });

  it("filters by every word, by mode, verdict and faults", () => {
    expect(names({ q: "QWEN default" })).toEqual(["losing"]);
    expect(names({ mode: "Shadow" })).toEqual([]);
    expect(names({ verdict: "up", faults: true })).toEqual(["losing", "faulty"]);
  });

  it("takes from the URL what is allowed alone", () => {
    expect(fleetSearch({ mode: "Fast", sort: "luck", group: "model", q: 7 })).toEqual({ q: "7", sort: "faults", group: "model" });
  });

  it("groups under heads with their numbers", () => {
    const rows = grouped(arranged(all, fleetSearch({}), NOW), "model", NOW);
    expect(rows.map((row) => (row.kind === "group" ? `${row.name} ${row.count}` : row.target.name))).toEqual(["qwen 1", "losing", "llama-3.1-8b 2", "faulty", "fine"]);
  });

  it("says what is wrong in words, and that a decision is late", () => {
    expect(troubles(losing, NOW)).toEqual(["misses its SLO"]);
    expect(troubles(faulty, NOW + 60)).toEqual(["no decision for a while", "2 × Timeout"]);
    expect(isLate(target({ at_s: null }), NOW)).toBe(false);
  });

  it("tells a trend from the first known to the last", () => {
    expect(trend([null, 4, null, 9.5, null])).toBe(5.5);
    expect(trend([null, 4])).toBeNull();
  });
});
