import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";

import { asked, stretchOf, type TargetSearch } from "../lib/search";
import { client, type TickPage, unwrap } from "./client";

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

/** Columns for the charts of a stretch of the controller's clock, `nowS` being what it shows. The past stays as it was. */
export function useSeries(namespace: string, name: string, search: TargetSearch, nowS: () => number | null) {
  const { range, from, to } = search;
  return useQuery({
    queryKey: [LIVE, "series", namespace, name, range, from, to],
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => {
      const stretch = stretchOf(search, nowS());
      const until = to === undefined ? {} : { until: String(to) };
      const query = { points: 1000, ...(stretch === null ? {} : { since: String(stretch.from) }), ...until };
      const path = { namespace, name };
      return unwrap(await client.GET("/api/v1/targets/{namespace}/{name}/series", { params: { path, query }, signal }));
    },
  });
}

export function useTicks(namespace: string, name: string, { verdict, from, to }: TargetSearch) {
  const verdicts = asked(verdict);
  return useInfiniteQuery({
    queryKey: [LIVE, "ticks", namespace, name, verdicts, from, to],
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: TickPage) => page.next_cursor ?? undefined,
    queryFn: async ({ pageParam, signal }): Promise<TickPage> => {
      const between = from === undefined ? {} : { since: String(from), until: String(to) };
      const query = { limit: 30, cursor: pageParam, verdict: verdicts.length ? verdicts : undefined, ...between };
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

/** The decisions beside one: the newest has no next one yet. */
export function useNeighbours(id: string) {
  return useQuery({
    queryKey: [LIVE, "neighbours", id],
    queryFn: async ({ signal }) =>
      unwrap(await client.GET("/api/v1/ticks/{tick_id}/neighbours", { params: { path: { tick_id: id } }, signal })),
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
