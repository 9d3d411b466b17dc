import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import type { AuditSearch } from "../lib/search";
import { type AuditPage, client, type GrantTo, type GrantToIn, type Health, type Me, type Token, type TokenIn, unwrap } from "./client";
import { useMe } from "./hooks";

const ORDER = ["Viewer", "Operator", "Admin"] as const;

/** Whether a role suffices; a hint for what to show, since the API judges by itself. */
export function may(me: Me | undefined, role: (typeof ORDER)[number], namespace: string | null): boolean {
  return (me?.grants ?? []).some(
    (grant) => ORDER.indexOf(grant.role) >= ORDER.indexOf(role) && (grant.namespace === null || grant.namespace === namespace),
  );
}

export function useMay(role: (typeof ORDER)[number], namespace: string | null): boolean {
  return may(useMe().data, role, namespace);
}

export function useLogout() {
  return useMutation({
    mutationFn: async () => client.POST("/auth/logout"),
    onSuccess: () => window.location.assign("/"),
  });
}

export function useTokens() {
  return useQuery({ queryKey: ["tokens"], queryFn: async ({ signal }) => unwrap(await client.GET("/api/v1/tokens", { signal })) });
}

export function useUsers(enabled: boolean) {
  return useQuery({ queryKey: ["users"], enabled, queryFn: async ({ signal }) => unwrap(await client.GET("/api/v1/users", { signal })) });
}

export function useGrants(enabled: boolean) {
  return useQuery({ queryKey: ["grants"], enabled, queryFn: async ({ signal }) => unwrap(await client.GET("/api/v1/grants", { signal })) });
}

/** A write that makes one of our lists old. */
function useWrite<In, Out>(list: string, write: (asked: In) => Promise<Out>) {
  const queries = useQueryClient();
  return useMutation({ mutationFn: write, onSettled: () => queries.invalidateQueries({ queryKey: [list] }) });
}

/** The answer holds the secret, and nothing does later. */
export function useCreateToken() {
  return useWrite("tokens", async (body: TokenIn) => unwrap(await client.POST("/api/v1/tokens", { body })));
}

export function useRevokeToken() {
  return useWrite("tokens", async ({ id, etag }: Token) => {
    const params = { path: { token_id: id }, header: { "if-match": etag } };
    return unwrap(await client.DELETE("/api/v1/tokens/{token_id}", { params }));
  });
}

export function useCreateGrant() {
  return useWrite("grants", async (body: GrantToIn) => unwrap(await client.POST("/api/v1/grants", { body })));
}

export function useRemoveGrant() {
  return useWrite("grants", async ({ id }: GrantTo) =>
    unwrap(await client.DELETE("/api/v1/grants/{grant_id}", { params: { path: { grant_id: id } } })),
  );
}

export function useAudit(search: AuditSearch) {
  return useInfiniteQuery({
    queryKey: ["audit", search],
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: AuditPage) => page.next_cursor ?? undefined,
    queryFn: async ({ pageParam, signal }): Promise<AuditPage> =>
      unwrap(await client.GET("/api/v1/audit", { params: { query: { ...search, limit: 50, cursor: pageParam } }, signal })),
  });
}

/** Whether the API is ready. "Not ready" is an answer too, with the checks that fail. */
export function useReady() {
  return useQuery({
    queryKey: ["ready"],
    refetchInterval: 5000,
    queryFn: async ({ signal }): Promise<Health> => {
      const { data, error, response } = await client.GET("/readyz", { signal });
      if (error && "checks" in error) return error as Health;
      return unwrap({ data, error, response }) as Health;
    },
  });
}
