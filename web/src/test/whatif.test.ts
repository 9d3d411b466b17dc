import { describe, expect, it } from "vitest";

import { changeBody, changeWords, isChange, readChange, withNumber, withPrice } from "../lib/change";
import { acrossWays, axisOf, differenceOf, errorWords, findings, groupsOf, jobWords, replicasOf, sampled, variantsOf, worstHour } from "../lib/comparison";
import { boxOf, frontier, placed, ranged, spotsOf, ticks } from "../lib/pareto";
import { jobInWords, jobsOf } from "../lib/plan";
import { comparisonSearch, joined, listed, whatIfSearch } from "../lib/whatIfSearch";
import { recordedWithin, requestsOf } from "../lib/window";
import { replay, run, whatIf } from "./whatIfFixtures";

describe("the address of a what-if", () => {
  it("leaves out what is wrong, and begins with HPA over the last six hours", () => {
    expect(whatIfSearch({ target: "nowhere", from: 5, to: 3, range: "1y", fixed: -1 })).toEqual({ range: "6h", peers: "hpa-queue", change: {} });
  });

  it("keeps what is chosen", () => {
    const raw = { target: "default/chat", range: "1h", from: 10, to: 20, peers: "kpa,hpa-kv", versions: "v1", fixed: 3, change: { load: 2 }, pick: "a,b" };
    expect(whatIfSearch(raw)).toEqual(raw);
    expect(comparisonSearch({ with: "a,b" })).toEqual({ with: "a,b" });
  });

  it("writes lists with commas, and none as a word", () => {
    expect(listed("none")).toEqual([]);
    expect(listed("a,b")).toEqual(["a", "b"]);
    expect(joined([])).toBeUndefined();
  });
});

describe("a change", () => {
  it("is read within the API's bounds", () => {
    expect(readChange({ ttft: 1.5, tpot: 0, attainment: 1, load: 100, cold: 2, prices: { h100: 3, l40s: -1 }, out: ["h100", 4] })).toEqual({
      ttft: 1.5,
      cold: 2,
      prices: { h100: 3 },
      out: ["h100"],
    });
    expect(readChange("x")).toEqual({});
  });

  it("is none while factors are one, and none again when taken back", () => {
    expect(isChange({ load: 1, cold: 1 })).toBe(false);
    expect(isChange({ load: 1.1 })).toBe(true);
    expect(withNumber({ load: 2 }, "load", undefined)).toEqual({});
    expect(withPrice({ prices: { h100: 3 } }, "h100", undefined)).toEqual({});
  });

  it("asks the API for the whole window out of stock", () => {
    const body = changeBody({ tpot: 0.05, out: ["h100"] }, 10, 20);
    expect(body.slo).toEqual({ ttft_s: null, tpot_s: 0.05, attainment: null });
    expect(body.stock_outs).toEqual([{ variant: "h100", since: 10, until: 20 }]);
    expect(changeBody({ load: 2 }, 10, 20).slo).toBeNull();
  });

  it("is told in words, of the SLO only what differs", () => {
    const stored = { slo: { ttft_s: 2, tpot_s: 0.05, attainment: 0.99 }, load_factor: 2, prices: { h100: 3 }, stock_outs: [{ variant: "l40s" }] };
    expect(changeWords(stored, { ttft_s: 2, tpot_s: 0.1, attainment: 0.99 } as never)).toBe("TPOT SLO 50.0 ms, load × 2, h100 at $3.00/h, no new l40s");
    expect(changeWords({})).toBe("no change");
  });
});

describe("the jobs of a form", () => {
  it("are one for each policy and one for the change", () => {
    const search = whatIfSearch({ peers: "kpa,hpa-kv", versions: "v1", fixed: 3, change: { load: 2 } });
    const jobs = jobsOf(search, "default/chat", { from: 10, to: 20 });
    expect(jobs.map((job) => (job.kind === "Replay" ? `${job.policy} ${job.version_id}` : `x${job.load_factor}`))).toEqual([
      "kpa null",
      "hpa-kv null",
      "version v1",
      "static:3 null",
      "x2",
    ]);
    expect(jobs.map(jobInWords)).toEqual(["Knative KPA", "HPA on the KV cache", "A version of ours", "3 replicas, always", "The live policy, if load × 2"]);
    expect(jobsOf(whatIfSearch({ peers: "none" }), "default/chat", { from: 10, to: 20 })).toEqual([]);
  });
});

describe("the recorded part of a window", () => {
  it("is clipped where the record begins or ends", () => {
    expect(recordedWithin([5000, 5015, 5030, 9000], { from: 0, to: 8000 })).toBeNull();
    expect(recordedWithin([5000, 5015, 5600], { from: 0, to: 8000 })).toEqual({ from: 5000, to: 5600 });
    expect(recordedWithin([10, 25, 7990], { from: 0, to: 8000 })).toEqual({ from: 0, to: 7991 });
    expect(recordedWithin([], { from: 0, to: 8000 })).toBeNull();
  });

  it("counts requests by the rates, over no gap longer than five minutes", () => {
    expect(requestsOf({ at_s: [0, 100, 200], requests_per_s: [1, null, 2] }, { from: 0, to: 300 })).toBe(300);
    expect(requestsOf({ at_s: [0, 5000], requests_per_s: [1, 1] }, { from: 0, to: 5010 })).toBe(310);
  });
});

describe("a comparison", () => {
  const jobs = [replay("a", "hpa-queue", { cost_usd: "12.00", attainment: 0.97 }), replay("b", "hpa-queue", { cost_usd: "10.00", attainment: 0.99 }), whatIf("c", { cost_usd: "22.00" })];

  it("has what happened and the live policy once, and plays apart from estimates", () => {
    const groups = groupsOf(jobs);
    expect(groups.map((group) => group.ways.map((way) => way.name))).toEqual([
      ["What happened", "Live policy, simulated", "HPA on the queue", "HPA on the queue (2)"],
      ["What happened", "No change, estimated", "If TTFT SLO 2.00 s, TPOT SLO 50.0 ms, goal 99.0 %, load × 2"],
    ]);
    expect(groups[1]?.error.cost).toBeCloseTo(0.1);
  });

  it("leaves out what has no result", () => {
    expect(groupsOf([{ ...(jobs[0] as (typeof jobs)[0]), replay: null }])).toEqual([]);
  });

  it("says what each costs and meets, and how far to believe it", () => {
    const [played] = groupsOf(jobs);
    expect(findings(played as never)).toEqual([
      "HPA on the queue costs $2.00 more (+20.0 %), and the share of requests that meet the SLO is 2.00 points lower.",
      "HPA on the queue (2) costs the same, and as many requests meet the SLO.",
    ]);
    expect(errorWords(played as never)).toContain("−3.0 % in cost and +0.50 points in attainment");
  });

  it("knows the worst hour, weighted by load", () => {
    expect(worstHour(run().timeline, 0, 7200)).toEqual({ at: 3600, until: 7200, attainment: 0.5 });
    const mixed = { ...run().timeline, at_s: [0, 1800, 3600, 7300], attainment: [1, 0, 1, 0] };
    // The first hour: 1 request/s in time and 1 not. What comes 100 s after the second belongs to it.
    expect(worstHour(mixed, 0, 7400)).toEqual({ at: 0, until: 3600, attainment: 0.5 });
    expect(worstHour({ ...mixed, attainment: [null, null, null, null] }, 0, 7400)).toBeNull();
  });

  it("reads steps off one axis", () => {
    expect(sampled([10, 20], [1, 2], [0, 10, 15, 20, 30])).toEqual([null, 1, 1, 2, 2]);
    const axis = axisOf(0, 7200);
    expect([axis[0], axis[axis.length - 1]]).toEqual([0, 7200]);
    const [group] = groupsOf(jobs);
    expect(variantsOf(group as never)).toEqual(["h100"]);
    expect(replicasOf((group as never as { ways: never[] }).ways[0] as never, ["h100"], [0, 4000])[1]).toEqual([1, 2]);
    expect(acrossWays(group as never, [0], (line) => line.usd_per_hour)).toHaveLength(5);
  });

  it("does not make a difference of what is not known", () => {
    expect(differenceOf(run({ attainment: null }), run()).attainment).toBeNull();
    expect(jobWords({ kind: "Replay", request: { policy: "version", version: "chat v3" } })).toBe("chat v3");
  });
});

describe("the Pareto plot", () => {
  const point = (key: string, usd: number, attainment: number) => ({ key, name: key, usd, attainment });

  it("joins those that no other beats in both", () => {
    const points = [point("dear", 12, 0.99), point("best", 10, 0.99), point("cheap", 8, 0.9), point("bad", 9, 0.8)];
    expect(frontier(points).map((one) => one.key)).toEqual(["cheap", "best"]);
  });

  it("keeps equal ones", () => {
    expect(frontier([point("a", 1, 1), point("b", 1, 1)])).toHaveLength(2);
  });

  it("names marks that lie on one another once, and hides no name behind another", () => {
    const spots = spotsOf([
      { x: 100, y: 50, name: "HPA on the queue" },
      { x: 103, y: 52, name: "Knative KPA" },
      { x: 150, y: 50, name: "HPA on concurrency" },
      { x: 290, y: 50, name: "at the edge" },
    ]);
    expect(spots.map((spot) => spot.names.length)).toEqual([2, 1, 1]);
    const boxes = placed(spots, { width: 300, height: 280 }).map((label, i) => boxOf(label, spots[i]?.names ?? []));
    boxes.forEach((a, i) => {
      expect(a.left).toBeGreaterThanOrEqual(0);
      expect(a.right).toBeLessThanOrEqual(300);
      for (const b of boxes.slice(i + 1)) {
        expect(a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top).toBe(true);
      }
    });
  });

  it("has round marks, also where there is but one value", () => {
    expect(ticks([0, 10], 5)).toEqual([0, 2, 4, 6, 8, 10]);
    const [low, high] = ranged([0.99], 0.002, 0, 1);
    expect(low).toBeLessThan(0.99);
    expect(high).toBeGreaterThan(0.99);
  });
});
