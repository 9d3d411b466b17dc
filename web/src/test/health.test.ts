import { describe, expect, it } from "vitest";

import type { ProcessHealth, ScrapeHealth } from "../api/health";
import { bytes, doing, lifeWords, ordered, worstFirst } from "../lib/health";

const process = (change: Partial<ProcessHealth>): ProcessHealth => ({ name: "a", kind: "Controller", version: "1", alive: true, silent_s: 3, age_s: 600, leads: null, busy: null, spooled: null, ...change });
const scrape = (target: string, change: Partial<ScrapeHealth> = {}): ScrapeHealth => ({ target, at_s: 1, late: false, ready: 2, coverage: 1, faults: [], ...change });

describe("health", () => {
  it("tells sizes, and what each process does", () => {
    expect([bytes(0), bytes(2048), bytes(9.5 * 2 ** 20), bytes(3 * 2 ** 30)]).toEqual(["0 B", "2 KiB", "9.5 MiB", "3.0 GiB"]);
    expect(doing(process({ leads: true, spooled: 2 }))).toBe("leads: it holds the lease; 2 decisions in its spool");
    expect(doing(process({ leads: false, spooled: 0 }))).toBe("stands by");
    expect([doing(process({ kind: "Worker", busy: 0 })), doing(process({ kind: "Worker", busy: 1 })), doing(process({ kind: "Worker" }))]).toEqual(["idle", "1 task", "–"]);
    expect([lifeWords(process({})), lifeWords(process({ alive: false, silent_s: 50 }))]).toEqual(["up for 10 min", "silent for 50 s"]);
  });

  it("puts the controller that leads and the worst target first", () => {
    expect(ordered([process({ name: "w", kind: "Worker" }), process({ name: "b" }), process({ name: "c", leads: true })]).map(({ name }) => name)).toEqual(["c", "b", "w"]);
    const faulty = scrape("b", { faults: [{ kind: "Timeout", count: 2, example: "pod" }] });
    expect(worstFirst([scrape("a"), faulty, scrape("z", { late: true })]).map(({ target }) => target)).toEqual(["z", "b", "a"]);
  });
});
