import { useQuery } from "@tanstack/react-query";

import { client, unwrap } from "./client";
import type { components } from "./schema";

export type Explanation = components["schemas"]["Explanation"];
export type Outcome = components["schemas"]["Outcome"];
export type Counterfactual = components["schemas"]["Counterfactual"];

/** Until its horizon is over more becomes known of it; to explain is a second's work for the API. */
const AGAIN_MS = 15_000;

/** What would have changed a decision, and what came of it. */
export function useExplanation(id: string) {
  return useQuery<Explanation>({
    queryKey: ["explain", id],
    staleTime: ({ state }) => (state.data?.outcome.complete ? Infinity : AGAIN_MS),
    refetchInterval: ({ state }) => (state.data && !state.data.outcome.complete ? AGAIN_MS : false),
    queryFn: async ({ signal }) =>
      unwrap(await client.GET("/api/v1/ticks/{tick_id}/explain", { params: { path: { tick_id: id } }, signal })),
  });
}

export type Direction = "up" | "down";

/** Why the last change of a direction that was proposed, up to a time, was not done; asked only when somebody asks. */
export function useWhyNot(target: { namespace: string; name: string }, verdict: Direction, before: number, enabled: boolean) {
  return useQuery({
    queryKey: ["why-not", target.namespace, target.name, verdict, before],
    enabled,
    staleTime: Infinity,
    retry: false,
    queryFn: async ({ signal }) => {
      const params = { path: { namespace: target.namespace, name: target.name }, query: { verdict, before: String(before) } };
      return unwrap(await client.GET("/api/v1/targets/{namespace}/{name}/why-not", { params, signal }));
    },
  });
}
