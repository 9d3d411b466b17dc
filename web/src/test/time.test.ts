import { describe, expect, it } from "vitest";

import { fromField, toField } from "../components/target/TimeRange";
import { ago, dollarsChange, time } from "../lib/format";
import { shifted, stretchOf, targetSearch, wider } from "../lib/search";
import { forecastHeld, prefillShare } from "../lib/series";
import { setZone, zone } from "../lib/zone";
import { series } from "./fixtures";

describe("stretches of time", () => {
  it("are relative to the clock, or from one time to another", () => {
    expect(stretchOf(targetSearch({ range: "1h" }), 10_000)).toEqual({ from: 6400, to: 10_000 });
    expect(stretchOf(targetSearch({ from: 100, to: 200 }), null)).toEqual({ from: 100, to: 200 });
    expect(stretchOf(targetSearch({}), null)).toBeNull();
  });

  it("with an end before the beginning are none", () => {
    expect(targetSearch({ from: 200, to: 100 })).toEqual({ range: "6h", verdict: "all" });
  });

  it("are zoomed out around their middle and shifted by half", () => {
    expect(wider({ from: 100, to: 200 })).toEqual({ from: 50, to: 250 });
    expect(shifted({ from: 100, to: 200 }, -1)).toEqual({ from: 50, to: 150 });
    expect(shifted({ from: 100, to: 200 }, 1)).toEqual({ from: 150, to: 250 });
  });

  it("come back from their fields as they went, in either zone", () => {
    for (const where of ["utc", "local"] as const) expect(fromField(toField(1_767_600_000, where), where)).toBe(1_767_600_000);
    expect(toField(1_767_600_000, "utc")).toBe("2026-01-05T08:00:00");
  });

  it("are told in the zone that was chosen, which is kept", () => {
    setZone("utc");
    expect(time(1_767_600_000)).toBe("2026-01-05 08:00:00 UTC");
    setZone("local");
    expect(zone()).toBe("local");
    expect(ago(100, 190)).toBe("90 s ago");
  });
});

describe("charts", () => {
  it("count how many forecasts held, of those whose window has passed", () => {
    const at = { at_s: [0, 60, 120, 180, 200], requests_per_s: [1, 5, 2, 12, 6], forecast_at_s: [120, 190, 240, 300, 300] };
    const bands = { forecast_p10: [4, 1, 1, 1, 1], forecast_p50: [5, 2, 2, 2, 2], forecast_p90: [6, 3, 3, 3, 3] };
    // Peaks: 5 in the minutes after 0 lies within 4..6; 9, the mean of the minute from 180, is above 3; the others are not due.
    expect(forecastHeld({ ...series(), ...at, ...bands })).toEqual({ within: 1, above: 1, of: 2 });
    const noisy = { ...bands, forecast_p90: [6, 9, 3, 3, 3] };
    expect(forecastHeld({ ...series(), ...at, ...noisy })).toEqual({ within: 2, above: 0, of: 2 });
    expect(forecastHeld(series())).toBeNull();
    expect(forecastHeld({ ...series(), at_s: [] })).toBeNull();
  });

  it("show the balance of roles only where roles are split", () => {
    expect(prefillShare(series())).toBeNull();
    const [v] = series().variants;
    const split = { ...series(), variants: [{ ...v!, role: "Prefill" as const, ready: [1, null, 1] }, { ...v!, role: "Decode" as const, ready: [3, 3, 1] }] };
    expect(prefillShare(split)).toEqual([[0, 15, 30], [0.25, null, 0.5]]);
  });

  it("give a change its sign", () => {
    expect([dollarsChange(8), dollarsChange(-0.5), dollarsChange(0), dollarsChange(null)]).toEqual(["+$8.00/h", "−$0.50/h", "+$0.00/h", "–"]);
  });
});
