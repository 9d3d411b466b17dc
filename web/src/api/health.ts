import { useQuery } from "@tanstack/react-query";

import { client, unwrap } from "./client";
import type { components } from "./schema";

export type SystemHealth = components["schemas"]["SystemHealth"];
export type ProcessHealth = components["schemas"]["ProcessHealth"];
export type ScrapeHealth = components["schemas"]["ScrapeHealth"];

/** How Tidegate itself is: database, broker, processes, and what could not be read of the targets. */
export function useHealth() {
  return useQuery({
    queryKey: ["health"],
    refetchInterval: 5000,
    queryFn: async ({ signal }) => unwrap(await client.GET("/api/v1/health", { signal })),
  });
}
