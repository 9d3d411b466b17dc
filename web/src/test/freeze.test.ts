import { describe, expect, it } from "vitest";

import { concerns, freezeBody, held, letGo, scopeOf, type Wish } from "../lib/freeze";
import { target } from "./fixtures";
import { freeze } from "./governanceFixtures";

const chat = target({ attainment: 0.999 }); // 2 of 3 h100 ready, $9.90/h
const calm = target({ namespace: "other", name: "calm", attainment: 0.9, usd_per_hour: 8, variants: [{ ...chat.variants[0]!, name: "l40s", desired: 2, ready: 2 }] });
const wish = (change: Partial<Wish> = {}): Wish => ({ namespace: null, target: null, direction: "Both", startsAtS: null, ttlS: 7200, ...change });

describe("what a freeze holds", () => {
  it("is told in replicas and dollars of everything that it concerns", () => {
    expect(held(wish(), [chat, calm])).toEqual({
      words: "Of 2 targets it holds 3 h100 + 2 l40s at $17.90/h: $35.80 in 2.0 h.",
      warnings: ["default/chat is growing now: what was asked for still comes, and nothing more.", "other/calm misses its SLO: no replica will be added."],
    });
    expect(held(wish({ namespace: "other", direction: "Down" }), [chat, calm])).toEqual({ words: "Of other/calm it keeps at least 2 l40s at $8.00/h: $16.00 in 2.0 h or more.", warnings: [] });
  });

  it("says that a later one holds what stands then, and that one of nothing holds nothing", () => {
    expect(held(wish({ startsAtS: 1, namespace: "other" }), [calm]).words).toContain("as things are now; what stands when it begins is what it holds");
    expect(held(wish(), undefined).words).toMatch(/^What it will hold is not known/);
    expect(letGo(freeze(), undefined)).toContain("its targets may shrink");
    expect(held(wish({ namespace: "nobody" }), [chat]).words).toBe("It concerns no target that exists now.");
  });

  it("is of a target, a namespace or everything", () => {
    expect([scopeOf(freeze()), scopeOf(freeze({ target: null })), scopeOf(freeze({ target: null, namespace: null }))]).toEqual(["default/chat", "namespace default", "everything"]);
    expect(concerns({ namespace: "default", target: null }, chat)).toBe(true);
    expect(concerns({ namespace: "default", target: "else" }, chat)).toBe(false);
  });

  it("lets go what it held", () => {
    expect(letGo(freeze(), [chat, calm])).toBe("From the next decision on 1 target may shrink again, within the policy's pace.");
    expect(letGo(freeze({ state: "Planned", namespace: null, target: null }), [chat, calm])).toBe("It never begins; 2 targets would have been frozen.");
  });

  it("is asked for as the API wants it", () => {
    expect(freezeBody(wish({ namespace: "a", target: "b", startsAtS: 5 }), "why")).toEqual({ namespace: "a", target: "b", direction: "Both", starts_at_s: 5, ttl_s: 7200, reason: "why" });
  });
});
