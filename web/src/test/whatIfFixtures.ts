import type { Explanation } from "../api/explain";
import type { Job } from "../api/jobs";
import type { ReportRow } from "../api/reports";
import type { Run } from "../lib/comparison";

/** Two hours; in the second all of the load of the first comes twice, and half of it is in time. */
export function run(change: Partial<Run> = {}): Run {
  return {
    policy: "live",
    simulated: true,
    requests: 1000,
    attainment: 0.99,
    goodput_rps: 10,
    gpu_hours: 4,
    cost_usd: "10.00",
    scale_ups: 2,
    scale_downs: 1,
    timeline: {
      at_s: [0, 1800, 3600, 5400],
      requests_per_s: [1, 1, 2, 2],
      attainment: [1, 1, 0.5, 0.5],
      usd_per_hour: [4, 4, 8, 8],
      replicas: { h100: [1, 1, 2, 2], l40s: [0, 0, 0, 0] },
    },
    ...change,
  };
}

const job = (id: string, request: Job["request"]): Job => ({
  id,
  kind: "Replay",
  namespace: "default",
  status: "Succeeded",
  progress: 1,
  cancel_requested: false,
  request: { target: "default/chat", since_s: 0, until_s: 7200, ...request },
  created_by: "user:admin",
  created_at_s: 1_767_600_000,
  started_at_s: 1_767_600_001,
  finished_at_s: 1_767_600_002,
  error: null,
  etag: '"2"',
  replay: null,
  what_if: null,
});

const ERROR = { attainment: 0.005, gpu_hours: 0.02, cost: -0.03, requests: 0.001 };

export function replay(id: string, policy: string, other: Partial<Run>): Job {
  return {
    ...job(id, { policy }),
    replay: {
      target: "default/chat",
      since_s: 0,
      until_s: 7200,
      recorded: run({ policy: "recorded", simulated: false, cost_usd: "10.31" }),
      runs: [run({ policy, ...other }), run()],
      error: ERROR,
      savings_usd: "1.00",
      notes: ["Requests are drawn."],
    },
  };
}

export function whatIf(id: string, changed: Partial<Run>): Job {
  return {
    ...job(id, { slo: { ttft_s: 2, tpot_s: 0.05, attainment: 0.99 }, load_factor: 2 }),
    kind: "WhatIf",
    what_if: {
      target: "default/chat",
      since_s: 0,
      until_s: 7200,
      step_s: 60,
      decisions: 120,
      recorded: run({ cost_usd: "10.00" }),
      unchanged: run({ cost_usd: "11.00" }),
      changed: run({ policy: "changed", ...changed }),
      difference: { attainment: 0, gpu_hours: 1, cost_usd: "1.00", scale_events: 0 },
      first_at_s: 60,
      sentence: "It would have cost +1.00 $.",
      notes: ["No request is played."],
    },
  };
}

export const underWay: Job = { ...job("r", { policy: "kpa" }), status: "Running", progress: 0.42, finished_at_s: null, etag: '"1"' };

export function row(change: Partial<ReportRow> = {}): ReportRow {
  return {
    key: "default/chat",
    requests: 86_900,
    attainment: 0.9423,
    goodput_rps: 20.2,
    gpu_hours: 2.673,
    tokens: 105_554_697,
    cost_usd: "1310.22",
    usd_per_million_tokens: "0.0968",
    baseline_usd: "1400.00",
    savings_usd: "89.78",
    baseline: "default/chat: replay 22f84330-2821-4291-8b95-906576c3d6ad: hpa-queue cost 1.069 x the live policy",
    ...change,
  };
}

/** As much of why as the decision's page reads. */
export const explanation = {
  tick_id: "t1",
  at_s: 1_767_600_000,
  planner_version: "1",
  decided_again_by: "2",
  reproduced: false,
  would_change: [
    { verdict: "hold", flips: true, sentence: "no change at 08:00 if the load were 9.3 requests/s" },
    { verdict: "up", flips: false, sentence: "2 more l40s at 08:00 if h100 cost 8.00 $/h" },
  ],
  plan: { expected_attainment: 0.987 },
  rejected: [{ expected_attainment: 0.42 }],
  outcome: {
    until_s: 1_767_600_180,
    complete: true,
    forecast: { held: false },
    slo_met: true,
    sentence: "Later: the peak was 15.00 requests/s.",
  },
} as unknown as Explanation;
