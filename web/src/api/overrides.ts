import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";

import { freshKey } from "../lib/key";
import { client, type Override, type OverrideIn, type OverridePage, type TickPage, unwrap } from "./client";
import { LIVE } from "./hooks";

type Wanted = { namespace?: string; target?: string; active: boolean };

/** Newest first, of the namespaces that one may see. */
export function useOverrides(wanted: Wanted) {
  return useInfiniteQuery({
    queryKey: [LIVE, "overrides", wanted],
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: OverridePage) => page.next_cursor ?? undefined,
    queryFn: async ({ pageParam, signal }): Promise<OverridePage> => {
      const query = { ...wanted, limit: 100, cursor: pageParam };
      return unwrap(await client.GET("/api/v1/overrides", { params: { query }, signal }));
    },
  });
}

/** The decisions in which an override was heard, newest first. */
export function useHeard(id: string) {
  return useInfiniteQuery({
    queryKey: [LIVE, "heard", id],
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: TickPage) => page.next_cursor ?? undefined,
    queryFn: async ({ pageParam, signal }): Promise<TickPage> =>
      unwrap(await client.GET("/api/v1/overrides/{override_id}/ticks", { params: { path: { override_id: id }, query: { limit: 30, cursor: pageParam } }, signal })),
  });
}

type Asked = { namespace: string; name: string; body: OverrideIn; key: string };

/** `key` belongs to one filled-in form: sent twice it makes one override. */
export function useCreateOverride() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async ({ namespace, name, body, key }: Asked) =>
      unwrap(
        await client.POST("/api/v1/targets/{namespace}/{name}/overrides", {
          params: { path: { namespace, name }, header: { "idempotency-key": key } },
          body,
        }),
      ),
    onSuccess: () => queries.invalidateQueries({ queryKey: [LIVE] }),
  });
}

/** Ends the version that was seen: where somebody was faster, the API says so. */
export function useEndOverride() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async ({ id, etag }: Override) =>
      unwrap(
        await client.DELETE("/api/v1/overrides/{override_id}", {
          params: { path: { override_id: id }, header: { "if-match": etag, "idempotency-key": freshKey() } },
        }),
      ),
    onSettled: () => queries.invalidateQueries({ queryKey: [LIVE] }),
  });
}
