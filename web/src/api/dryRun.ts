import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { freshKey } from "../lib/key";
import { client, unwrap } from "./client";
import type { Spec } from "./policies";
import type { components } from "./schema";

export type Job = components["schemas"]["JobOut"];
export type Comparison = components["schemas"]["Comparison"];
export type Run = components["schemas"]["Run"];

const DAY_S = 86_400;

export const isOver = (job: Job) => job.finished_at_s !== null;

/** The last 24 hours, or as much of them as was recorded: before its first decision a target had no load to play. */
async function windowOf(namespace: string, name: string, nowS: number): Promise<{ since: number; until: number }> {
  const params = { path: { namespace, name }, query: { since: String(nowS - DAY_S), points: 2 } };
  const series = unwrap(await client.GET("/api/v1/targets/{namespace}/{name}/series", { params }));
  return { since: Math.max(nowS - DAY_S, series.at_s[0] ?? nowS - DAY_S), until: nowS };
}

/** Plays a spec that nobody saved on what was recorded, beside the policy that decides. */
export function useDryRun() {
  return useMutation({
    mutationFn: async ({ target, spec, nowS }: { target: string; spec: Spec; nowS: number }) => {
      const [namespace = "", name = ""] = target.split("/");
      const { since, until } = await windowOf(namespace, name, nowS);
      const body = { kind: "Replay" as const, target, since, until, policy: "version", spec, seed: 1 };
      return unwrap(await client.POST("/api/v1/jobs", { params: { header: { "idempotency-key": freshKey() } }, body }));
    },
  });
}

/** A job, asked again until it is over. */
export function useJob(id: string | null) {
  return useQuery<Job>({
    queryKey: ["job", id],
    enabled: id !== null,
    refetchInterval: ({ state }) => (state.data && isOver(state.data) ? false : 1000),
    queryFn: async ({ signal }) => unwrap(await client.GET("/api/v1/jobs/{job_id}", { params: { path: { job_id: id as string } }, signal })) as Job,
  });
}

export function useCancelJob() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async (job: Job) =>
      unwrap(await client.DELETE("/api/v1/jobs/{job_id}", { params: { path: { job_id: job.id }, header: { "if-match": job.etag, "idempotency-key": freshKey() } } })),
    onSettled: (_answer, _error, job) => queries.invalidateQueries({ queryKey: ["job", job.id] }),
  });
}
