import { describe, expect, it } from "vitest";

import { dollarsPerHour, fleet, moves, number, rate, seconds, share, time, UNKNOWN, utc } from "../lib/format";
import { asked, targetSearch } from "../lib/search";
import { demandColumns, marks, merge, nearestTick, replicaColumns, sparkline } from "../lib/series";
import { series } from "./fixtures";

describe("format", () => {
  it.each([number, rate, share, dollarsPerHour, seconds, time, utc])("shows what is not known as a dash, never a zero", (format) => {
    expect(format(null)).toBe(UNKNOWN);
    expect(format(undefined)).toBe(UNKNOWN);
    expect(format(Number.NaN)).toBe(UNKNOWN);
  });

  it("shows a zero as a zero", () => {
    expect(rate(0)).toBe("0.00 req/s");
    expect(share(0)).toBe("0.0 %");
  });

  it.each([
    [0.0123, "12.3 ms"],
    [0.25, "250 ms"],
    [2, "2.00 s"],
    [90, "90 s"],
    [180, "3 min"],
    [7200, "2.0 h"],
  ])("shows %d seconds as %s", (value, text) => {
    expect(seconds(value)).toBe(text);
  });

  it("shows times in UTC on demand", () => {
    expect(utc(1_767_600_000)).toBe("2026-01-05 08:00:00 UTC");
  });

  it("names fleets and moves", () => {
    expect(fleet({ h100: 2, l40s: 0 })).toBe("2 h100");
    expect(fleet({ h100: 0 })).toBe("0 replicas");
    expect(moves({ h100: 2, l40s: 1 }, { h100: 3, l40s: 1 })).toBe("h100 2 → 3");
  });
});

describe("series", () => {
  it("draws the forecast at the time that it is of, in order, beside what was seen", () => {
    const [axis, observed, planned, p10, p50, p90] = demandColumns(series());
    expect(axis).toEqual([0, 15, 30, 45]);
    expect(observed).toEqual([1, null, 3, null]);
    expect(planned).toEqual([2, 2, 4, null]);
    expect(p10).toEqual([null, null, 0.6, 0.5]);
    expect(p50).toEqual([null, null, 1.1, 1]);
    expect(p90).toEqual([null, null, 2.1, 2]);
  });

  it("merges tables over one axis", () => {
    expect(merge([{ at: [1, 3], columns: [[10, 30]] }, { at: [2], columns: [[20]] }])).toEqual([
      [1, 2, 3],
      [10, null, 30],
      [null, 20, null],
    ]);
  });

  it("puts desired, ready and pending of each variant side by side", () => {
    expect(replicaColumns(series())).toEqual([
      [0, 15, 30],
      [1, 2, 2],
      [1, 1, 2],
      [0, 1, 0],
    ]);
  });

  it("marks what moved, and finds the decision nearest to a click", () => {
    expect(marks(series())).toEqual([{ at: 15, verdict: "up", tickId: "b" }]);
    expect(nearestTick(series(), 22)).toBe("b");
    expect(nearestTick({ ...series(), at_s: [] }, 1)).toBeNull();
  });

  it("breaks a sparkline at a gap, and draws nothing of nothing", () => {
    expect(sparkline([1, 2, null, 3, 4], 120, 28)).toHaveLength(2);
    expect(sparkline([null, null], 120, 28)).toEqual([]);
  });
});

describe("search", () => {
  it("takes what the URL says, and a default for what it says wrongly", () => {
    expect(targetSearch({ range: "24h", verdict: "up" })).toEqual({ range: "24h", verdict: "up" });
    expect(targetSearch({ range: "9y", verdict: 3 })).toEqual({ range: "6h", verdict: "all" });
  });

  it("asks for the verdicts that are meant", () => {
    expect(asked("all")).toEqual([]);
    expect(asked("changes")).toEqual(["up", "down"]);
    expect(asked("hold")).toEqual(["hold"]);
  });
});
