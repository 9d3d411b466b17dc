import { useInfiniteQuery, useMutation, useQueries, useQuery, useQueryClient } from "@tanstack/react-query";

import { freshKey } from "../lib/key";
import { client, unwrap } from "./client";
import type { components } from "./schema";

export type Job = components["schemas"]["JobOut"];
export type JobSummary = components["schemas"]["JobSummary"];
export type JobPage = components["schemas"]["JobPage"];
export type JobIn = components["schemas"]["ReplayIn"] | components["schemas"]["WhatIfIn"];
export type JobStatus = components["schemas"]["JobStatus"];

const JOBS = "jobs";
/** Workers write a job's progress once a second. */
const EVERY_MS = 1000;

export const isOver = (job: Pick<JobSummary, "status">) => job.status !== "Queued" && job.status !== "Running";

/** Newest first; asked again while one of them is under way. */
export function useJobs() {
  return useInfiniteQuery({
    queryKey: [JOBS, "list"],
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: JobPage) => page.next_cursor ?? undefined,
    refetchInterval: ({ state }) => (state.data?.pages.some((page) => page.items.some((job) => !isOver(job))) ? EVERY_MS : false),
    queryFn: async ({ pageParam, signal }): Promise<JobPage> =>
      unwrap(await client.GET("/api/v1/jobs", { params: { query: { limit: 20, cursor: pageParam } }, signal })),
  });
}

/** Some jobs with their results; one that is over is not asked for again. */
export function useJobsOf(ids: string[]) {
  return useQueries({
    queries: ids.map((id) => ({
      queryKey: [JOBS, "one", id],
      refetchInterval: ({ state }: { state: { data?: Job } }) => (state.data && isOver(state.data) ? false : EVERY_MS),
      staleTime: ({ state }: { state: { data?: Job } }) => (state.data && isOver(state.data) ? Infinity : 0),
      queryFn: async ({ signal }: { signal: AbortSignal }): Promise<Job> =>
        unwrap(await client.GET("/api/v1/jobs/{job_id}", { params: { path: { job_id: id } }, signal })),
    })),
  });
}

/** Asks for jobs one after another; the first that is refused ends it. */
export function useStartJobs() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async (bodies: JobIn[]): Promise<string[]> => {
      const ids: string[] = [];
      for (const body of bodies) {
        const params = { header: { "idempotency-key": freshKey() } };
        ids.push(unwrap(await client.POST("/api/v1/jobs", { params, body })).id);
      }
      return ids;
    },
    onSettled: () => queries.invalidateQueries({ queryKey: [JOBS, "list"] }),
  });
}

/** Ends a job, on the version that was seen: a queued one at once, a running one within a second or two. */
export function useCancelJob() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async ({ id, etag }: JobSummary) => {
      const params = { path: { job_id: id }, header: { "if-match": etag, "idempotency-key": freshKey() } };
      return unwrap(await client.DELETE("/api/v1/jobs/{job_id}", { params }));
    },
    onSettled: () => queries.invalidateQueries({ queryKey: [JOBS] }),
  });
}

/** The policies whose versions may be played in a namespace. */
export function usePlayable(namespace: string | null) {
  return useQuery({
    queryKey: ["policies", "playable", namespace],
    enabled: namespace !== null,
    queryFn: async ({ signal }) =>
      unwrap(await client.GET("/api/v1/policies", { params: { query: { namespace: namespace ?? undefined, limit: 200 } }, signal })),
  });
}
