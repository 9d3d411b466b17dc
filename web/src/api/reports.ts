import { keepPreviousData, useQuery } from "@tanstack/react-query";

import { type By, type ReportsSearch, stretchOfReport } from "../lib/reportsSearch";
import { useZone } from "../lib/zone";
import { client, unwrap } from "./client";
import { useLive } from "./live";
import type { components } from "./schema";

export type Report = components["schemas"]["Report"];
export type ReportRow = components["schemas"]["ReportRow"];

/** A running month grows: it is asked for again this often while it is looked at, however fast the clock goes. */
const AGAIN_MS = 60_000;

/** What a stretch of time cost, `known` being whether the clock is: until then one cannot say when a month began. */
export function useReport(search: ReportsSearch, by: By, known: boolean) {
  const { nowS } = useLive();
  const zone = useZone();
  const { period, from, to, namespace } = search;
  return useQuery({
    queryKey: ["report", period, from, to, namespace, by, zone],
    enabled: known,
    placeholderData: keepPreviousData,
    staleTime: AGAIN_MS,
    refetchInterval: AGAIN_MS,
    queryFn: async ({ signal }): Promise<Report> => {
      const stretch = stretchOfReport(search, nowS() ?? 0, zone);
      const query = { from: String(stretch.from), to: String(stretch.to), by, namespace };
      // JSON is one of three forms that the API may answer in; the others are asked for by name.
      return unwrap(await client.GET("/api/v1/reports", { params: { query }, signal })) as Report;
    },
  });
}
