import { describe, expect, it } from "vitest";

import { baselinesOf } from "../lib/baseline";
import { costOf, headed, leadWords } from "../lib/decision";
import { dollars, percentMore, points } from "../lib/format";
import { fileHref, reportsSearch, stretchOfReport } from "../lib/reportsSearch";
import { detail } from "./fixtures";
import { row } from "./whatIfFixtures";

const at = (text: string) => Date.parse(text) / 1000;

describe("a report's time", () => {
  const now = at("2026-03-01T09:30:00Z");

  it("is a calendar month, the running one up to now", () => {
    expect(stretchOfReport(reportsSearch({}), now, "utc")).toEqual({ from: at("2026-03-01T00:00:00Z"), to: now });
    expect(stretchOfReport(reportsSearch({ period: "last-month" }), now, "utc")).toEqual({ from: at("2026-02-01T00:00:00Z"), to: at("2026-03-01T00:00:00Z") });
    expect(stretchOfReport(reportsSearch({ period: "last-month" }), at("2026-01-10T00:00:00Z"), "utc").from).toBe(at("2025-12-01T00:00:00Z"));
  });

  it("is one's own where both ends are said", () => {
    expect(stretchOfReport(reportsSearch({ from: 10, to: 20 }), now, "utc")).toEqual({ from: 10, to: 20 });
    expect(reportsSearch({ from: 20, to: 10, by: "nobody", period: "year" })).toEqual({ period: "month", by: "target" });
  });

  it("is the file's too", () => {
    const href = fileHref({ from: 10, to: 20 }, reportsSearch({ by: "day", namespace: "default" }), "csv");
    expect(href).toBe("/api/v1/reports?from=10&to=20&by=day&format=csv&namespace=default");
  });
});

describe("baselines", () => {
  it("are taken apart by target, also where a stated fleet has a word of its own", () => {
    const baseline = `${row().baseline}; team-a/rag: stated fleet: 4 h100 + 2 l40s, always`;
    expect(baselinesOf({ baseline })).toEqual([
      { target: "default/chat", job: "22f84330-2821-4291-8b95-906576c3d6ad", words: "HPA on the queue would cost 1.07 times as much" },
      { target: "team-a/rag", words: "stated fleet: 4 h100 + 2 l40s, always" },
    ]);
    expect(baselinesOf({ baseline: "" })).toEqual([]);
  });
});

describe("money and shares", () => {
  it("keep their sign and their cents", () => {
    expect(dollars("1310.2")).toBe("$1,310.20");
    expect(dollars(-2)).toBe("−$2.00");
    expect(dollars(null)).toBe("–");
    expect(percentMore(-0.031)).toBe("−3.1 %");
    expect(points(0.0028)).toBe("+0.28 points");
  });
});

describe("a decision in words", () => {
  it("says what was done, and what was not", () => {
    expect(leadWords(detail.tick)).toBe("More replicas: h100 2 → 3, but h100 was not changed (conflict)");
    const held = { ...detail.tick, decision: { ...detail.tick.decision, verdict: "hold", desired: { h100: 2 } } } as typeof detail.tick;
    expect(leadWords(held)).toBe("It left the replicas as they are: 2 h100");
    expect(costOf(detail.tick, { h100: 2 })).toBeNull();
  });

  it("tells a sentence's head from the rest", () => {
    expect(headed("Rule rate (limit): no larger step: 3")).toEqual(["Rule rate (limit):", " no larger step: 3"]);
    expect(headed("Nobody knows.")).toEqual(["", "Nobody knows."]);
  });
});
