import { describe, expect, it } from "vitest";

import type { ShadowTick } from "../api/policies";
import { interesting, leading, previousLive, standing, whyNotApprove, whyNotWrite } from "../lib/policy";
import { policiesSearch, policySearch } from "../lib/policySearch";
import { told } from "../lib/policyStep";
import { credible, figures, sentence } from "../lib/regret";
import { sideBySide, stacked } from "../lib/sideBySide";
import { changesOf } from "../lib/spec";
import { specOfTarget } from "../lib/specOfTarget";
import { faultAt, pathOf, read, toYaml, withField } from "../lib/specYaml";
import { target } from "./fixtures";
import { approval, me, policy, row, spec, version } from "./policyFixtures";

const GUARD = { attainment: 0.01, cost: 0.15, over_s: 1800 };
const NOWHERE = { by: "variants" as const, names: [], ttlS: 3600 };

describe("side by side", () => {
  it("pairs changed lines, marks the words that changed, and numbers both sides", () => {
    expect(sideBySide("a: 1\nb: 2\n", "a: 1\nb: 3\nc: 4\n")).toEqual([
      { kind: "same", left: { number: 1, pieces: [{ text: "a: 1", changed: false }] }, right: { number: 1, pieces: [{ text: "a: 1", changed: false }] } },
      {
        kind: "changed",
        left: { number: 2, pieces: [{ text: "b: ", changed: false }, { text: "2", changed: true }] },
        right: { number: 2, pieces: [{ text: "b: ", changed: false }, { text: "3", changed: true }] },
      },
      { kind: "changed", left: null, right: { number: 3, pieces: [{ text: "c: 4", changed: true }] } },
    ]);
  });

  it("folds what is the same far from a change", () => {
    const before = Array.from({ length: 20 }, (_, n) => `line${n}: x`).join("\n");
    const rows = sideBySide(before, before.replace("line0: x", "line0: y"), 2);
    expect(rows.map((one) => one.kind)).toEqual(["changed", "same", "same", "gap"]);
    expect(rows.at(-1)).toEqual({ kind: "gap", lines: 17 });
  });

  it("is stacked on narrow screens: of a change first all that went, then all that came", () => {
    const sides = stacked(sideBySide("a: 1\nb: 2\nz: 0\n", "a: 3\nb: 4\nz: 0\n")).map((one) => (one.kind === "changed" ? (one.left ? `-${one.left.number}` : `+${one.right?.number}`) : one.kind));
    expect(sides).toEqual(["-1", "-2", "+1", "+2", "same"]);
  });

  it("has nothing to show of two that are the same but a fold", () => {
    expect(sideBySide("a: 1\nb: 2\nc: 3", "a: 1\nb: 2\nc: 3")).toEqual([{ kind: "gap", lines: 3 }]);
  });
});

describe("spec", () => {
  it("is written in people's order, whatever the database made of it", () => {
    expect(toYaml({ variants: [{ maxReplicas: 2, name: "h100" }], slo: { preset: "Chat" }, model: "m" })).toBe(
      "model: m\nslo:\n  preset: Chat\nvariants:\n  - name: h100\n    maxReplicas: 2\n",
    );
  });

  it("differs by paths as the API names them", () => {
    expect(changesOf(spec(12), { ...spec(8), forecast: { quantile: 0.8 } })).toEqual([
      { path: "spec.variants[0].maxReplicas", before: 12, after: 8 },
      { path: "spec.forecast", before: undefined, after: { quantile: 0.8 } },
    ]);
    expect(changesOf(spec(), JSON.parse(JSON.stringify(spec())) as never)).toEqual([]);
  });

  it("finds the line of a field, and of one that is missing the line of what holds it", () => {
    const found = read("model: m\nvariants:\n- name: a\n  maxReplicas: many\n");
    expect(faultAt(found, "spec.variants[0].maxReplicas", "no").line).toBe(4);
    expect(faultAt(found, "spec.variants[0].minReplicas", "no").line).toBe(3);
    expect(faultAt(found, "spec.slo", "missing").line).toBe(1);
    expect(pathOf("spec.variants[10].name")).toEqual(["variants", 10, "name"]);
    expect(pathOf("name")).toBeNull();
  });

  it("finds the line within a whole resource too", () => {
    const found = read("kind: InferenceAutoscaler\nmetadata: {name: chat, namespace: prod}\nspec:\n  model: m\n  mode: Sometimes\n");
    expect([found.name, found.namespace, found.spec]).toEqual(["chat", "prod", { model: "m", mode: "Sometimes" }]);
    expect(faultAt(found, "spec.mode", "no").line).toBe(5);
  });

  it("says where YAML is none, and refuses aliases", () => {
    const broken = read("model: m\nslo: [1, 2\nx: y");
    expect(broken.spec).toBeNull();
    expect(broken.faults[0]?.line).toBeGreaterThanOrEqual(2);
    expect(read("just words").faults[0]?.message).toMatch(/fields and their values/);
    expect(read("a: &x [1]\nb: *x").faults[0]?.message).toMatch(/alias/i);
  });

  it("sets one field and leaves the comments", () => {
    const text = "# ours\nmodel: m # the small one\nslo: {preset: Chat}\n";
    expect(withField(text, ["forecast", "quantile"], 0.8)).toBe("# ours\nmodel: m # the small one\nslo: { preset: Chat }\nforecast:\n  quantile: 0.8\n");
    expect(withField("model: m\ngroup: g\n", ["group"], undefined)).toBe("model: m\n");
    expect(withField("a: [", ["a"], 1)).toBe("a: [");
  });

  it("is told from what a target was understood as, without what is a default", () => {
    const understood = {
      model: "m",
      group: "default",
      variants: [{ name: "h100", ref: { api_version: "apps/v1", kind: "Deployment", name: "chat" }, role: "Both", accelerator: "H100", gpus_per_replica: 2, capacity_type: "OnDemand", usd_per_replica_hour: 8, min_replicas: 0, max_replicas: 4, preference: "Neutral", drain_s: null, priced_by: "Catalog", failure_domain: "eu-west-1a" }],
      policy: {
        mode: "Live",
        slo: { ttft_s: 2, tpot_s: 3600, attainment: 0.99, e2e_s: null },
        scale_up: { stabilization_window_s: 0, policies: [{ type: "Pods", value: 4, period_s: 15 }, { type: "Percent", value: 100, period_s: 15 }], select_policy: "Max", tolerance: 0 },
        scale_down: { stabilization_window_s: 300, policies: [{ type: "Percent", value: 100, period_s: 15 }], select_policy: "Max", tolerance: 0 },
        forecast_quantile: 0.9,
        idle_s: 600,
        max_domain_share: 0.5,
        miss_usd_per_request: null,
      },
      metrics: { port: null, path: "/metrics", tls: null, bearer: { name: "s", key: "k" } },
    };
    expect(specOfTarget(understood as never)).toEqual({
      spec: {
        model: "m",
        slo: { ttftSeconds: 2, attainment: 0.99 },
        variants: [{ name: "h100", scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "chat" }, accelerator: "H100", acceleratorsPerReplica: 2, minReplicas: 0, maxReplicas: 4, failureDomain: "eu-west-1a" }],
        behavior: { scaleDown: { stabilizationWindowSeconds: 300 } },
        scaleToZero: { idleSeconds: 600 },
        capacity: { maxDomainShare: 0.5 },
      },
      left: ["metrics.bearerSecretRef"],
    });
  });
});

describe("the life of a version", () => {
  it("knows what a roll-back returns to", () => {
    const first = [row(1, "Draft"), row(1, "Shadow"), row(1, "Live")];
    expect(previousLive(first)).toBeNull();
    const second = [...first, row(2, "Shadow"), row(1, "Superseded", { by: 2 }), row(2, "Live")];
    expect(previousLive(second)).toBe(1);
    const back = [...second, row(2, "RolledBack"), row(1, "Live")];
    expect(previousLive(back)).toBeNull();
    expect(previousLive([...second, row(2, "Superseded")])).toBeNull();
  });

  it("leads with what decides, and opens what is on its way", () => {
    const one = policy([version(1, { stage: "Superseded" }), version(2, { stage: "Live" }), version(3, { stage: "Shadow" })]);
    expect([leading(one)?.number, interesting(one)]).toEqual([2, 3]);
  });

  it("lets the last word count, and Live's approval serve a canary", () => {
    const approved = approval({ decision: "Approved", decided_by: "user:bob", decided_at_s: 20 });
    expect(standing([approved], approved.policy_id, 2, "Canary").approved).toBe(true);
    const rejected = approval({ id: "2", decision: "Rejected", decided_by: "user:bob", decided_at_s: 30 });
    expect(standing([approved, rejected], approved.policy_id, 2, "Live").approved).toBe(false);
    expect(standing([approval({ stage: "Canary", decision: "Approved", decided_at_s: 1 })], approved.policy_id, 2, "Live").approved).toBe(false);
  });

  it("refuses the one who asked, and whoever has no right in one of the namespaces", () => {
    expect(whyNotApprove(approval(), me("alice") as never, ["default"])).toMatch(/second person/);
    expect(whyNotApprove(approval(), me("bob") as never, ["default"])).toBeNull();
    expect(whyNotWrite(me("bob", "Operator", "default") as never, ["default", "prod"])).toBe("This needs the role Operator in prod.");
  });
});

describe("what a step will do", () => {
  const live = version(1, { stage: "Live", spec: spec(12) });
  const next = version(2, { stage: "Shadow", spec: spec(8) });
  const tick: ShadowTick = { target: "default/chat", at_s: 1, tick_id: "t", verdict: "hold", reason: "", desired: { h100: 2 }, usd_per_hour: 8, planned_requests_per_s: 1, live_desired: { h100: 3 }, feasible: true };
  const facts = { policy: policy([live, next]), version: next, other: live, previous: null, targets: [target()], ticks: [tick] };

  it("is told in replicas and dollars for a promotion", () => {
    const said = told(facts, "Live", GUARD, NOWHERE);
    expect(said.what).toBe("Version 2 decides for 1 target (default/chat). Version 1 is superseded; a roll-back returns to it.");
    expect(said.more[0]).toBe("default/chat: now 3 h100, $12.00/h; version 2 wants h100 3 → 2 = −$4.00/h.");
    expect(said.more[1]).toBe("It is rolled back by itself if, over 30 min, it attains 1.0 points less than the version before, or costs 15 % more.");
    expect(said.changed).toEqual([{ path: "spec.variants[0].maxReplicas", before: 12, after: 8 }]);
  });

  it("names the part and the time of a canary", () => {
    expect(told(facts, "Canary", GUARD, { by: "variants", names: ["h100"], ttlS: 3600 }).what).toBe(
      "Version 2 decides h100 (1 of 2 variants) for 60 min; version 1 decides the rest. Then it is in Shadow again.",
    );
  });

  it("counts the places in Shadow, and says what stays when a target is let go", () => {
    const draft = version(3);
    expect(told({ ...facts, policy: policy([live, next, draft]), version: draft }, "Shadow", GUARD, NOWHERE)).toEqual({
      what: "Version 3 decides beside version 1 for 1 target (default/chat) every 15 s, and moves 0 replicas.",
      more: ["2 of 3 places in Shadow are then taken."],
      changed: [],
    });
    expect(told({ ...facts, version: live }, "Superseded", GUARD, NOWHERE)).toEqual({
      what: "Nothing of this policy decides any more: 1 target (default/chat) keeps the replicas that there are, whatever the load.",
      more: ["default/chat has 3 h100 now, $9.90/h."],
      changed: [],
    });
  });

  it("says what a roll-back takes back", () => {
    const now = { ...facts, version: version(2, { stage: "Live", spec: spec(8) }), previous: live };
    const said = told(now, "RolledBack", GUARD, NOWHERE);
    expect(said.what).toContain("version 1 is Live again");
    expect(said.changed).toEqual([{ path: "spec.variants[0].maxReplicas", before: 8, after: 12 }]);
  });
});

describe("regret", () => {
  const side = (attainment: number | null, cost_usd: string) => ({ requests: 100, attainment, goodput_rps: 1, gpu_hours: 2, cost_usd, scale_ups: 1, scale_downs: 1 });
  const one = {
    target: "default/chat",
    since_s: 0,
    until_s: 3600,
    decided: false,
    recorded: side(0.999, "7.94"),
    candidate: side(0.997, "9.09"),
    other: side(1, "8.13"),
    error: { attainment: 0.0001, gpu_hours: 0.04, cost: 0.024, requests: 0 },
    attainment: -0.003,
    usd: "0.96",
    before: null,
    notes: [],
  };

  it("is one sentence, and a row each with the simulation's error", () => {
    expect(sentence(2, "version 1", one)).toBe("Over 60 min, version 2 would have attained 0.30 points less and cost $0.96 more (+11.8 %) than version 1.");
    expect(figures(one)[0]).toEqual({ label: "Attainment", mine: "99.70 %", other: "100.00 %", difference: "−0.30 points", recorded: "99.90 %", error: "+0.01 points" });
    expect(figures(one)[1]).toMatchObject({ mine: "$9.09", other: "$8.13", difference: "+$0.96", recorded: "$7.94", error: "+2.4 %" });
  });

  it("is believed only where it is more than the simulation's error", () => {
    expect(credible(one)).toBe(true);
    expect(credible({ ...one, usd: "0.10", attainment: 0 })).toBe(false);
    expect(credible({ ...one, error: { ...one.error, cost: null } })).toBeNull();
  });

  it("shows what is not known as unknown", () => {
    expect(figures({ ...one, attainment: null, candidate: side(null, "9.09") })[0]).toMatchObject({ mine: "–", difference: "–" });
  });
});

describe("the address", () => {
  it("keeps what it knows, and leaves out the rest", () => {
    expect(policiesSearch({ q: "chat", stage: "Live", origin: "Git", show: "waiting", archived: true })).toEqual({ q: "chat", stage: "Live", show: "waiting", archived: true });
    expect(policySearch({ v: 2, against: "x", tab: "nothing", edit: 0 })).toEqual({ v: 2, tab: "changes" });
  });
});
