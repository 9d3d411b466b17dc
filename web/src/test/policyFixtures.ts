import type { Approval, Policy, Spec, StageRow, Version } from "../api/policies";

export const AT = 1_767_600_000;
export const ID = "73bc99eb-7458-4dfe-bbba-9d67cb9cc2eb";

export const spec = (most = 12): Spec => ({
  slo: { ttftSeconds: 2, attainment: 0.99 },
  model: "llama-3.1-8b",
  variants: [
    { name: "h100", accelerator: "H100", minReplicas: 0, maxReplicas: most, scaleTargetRef: { kind: "Deployment", name: "chat-h100", apiVersion: "apps/v1" } },
    { name: "l40s", accelerator: "L40S", minReplicas: 0, maxReplicas: 16, scaleTargetRef: { kind: "Deployment", name: "chat-l40s", apiVersion: "apps/v1" } },
  ],
});

export function version(number: number, change: Partial<Version> = {}): Version {
  return {
    id: `0000000${number}-0000-0000-0000-000000000000`,
    number,
    stage: "Draft",
    since_s: AT + number,
    author: "user:alice",
    reason: `reason ${number}`,
    parent: number > 1 ? number - 1 : null,
    created_at_s: AT + number,
    digest: `d${number}`,
    allowed: [],
    canary: null,
    guard: null,
    policy_id: ID,
    origin: "Api",
    spec: spec(),
    changes: [],
    ...change,
  };
}

export function policy(versions: Version[], change: Partial<Policy> = {}): Policy {
  const of = (stage: string) => versions.filter((one) => one.stage === stage).map(({ number }) => number);
  return {
    id: ID,
    origin: "Api",
    read_only: false,
    name: "chat",
    namespaces: ["default"],
    created_at_s: AT,
    created_by: "user:alice",
    archived_at_s: null,
    live: of("Live")[0] ?? null,
    canary: of("Canary")[0] ?? null,
    shadows: of("Shadow"),
    versions,
    named_by_resources: [],
    etag: '"7"',
    ...change,
  };
}

export const row = (number: number, stage: StageRow["stage"], change: Partial<StageRow> = {}): StageRow => ({
  number,
  stage,
  at_s: AT + number,
  actor: "user:alice",
  reason: "why",
  canary: null,
  guard: null,
  by: null,
  ...change,
});

export const approval = (change: Partial<Approval> = {}): Approval => ({
  id: "11111111-0000-0000-0000-000000000000",
  policy_id: ID,
  number: 2,
  stage: "Live",
  requested_by: "user:alice",
  requested_at_s: AT + 10,
  reason: "less cost",
  decision: null,
  decided_by: null,
  decided_at_s: null,
  decision_reason: null,
  etag: '"1"',
  ...change,
});

export const me = (name: string, role = "Operator", namespace: string | null = null) => ({ id: `user:${name}`, name, kind: "User", grants: [{ role, namespace }] });
