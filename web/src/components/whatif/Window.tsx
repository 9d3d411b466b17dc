import { Select, Skeleton, Stack, Text } from "@mantine/core";
import { lazy, Suspense, useMemo } from "react";

import type { TargetSeries } from "../../api/client";
import { useFleet, useSeries } from "../../api/hooks";
import { useLive } from "../../api/live";
import { keyOf } from "../../lib/fleet";
import { number, seconds, stretch, whole } from "../../lib/format";
import { stretchOf, type TargetSearch } from "../../lib/search";
import type { Columns } from "../../lib/series";
import type { WhatIfSearch } from "../../lib/whatIfSearch";
import { recordedWithin, requestsOf } from "../../lib/window";
import { useZone } from "../../lib/zone";
import { Problem } from "../states";
import { TimeRange } from "../target/TimeRange";

const Chart = lazy(() => import("../target/Chart"));
const perSecond = (value: number | null) => number(value, value !== null && value < 10 ? 1 : 0);

type Props = { search: WhatIfSearch; target: string; set: (change: Partial<WhatIfSearch>) => void };

/** Which target, and which stretch of its past: its load is drawn, and a drag over it picks a part. */
export function Window({ search, target, set }: Props) {
  const targets = (useFleet().data?.targets ?? []).map(keyOf);
  return (
    <Stack gap="sm">
      <Select
        label="Target"
        searchable
        allowDeselect={false}
        maw={360}
        data={targets.length > 0 ? targets : [target]}
        value={target}
        onChange={(value) => value && set({ target: value, versions: undefined, change: {} })}
      />
      <TimeRange search={{ ...search, verdict: "all" } satisfies TargetSearch} set={({ range, from, to }) => set({ ...(range ? { range } : {}), from, to })} />
    </Stack>
  );
}

/** The part of a stretch that was recorded, and the load in it. */
export function useWindow(target: string, search: WhatIfSearch) {
  const { nowS } = useLive();
  const [namespace, name] = target.split("/") as [string, string];
  const asked: TargetSearch = { ...search, verdict: "all" };
  const series = useSeries(namespace, name, asked, nowS);
  const wanted = stretchOf(asked, nowS());
  const found = series.data && wanted ? recordedWithin(series.data.at_s, wanted) : null;
  return { series, found, wanted };
}

export function Preview({ of, set }: { of: ReturnType<typeof useWindow>; set: Props["set"] }) {
  const zone = useZone();
  const { series, found, wanted } = of;
  if (series.error && !series.data) return <Problem error={series.error} retry={series.refetch} />;
  if (!series.data) return <Skeleton h={290} />;
  if (found === null) {
    return (
      <Text size="sm" mih={290} c="dimmed">
        Nothing was recorded in this stretch of time: pick another one.
      </Text>
    );
  }
  const part = wanted !== null && found.to - found.from < 0.9 * (wanted.to - wanted.from);
  return (
    <Stack gap={4}>
      <Load series={series.data} set={set} />
      <Text size="sm" data-testid="window">
        {part ? `Only a part of it was recorded: ${stretch(found.from, found.to, zone)}` : stretch(found.from, found.to, zone)} ({seconds(found.to - found.from)}), about{" "}
        {whole(requestsOf(series.data, found))} requests.
      </Text>
    </Stack>
  );
}

function Load({ series, set }: { series: TargetSeries; set: Props["set"] }) {
  const data = useMemo(() => [series.at_s, series.requests_per_s] as Columns, [series]);
  return (
    <Suspense fallback={<Skeleton h={270} />}>
      <Chart
        title="Load"
        caption="Drag to pick a part."
        data={data}
        lines={[{ label: "requests/s", colour: 0 }]}
        format={perSecond}
        onZoom={({ from, to }) => set({ from, to })}
      />
    </Suspense>
  );
}
