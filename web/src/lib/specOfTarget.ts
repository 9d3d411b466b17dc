import type { components } from "../api/schema";
import type { Spec } from "../api/policies";

type Target = components["schemas"]["Target"];
type Rules = components["schemas"]["ScalingRules"];

/** What a latency is that nobody limits. */
const UNLIMITED_S = 3600;

/** The spec that a target was understood from, without what is a default; `left` is what it cannot tell. */
export function specOfTarget(target: Target): { spec: Spec; left: string[] } {
  const { policy } = target;
  const slo = {
    ...own("ttftSeconds", policy.slo.ttft_s, policy.slo.e2e_s ?? UNLIMITED_S),
    ...own("tpotSeconds", policy.slo.tpot_s, policy.slo.e2e_s ?? UNLIMITED_S),
    ...own("e2eSeconds", policy.slo.e2e_s, null),
    attainment: policy.slo.attainment,
    ...own("missPricePerRequest", policy.miss_usd_per_request, null),
  };
  const spec: Spec = {
    model: target.model,
    ...own("group", target.group, "default"),
    slo,
    variants: target.variants.map(variantOf),
    ...behaviorOf(policy.scale_up, policy.scale_down),
    ...own("intervalSeconds", policy.interval_s, 15),
    ...inner("forecast", own("quantile", policy.forecast_quantile, 0.9)),
    ...inner("headroom", { ...own("replicas", policy.headroom?.replicas, 0), ...own("percent", (policy.headroom?.share ?? 0) * 100, 0) }),
    ...inner("coupling", own("maxSkewPercent", policy.max_role_skew == null ? null : policy.max_role_skew * 100, null)),
    ...inner("scaleToZero", own("idleSeconds", policy.idle_s, null)),
    ...(policy.schedules?.length ? { schedules: policy.schedules.map(scheduleOf) } : {}),
    ...inner("limits", { ...own("maxSampleAgeSeconds", policy.max_sample_age_s, 120), ...own("quorum", policy.quorum, 0.6), ...own("pendingDeadlineSeconds", policy.pending_deadline_s, 900) }),
    ...inner("capacity", { ...own("maxSpotShare", policy.max_spot_share, 1), ...own("maxPoolShare", policy.max_pool_share, 1), ...own("maxDomainShare", policy.max_domain_share, null), ...own("maxSurge", policy.max_surge, null) }),
    ...own("priority", policy.priority, 0),
    ...own("weight", policy.weight, 1),
    ...own("routing", policy.routing, "Weighted"),
    ...own("takeover", policy.takeover, false),
    ...own("manualHoldSeconds", policy.manual_hold_s, 600),
    ...inner("metrics", { ...own("port", target.metrics?.port, null), ...own("path", target.metrics?.path, "/metrics") }),
  };
  return { spec, left: leftOut(target) };
}

/** A field, where it is not what it would be anyway. */
const own = (name: string, value: unknown, usual: unknown): Spec => (value === undefined || value === null || value === usual ? {} : { [name]: value });
const inner = (name: string, fields: Spec): Spec => (Object.keys(fields).length === 0 ? {} : { [name]: fields });

function variantOf(one: Target["variants"][number]): Spec {
  return {
    name: one.name,
    scaleTargetRef: { apiVersion: one.ref.api_version, kind: one.ref.kind, name: one.ref.name },
    ...own("role", one.role, "Both"),
    accelerator: one.accelerator,
    ...own("acceleratorsPerReplica", one.gpus_per_replica, 1),
    ...own("capacityType", one.capacity_type, "OnDemand"),
    ...(one.priced_by === "Catalog" ? {} : { pricePerReplicaHour: one.usd_per_replica_hour }),
    minReplicas: one.min_replicas,
    maxReplicas: one.max_replicas,
    ...own("preference", one.preference, "Neutral"),
    ...own("drainSeconds", one.drain_s, null),
    ...own("failureDomain", one.failure_domain, null),
  };
}

const UP = JSON.stringify([
  ["Pods", 4, 15],
  ["Percent", 100, 15],
]);
const DOWN = JSON.stringify([["Percent", 100, 15]]);

function behaviorOf(up: Rules | undefined, down: Rules | undefined): Spec {
  return inner("behavior", { ...inner("scaleUp", rulesOf(up, 0, UP)), ...inner("scaleDown", rulesOf(down, 60, DOWN)) });
}

function rulesOf(rules: Rules | undefined, windowS: number, policies: string): Spec {
  if (rules === undefined) return {};
  const usual = JSON.stringify(rules.policies.map((one) => [one.type, one.value, one.period_s])) === policies;
  return {
    ...own("stabilizationWindowSeconds", rules.stabilization_window_s, windowS),
    ...own("selectPolicy", rules.select_policy, "Max"),
    ...(usual ? {} : { policies: rules.policies.map((one) => ({ type: one.type, value: one.value, periodSeconds: one.period_s })) }),
    ...own("tolerance", rules.tolerance, 0),
    ...own("waitOutFalls", rules.wait_out_falls ?? false, false),
  };
}

function scheduleOf(one: components["schemas"]["Schedule"]): Spec {
  return {
    name: one.name,
    start: one.start,
    end: one.end,
    ...own("timeZone", one.time_zone, "UTC"),
    ...own("variant", one.variant, null),
    ...own("minReplicas", one.min_replicas, null),
    ...own("maxReplicas", one.max_replicas, null),
  };
}

function leftOut({ metrics, policy }: Target): string[] {
  const parts = [
    metrics?.tls ? "metrics.tls" : "",
    metrics?.bearer ? "metrics.bearerSecretRef" : "",
    metrics?.prometheus ? "metrics.prometheus" : "",
    metrics?.pool ? "metrics.pool" : "",
    policy.overrides?.length ? "overrides" : "",
  ];
  return parts.filter((part) => part !== "");
}
