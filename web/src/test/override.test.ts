import { describe, expect, it } from "vitest";

import { bodyOf, consequence } from "../lib/override";
import { target } from "./fixtures";

const one = target(); // 3 h100 desired at $4 an hour each, 0 to 8, 180 s to start

describe("what an override will do", () => {
  it("is told in replicas, dollars and time", () => {
    const up = consequence({ kind: "Pin", variant: "h100", replicas: 5 }, one);
    expect(up).toEqual({ words: "+2 h100 (3 → 5) = +$8.00/h, ready in about 3 min", usdPerHour: 8, warnings: [] });
    expect(consequence({ kind: "Pin", variant: "h100", replicas: 1 }, one).words).toBe("−2 h100 (3 → 1) = −$8.00/h");
  });

  it("is nothing where a floor or a ceiling is met already, or in a pause", () => {
    expect(consequence({ kind: "Floor", variant: "h100", replicas: 2 }, one).words).toBe("Nothing moves now: 3 h100 at $12.00/h.");
    expect(consequence({ kind: "Ceiling", variant: "h100", replicas: 4 }, one).usdPerHour).toBe(0);
    expect(consequence({ kind: "Pause", variant: null, replicas: null }, one).usdPerHour).toBe(0);
  });

  it("is bounded by maxReplicas, and warns of it, of too few and of none", () => {
    const most = consequence({ kind: "Pin", variant: "h100", replicas: 20 }, one);
    expect(most.words).toContain("+5 h100 (3 → 8)");
    expect(most.warnings).toEqual(["h100 has maxReplicas 8, which still holds."]);
    expect(consequence({ kind: "Pin", variant: "h100", replicas: 0 }, one).warnings).toEqual(["h100 serves nothing meanwhile."]);
  });

  it("is of each variant where none is named", () => {
    const [h100] = one.variants;
    const two = target({ variants: [h100!, { ...h100!, name: "l40s", desired: 1, usd_per_replica_hour: 1 }] });
    expect(consequence({ kind: "Pin", variant: null, replicas: 2 }, two).words).toContain("−1 h100 (3 → 2), +1 l40s (1 → 2) = −$3.00/h");
  });

  it("is not known before the first decision", () => {
    const fresh = target({ variants: [{ ...one.variants[0]!, desired: null }] });
    expect(consequence({ kind: "Pin", variant: "h100", replicas: 2 }, fresh).usdPerHour).toBeNull();
  });

  it("asks the API for no replicas in a pause", () => {
    expect(bodyOf({ kind: "Pause", variant: null, replicas: 4 }, 60, "r")).toEqual({ kind: "Pause", variant: null, replicas: null, ttl_s: 60, reason: "r" });
  });
});
