import { keepPreviousData, useQuery } from "@tanstack/react-query";

import type { By } from "../lib/reportsSearch";
import type { Stretch } from "../lib/search";
import { client, unwrap } from "./client";
import type { components } from "./schema";

export type Report = components["schemas"]["Report"];
export type ReportRow = components["schemas"]["ReportRow"];

/** What a stretch of time cost; null: the clock is not known yet. It is asked again each minute while it is looked at. */
export function useReport(stretch: Stretch | null, by: By, namespace: string | undefined) {
  return useQuery({
    // A running month ends now: the same minute is the same question.
    queryKey: ["report", stretch?.from, stretch && Math.floor(stretch.to / 60), by, namespace],
    enabled: stretch !== null,
    placeholderData: keepPreviousData,
    staleTime: 60_000,
    queryFn: async ({ signal }): Promise<Report> => {
      const { from, to } = stretch as Stretch;
      const query = { from: String(from), to: String(to), by, namespace };
      // JSON is one of three forms that the API may answer in; the others are asked for by name.
      return unwrap(await client.GET("/api/v1/reports", { params: { query }, signal })) as Report;
    },
  });
}
