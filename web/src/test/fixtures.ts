import type { Fleet, TargetSeries, TargetSummary, TickDetail } from "../api/client";

export function target(change: Partial<TargetSummary> = {}): TargetSummary {
  return {
    namespace: "default",
    name: "chat",
    model: "llama-3.1-8b",
    group: "default",
    mode: "Live",
    slo: { ttft_s: 2, tpot_s: 0.1, attainment: 0.99 },
    verdict: "up",
    reason: "up h100 2 -> 3: 14.20 requests/s expected at the peak",
    tick_id: "t1",
    at_s: 1_767_600_000,
    requests_per_s: 12.34,
    forecast_requests_per_s: 14.2,
    waiting: 3,
    running: 40,
    kv_usage: 0.4,
    attainment: 0.97,
    attainment_day: 0.995,
    usd_per_hour: 9.9,
    variants: [
      {
        name: "h100",
        role: "Both",
        accelerator: "H100",
        gpus_per_replica: 1,
        capacity_type: "OnDemand",
        usd_per_replica_hour: 4,
        min_replicas: 0,
        max_replicas: 8,
        desired: 3,
        ready: 2,
        pending: 1,
        capacity_rps: 9.1,
        cold_start_s: 180,
        cold_start_stages: null,
      },
    ],
    sparkline_rps: [1, 2, null, 3, 4],
    sparkline_usd_per_hour: [4, null, 9.9],
    coverage: 1,
    tick_interval_s: 15,
    faults: [],
    conflicts: [],
    ...change,
  };
}

export function fleet(targets: TargetSummary[] = [target()]): Fleet {
  return {
    totals: {
      now_s: 1_767_600_000,
      speed: 30,
      newest_tick_at_s: 1_767_600_000,
      targets: targets.length,
      requests_per_s: 12.34,
      ready: 2,
      desired: 3,
      usd_per_hour: 9.9,
      attainment: 0.97,
    },
    targets,
  };
}

export function series(): TargetSeries {
  return {
    target: "default/chat",
    slo: { ttft_s: 2, tpot_s: 0.1, attainment: 0.99 },
    at_s: [0, 15, 30],
    requests_per_s: [1, null, 3],
    planned_requests_per_s: [2, 2, 4],
    forecast_at_s: [45, 30, null],
    forecast_p10: [0.5, 0.6, null],
    forecast_p50: [1, 1.1, null],
    forecast_p90: [2, 2.1, null],
    waiting: [0, 0, 1],
    running: [1, 2, 3],
    kv_usage: [0.1, 0.2, 0.3],
    ttft_p50_s: [0.1, 0.1, 0.1],
    ttft_p99_s: [0.5, 0.5, 0.5],
    tpot_p50_s: [0.01, 0.01, 0.01],
    tpot_p99_s: [0.02, 0.02, 0.02],
    attainment: [1, null, 0.9],
    usd_per_hour: [4, 4, 8],
    verdict: ["hold", "up", "hold"],
    tick_id: ["a", "b", "c"],
    variants: [{ name: "h100", role: "Both", accelerator: "H100", desired: [1, 2, 2], ready: [1, 1, 2], pending: [0, 1, 0], cold_start_s: [180, 180, 170] }],
  };
}

/** A decision as the API sends it, with as much as the page reads. */
export const detail = {
  sentences: ["Seen: 12.34 requests/s came.", "Verdict: up h100 2 -> 3."],
  tick: {
    id: "t1",
    at_s: 1_767_600_000,
    planner_version: "1",
    inputs: {
      target: { namespace: "default", name: "chat" },
      observation: {
        variants: [{ variant: "h100", ready: 2, desired: 2, pending: 0, reporting: 2, waiting: null, running: 40, kv_usage_mean: 0.4, arrival_rps: 12.34 }],
      },
      forecast: null,
      cold_starts: { h100: { p50_s: 170, p90_s: 180, samples: 3 } },
    },
    plan: {
      capacities: [{ variant: "h100", requests_per_s: 5.1, bound: "Ttft", calibration: 1.1 }],
      replicas: { h100: 3 },
      usd_per_hour: 12,
      feasible: true,
      alternatives: [{ replicas: { l40s: 4 }, usd_per_hour: 7.6, note: "breaks maxReplicas 3 of l40s" }],
    },
    decision: {
      verdict: "up",
      current: { h100: 2 },
      desired: { h100: 3 },
      trail: [{ rule: "rate", effect: "limit", before: { h100: 9 }, after: { h100: 3 }, reason: "behavior allows no larger step" }],
    },
    actuations: [{ variant: "h100", replicas_from: 2, replicas_to: 3, result: "conflict", detail: "409 Conflict" }],
  },
} as unknown as TickDetail;
