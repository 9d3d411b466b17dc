import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import type { Freeze, FreezeIn } from "../lib/freeze";
import { freshKey } from "../lib/key";
import { client, type TickPage, unwrap } from "./client";
import { LIVE } from "./hooks";
import type { components } from "./schema";

type FreezePage = components["schemas"]["FreezePage"];

/** Newest first, of the namespaces that one may see and of everything. */
export function useFreezes(wanted: { active: boolean }) {
  return useInfiniteQuery({
    queryKey: [LIVE, "freezes", wanted],
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: FreezePage) => page.next_cursor ?? undefined,
    queryFn: async ({ pageParam, signal }): Promise<FreezePage> =>
      unwrap(await client.GET("/api/v1/freezes", { params: { query: { ...wanted, limit: 100, cursor: pageParam } }, signal })),
  });
}

/** The decisions in which a freeze was heard, newest first. */
export function useFreezeHeard(id: string) {
  return useInfiniteQuery({
    queryKey: [LIVE, "freeze-heard", id],
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: TickPage) => page.next_cursor ?? undefined,
    queryFn: async ({ pageParam, signal }): Promise<TickPage> =>
      unwrap(await client.GET("/api/v1/freezes/{freeze_id}/ticks", { params: { path: { freeze_id: id }, query: { limit: 30, cursor: pageParam } }, signal })),
  });
}

/** Everything that people say of a target now, its custom resource's overrides too. */
export function useDirectives(namespace: string, name: string) {
  return useQuery({
    queryKey: [LIVE, "directives", namespace, name],
    queryFn: async ({ signal }) =>
      unwrap(await client.GET("/api/v1/targets/{namespace}/{name}/directives", { params: { path: { namespace, name } }, signal })),
  });
}

/** `key` belongs to one filled-in form: sent twice it makes one freeze. */
export function useCreateFreeze() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async ({ body, key }: { body: FreezeIn; key: string }) =>
      unwrap(await client.POST("/api/v1/freezes", { params: { header: { "idempotency-key": key } }, body })),
    onSuccess: () => queries.invalidateQueries({ queryKey: [LIVE] }),
  });
}

/** Ends the version that was seen. */
export function useEndFreeze() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async ({ id, etag }: Freeze) =>
      unwrap(
        await client.DELETE("/api/v1/freezes/{freeze_id}", {
          params: { path: { freeze_id: id }, header: { "if-match": etag, "idempotency-key": freshKey() } },
        }),
      ),
    onSettled: () => queries.invalidateQueries({ queryKey: [LIVE] }),
  });
}
