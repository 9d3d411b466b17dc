import { SimpleGrid, Skeleton, Text } from "@mantine/core";
import { useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useMemo } from "react";

import type { TargetSeries } from "../api/client";
import { dollarsPerHour, number, seconds, share } from "../lib/format";
import { demandColumns, marks, nearestTick, replicaColumns } from "../lib/series";
import type { ChartProps } from "./Chart";

// The chart library comes with the first page that has a chart.
const Chart = lazy(() => import("./Chart"));

const perSecond = (value: number | null) => number(value, value !== null && value < 10 ? 1 : 0);
const count = (value: number | null) => number(value, 0);

export function Charts({ series }: { series: TargetSeries }) {
  const navigate = useNavigate();
  const data = useMemo(() => columns(series), [series]);
  if (series.at_s.length < 2) return <Text c="dimmed">No decision in this range yet.</Text>;
  const open = (at: number) => {
    const id = nearestTick(series, at);
    if (id !== null) void navigate({ to: "/ticks/$id", params: { id } } as never);
  };
  return (
    <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="sm">
      {charts(series, data).map((chart) => (
        <Suspense key={chart.title} fallback={<Skeleton h={262} />}>
          <Chart {...chart} onPick={open} />
        </Suspense>
      ))}
    </SimpleGrid>
  );
}

type Data = ReturnType<typeof columns>;

function columns(series: TargetSeries) {
  return {
    demand: demandColumns(series),
    replicas: replicaColumns(series),
    queue: [series.at_s, series.waiting, series.running] as ChartProps["data"],
    kv: [series.at_s, series.kv_usage] as ChartProps["data"],
    ttft: [series.at_s, series.ttft_p50_s, series.ttft_p99_s] as ChartProps["data"],
    tpot: [series.at_s, series.tpot_p50_s, series.tpot_p99_s] as ChartProps["data"],
    attainment: [series.at_s, series.attainment] as ChartProps["data"],
    cost: [series.at_s, series.usd_per_hour] as ChartProps["data"],
    marks: marks(series),
  };
}

function charts(series: TargetSeries, data: Data): ChartProps[] {
  const latency = (title: string, columns: ChartProps["data"], limit: number, caption: string): ChartProps => ({
    title,
    caption,
    data: columns,
    lines: [
      { label: "p50", colour: 0 },
      { label: "p99", colour: 1 },
    ],
    format: seconds,
    limit: { value: limit, label: `SLO ${seconds(limit)}` },
  });
  return [
    {
      title: "Demand, requests/s",
      caption: "The forecast (p10 to p90 of the peak of its window) is drawn at the end of the window that it is of.",
      data: data.demand,
      lines: [
        { label: "observed", colour: 0, spanGaps: true, width: 2 },
        { label: "planned for", colour: 1, spanGaps: true },
        { label: "p10", colour: 5, spanGaps: true, width: 0.5 },
        { label: "p50", colour: 5, spanGaps: true, dash: true, width: 1 },
        { label: "p90", colour: 5, spanGaps: true, width: 0.5 },
      ],
      band: [4, 2],
      format: perSecond,
    },
    {
      title: "Replicas",
      caption: "Dashed: desired. Solid: ready. Triangles are decisions; click to open one.",
      data: data.replicas,
      lines: series.variants.flatMap((v, i) => [
        { label: `${v.name} desired`, colour: i, steps: true, dash: true },
        { label: `${v.name} ready`, colour: i, steps: true, width: 2 },
      ]),
      format: count,
      marks: data.marks,
    },
    latency("TTFT", data.ttft, series.slo.ttft_s, "Of the slowest variant that reads prompts."),
    latency("TPOT", data.tpot, series.slo.tpot_s, "Of the slowest variant that writes answers."),
    {
      title: "Requests in the engines",
      data: data.queue,
      lines: [
        { label: "waiting", colour: 1 },
        { label: "running", colour: 0 },
      ],
      format: count,
    },
    {
      title: "KV cache in use",
      caption: "Of the fullest variant.",
      data: data.kv,
      lines: [{ label: "mean of its replicas", colour: 2 }],
      format: (value) => share(value, 0),
      max: 1,
    },
    {
      title: "Requests that met the SLO",
      data: data.attainment,
      lines: [{ label: "within TTFT and TPOT", colour: 2 }],
      format: (value) => share(value, 0),
      limit: { value: series.slo.attainment, label: `goal ${share(series.slo.attainment)}` },
      max: 1.05,
    },
    {
      title: "Cost",
      data: data.cost,
      lines: [{ label: "of the replicas that exist", colour: 3, steps: true }],
      format: dollarsPerHour,
    },
  ];
}
