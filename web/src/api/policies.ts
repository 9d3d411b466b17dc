import { keepPreviousData, useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { freshKey } from "../lib/key";
import { ApiProblem, client, type Me, unwrap } from "./client";
import { LIVE } from "./hooks";
import type { components } from "./schema";

type Schemas = components["schemas"];
export type Stage = Schemas["Stage"];
export type Policy = Schemas["PolicyOut"];
export type PolicyPage = Schemas["PolicyPage"];
export type VersionSummary = Schemas["VersionSummary"];
export type Version = Schemas["VersionOut"];
export type StageRow = Schemas["StageOut"];
export type Approval = Schemas["ApprovalOut"];
export type Patch = Schemas["PatchOut"];
export type RegretOf = Schemas["RegretOut"];
export type Side = Schemas["Side"];
export type ShadowTick = Schemas["ShadowTickOut"];
export type ShadowTickPage = Schemas["ShadowTickPage"];
export type Guard = Required<Schemas["GuardIn"]>;
export type DryRun = Schemas["DryRunOut"];
export type Spec = Record<string, unknown>;

const POLICIES = "policies";

/** Newest first. What other people do to them is heard of within some seconds. */
export function usePolicies(archived: boolean) {
  return useInfiniteQuery({
    queryKey: [POLICIES, "list", archived],
    refetchInterval: 15_000,
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: PolicyPage) => page.next_cursor ?? undefined,
    queryFn: async ({ pageParam, signal }): Promise<PolicyPage> =>
      unwrap(await client.GET("/api/v1/policies", { params: { query: { archived, limit: 200, cursor: pageParam } }, signal })),
  });
}

/** The policies that name a target: a custom resource, which decides, and the API's, which is drafted beside it or decides alone. */
export function usePoliciesOf(namespace: string, name: string) {
  return useQuery({
    queryKey: [POLICIES, "of", namespace, name],
    staleTime: 10_000,
    queryFn: async ({ signal }) => {
      const page = unwrap(await client.GET("/api/v1/policies", { params: { query: { namespace, name } }, signal }));
      const of = (origin: Policy["origin"]) => page.items.find((one) => one.origin === origin) ?? null;
      return { resource: of("CustomResource"), made: of("Api") };
    },
  });
}

export function usePolicy(id: string) {
  return useQuery({
    queryKey: [POLICIES, "one", id],
    refetchInterval: 10_000,
    queryFn: async ({ signal }) => unwrap(await client.GET("/api/v1/policies/{policy_id}", { params: { path: { policy_id: id } }, signal })) as Policy,
  });
}

/** Every version with its spec, oldest first. A version never changes, so its number is enough to ask anew. */
export function useVersions(id: string, newest: number) {
  return useQuery({
    queryKey: [POLICIES, "versions", id, newest],
    staleTime: 30_000,
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => unwrap(await client.GET("/api/v1/policies/{policy_id}/versions", { params: { path: { policy_id: id } }, signal })),
  });
}

/** Which version was in which stage. A custom resource's has no such history: its stages are what it said when. */
export function useStages(policy: Policy) {
  return useQuery({
    queryKey: [POLICIES, "stages", policy.id, policy.etag],
    enabled: policy.origin === "Api",
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => unwrap(await client.GET("/api/v1/policies/{policy_id}/stages", { params: { path: { policy_id: policy.id } }, signal })),
  });
}

export function useApprovals() {
  return useQuery({
    queryKey: [POLICIES, "approvals"],
    refetchInterval: 10_000,
    queryFn: async ({ signal }) => unwrap(await client.GET("/api/v1/approvals", { signal })),
  });
}

/** Whether a second person must look before a version decides. */
export function useApprovalRequired() {
  return useQuery({
    queryKey: ["settings", "approval_required"],
    staleTime: 10_000,
    queryFn: async ({ signal }) => {
      const found = unwrap(await client.GET("/api/v1/settings/{setting}", { params: { path: { setting: "approval_required" } }, signal }));
      return found.value === true;
    },
  });
}

export function usePatch(id: string, version: number, enabled: boolean) {
  return useQuery({
    queryKey: [POLICIES, "patch", id, version],
    enabled,
    staleTime: Infinity,
    queryFn: async ({ signal }) =>
      unwrap(await client.GET("/api/v1/policies/{policy_id}/patch", { params: { path: { policy_id: id }, query: { version } }, signal })),
  });
}

/** Made by workers every half window; the newest of each target. */
export function useRegret(id: string, number: number, enabled: boolean) {
  return useQuery({
    queryKey: [POLICIES, "regret", id, number],
    enabled,
    refetchInterval: 15_000,
    queryFn: async ({ signal }) =>
      unwrap(await client.GET("/api/v1/policies/{policy_id}/versions/{number}/regret", { params: { path: { policy_id: id, number } }, signal })),
  });
}

/** What a version would have decided, newest first. */
export function useShadowTicks(id: string, number: number, target: string | undefined, enabled: boolean, limit = 50) {
  return useInfiniteQuery({
    queryKey: [LIVE, "shadow-ticks", id, number, target, limit],
    enabled,
    initialPageParam: undefined as number | undefined,
    getNextPageParam: (page: ShadowTickPage) => page.next_cursor ?? undefined,
    queryFn: async ({ pageParam, signal }): Promise<ShadowTickPage> => {
      const params = { path: { policy_id: id, number }, query: { target, cursor: pageParam, limit } };
      return unwrap(await client.GET("/api/v1/policies/{policy_id}/versions/{number}/shadow-ticks", { params, signal }));
    },
  });
}

function useWrite<In, Out>(write: (asked: In) => Promise<Out>) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: write,
    onSettled: () => Promise.all([queries.invalidateQueries({ queryKey: [POLICIES] }), queries.invalidateQueries({ queryKey: [LIVE] })]),
  });
}

const STEPS = {
  Shadow: "/api/v1/policies/{policy_id}/versions/{number}/shadow",
  Canary: "/api/v1/policies/{policy_id}/versions/{number}/canary",
  Live: "/api/v1/policies/{policy_id}/versions/{number}/promote",
  RolledBack: "/api/v1/policies/{policy_id}/versions/{number}/rollback",
  Superseded: "/api/v1/policies/{policy_id}/versions/{number}/archive",
} as const;
export type StepTo = keyof typeof STEPS;
export type StepBody = { reason: string; guard?: Guard; variants?: string[]; namespaces?: string[]; ttl_s?: number };

/** `etag` is that of the policy as it was read: where somebody was faster, the API says so. */
export function useStep() {
  return useWrite(async ({ policy, number, to, body, key }: { policy: Policy; number: number; to: StepTo; body: StepBody; key: string }) => {
    const params = { path: { policy_id: policy.id, number }, header: { "if-match": policy.etag, "idempotency-key": key } };
    return unwrap(await client.POST(STEPS[to], { params, body: body as never }));
  });
}

export type NewPolicy = { name: string; namespaces: string[]; spec: Spec; reason: string };

export function useCreatePolicy() {
  return useWrite(async ({ body, key }: { body: NewPolicy; key: string }) =>
    unwrap(await client.POST("/api/v1/policies", { params: { header: { "idempotency-key": key } }, body })),
  );
}

export function useCreateVersion() {
  return useWrite(async ({ policy, body, key }: { policy: Policy; body: { spec: Spec; reason: string; parent: number }; key: string }) => {
    const params = { path: { policy_id: policy.id }, header: { "if-match": policy.etag, "idempotency-key": key } };
    return unwrap(await client.POST("/api/v1/policies/{policy_id}/versions", { params, body }));
  });
}

export function useArchivePolicy() {
  return useWrite(async (policy: Policy) => {
    const params = { path: { policy_id: policy.id }, header: { "if-match": policy.etag, "idempotency-key": freshKey() } };
    return unwrap(await client.DELETE("/api/v1/policies/{policy_id}", { params }));
  });
}

export function useAskApproval() {
  return useWrite(async ({ policy, number, stage, reason, key }: { policy: Policy; number: number; stage: "Canary" | "Live"; reason: string; key: string }) => {
    const params = { path: { policy_id: policy.id, number }, header: { "idempotency-key": key } };
    return unwrap(await client.POST("/api/v1/policies/{policy_id}/versions/{number}/approvals", { params, body: { stage, reason } }));
  });
}

export function useRule() {
  return useWrite(async ({ approval, word, reason }: { approval: Approval; word: "approve" | "reject"; reason: string }) => {
    const params = { path: { approval_id: approval.id }, header: { "if-match": approval.etag, "idempotency-key": freshKey() } };
    const path = word === "approve" ? "/api/v1/approvals/{approval_id}/approve" : "/api/v1/approvals/{approval_id}/reject";
    return unwrap(await client.POST(path, { params, body: { reason } }));
  });
}

/** Whether the API would take it; it keeps nothing. A body that it cannot read at all is told the same way. */
export async function validate(name: string, namespaces: string[], spec: Spec, signal?: AbortSignal): Promise<DryRun> {
  try {
    return unwrap(await client.POST("/api/v1/policies/validate", { body: { name, namespaces, spec }, signal }));
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.status !== 422) throw error;
    return { valid: false, field: null, message: error.message, targets: [], named_by_resources: [] };
  }
}

/** Approvals that this person could give: somebody else asked, nobody answered. */
export const waitsFor = (approval: Approval, me: Me | undefined) => approval.decision === null && me !== undefined && approval.requested_by !== me.id;
