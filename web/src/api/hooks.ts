import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";

import { client, type TickPage, unwrap, type Verdict } from "./client";

/** Everything with a live value; the live feed marks it stale on every tick. */
export const LIVE = "live";

export function useFleet() {
  return useQuery({
    queryKey: [LIVE, "fleet"],
    queryFn: async ({ signal }) => unwrap(await client.GET("/api/v1/fleet", { signal })),
  });
}

export function useTarget(namespace: string, name: string) {
  return useQuery({
    queryKey: [LIVE, "target", namespace, name],
    queryFn: async ({ signal }) =>
      unwrap(await client.GET("/api/v1/targets/{namespace}/{name}", { params: { path: { namespace, name } }, signal })),
  });
}

/** Columns for the charts: the last `rangeS` seconds of the controller's clock, `nowS` being what it shows. */
export function useSeries(namespace: string, name: string, rangeS: number, nowS: () => number | null) {
  return useQuery({
    queryKey: [LIVE, "series", namespace, name, rangeS],
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => {
      const now = nowS();
      const query = { points: 1000, ...(now === null ? {} : { since: String(now - rangeS) }) };
      const path = { namespace, name };
      return unwrap(await client.GET("/api/v1/targets/{namespace}/{name}/series", { params: { path, query }, signal }));
    },
  });
}

export function useTicks(namespace: string, name: string, verdicts: Verdict[]) {
  return useInfiniteQuery({
    queryKey: [LIVE, "ticks", namespace, name, verdicts],
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: TickPage) => page.next_cursor ?? undefined,
    queryFn: async ({ pageParam, signal }): Promise<TickPage> => {
      const query = { limit: 30, cursor: pageParam, verdict: verdicts.length ? verdicts : undefined };
      const path = { namespace, name };
      return unwrap(await client.GET("/api/v1/targets/{namespace}/{name}/ticks", { params: { path, query }, signal }));
    },
  });
}

/** A decision never changes once it is recorded. */
export function useTick(id: string) {
  return useQuery({
    queryKey: ["tick", id],
    staleTime: Infinity,
    queryFn: async ({ signal }) =>
      unwrap(await client.GET("/api/v1/ticks/{tick_id}", { params: { path: { tick_id: id } }, signal })),
  });
}

/** Who is logged in. Asked again now and then: a session may have ended. */
export function useMe() {
  return useQuery({
    queryKey: ["me"],
    staleTime: 60_000,
    refetchInterval: 60_000,
    retry: false,
    queryFn: async ({ signal }) => unwrap(await client.GET("/api/v1/me", { signal })),
  });
}

/** How one can log in here. */
export function useLoginWays() {
  return useQuery({
    queryKey: ["login-ways"],
    staleTime: Infinity,
    queryFn: async ({ signal }) => unwrap(await client.GET("/auth/ways", { signal })),
  });
}
