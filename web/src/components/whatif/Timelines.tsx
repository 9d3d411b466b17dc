import { Skeleton, Stack } from "@mantine/core";
import { lazy, Suspense, useMemo } from "react";

import { acrossWays, axisOf, type Group, mostReplicas, replicasOf, sampled, variantsOf } from "../../lib/comparison";
import { dollarsPerHour, number, share } from "../../lib/format";
import type { Columns } from "../../lib/series";
import type { ChartProps } from "../target/Chart";

const Chart = lazy(() => import("../target/Chart"));

/** Pixels: enough for steps, and as many policies as fit on a screen. */
const SHORT = 150;
const count = (value: number | null) => number(value, 0);
const perSecond = (value: number | null) => number(value, value !== null && value < 10 ? 1 : 0);

/** The load, and under it each way's replicas, cost and attainment over one axis; hover is the same time in all. */
export function Timelines({ group, goal }: { group: Group; goal?: number }) {
  const charts = useMemo(() => chartsOf(group, goal), [group, goal]);
  return (
    <Stack gap="sm">
      {charts.map((chart) => (
        <Suspense key={chart.title} fallback={<Skeleton h={(chart.height ?? 190) + 80} />}>
          <Chart {...chart} />
        </Suspense>
      ))}
    </Stack>
  );
}

function chartsOf(group: Group, goal?: number): ChartProps[] {
  const axis = axisOf(group.since_s, group.until_s);
  const variants = variantsOf(group);
  const max = mostReplicas(group) * 1.1;
  const recorded = group.ways[0]?.run.timeline;
  const across = group.ways.map((way, i) => ({ label: way.name, colour: i, steps: true, dash: way.kind === "recorded" }));
  return [
    {
      title: "Load",
      data: [axis, sampled(recorded?.at_s ?? [], recorded?.requests_per_s ?? [], axis)] as Columns,
      lines: [{ label: "requests/s", colour: 0, steps: true }],
      format: perSecond,
      height: SHORT,
    },
    ...group.ways.map(
      (way): ChartProps => ({
        title: `Replicas: ${way.name}`,
        data: replicasOf(way, variants, axis),
        lines: variants.map((name, i) => ({ label: name, colour: i, steps: true, width: 2 })),
        format: count,
        max,
        height: SHORT,
      }),
    ),
    { title: "Cost of the replicas", data: acrossWays(group, axis, (line) => line.usd_per_hour), lines: across, format: dollarsPerHour },
    {
      title: "Requests that met the SLO",
      data: acrossWays(group, axis, (line) => line.attainment),
      lines: across,
      format: (value) => share(value, 0),
      max: 1.05,
      ...(goal === undefined ? {} : { limit: { value: goal, label: `goal ${share(goal)}` } }),
    },
  ];
}
