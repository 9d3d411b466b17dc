import { SimpleGrid, Skeleton, Text } from "@mantine/core";
import { useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useMemo } from "react";

import type { TargetSeries } from "../../api/client";
import { dollarsPerHour, number, seconds, share } from "../../lib/format";
import type { Stretch } from "../../lib/search";
import { type Columns, demandColumns, forecastHeld, marks, nearestTick, prefillShare, replicaColumns } from "../../lib/series";
import type { ChartProps } from "./Chart";

// The chart library comes with the first page that has a chart.
const Chart = lazy(() => import("./Chart"));

const perSecond = (value: number | null) => number(value, value !== null && value < 10 ? 1 : 0);
const count = (value: number | null) => number(value, 0);

type Props = { series: TargetSeries; onZoom: (stretch: Stretch) => void };

export function Charts({ series, onZoom }: Props) {
  const navigate = useNavigate();
  const data = useMemo(() => columns(series), [series]);
  if (series.at_s.length < 2) return <Text c="dimmed">Fewer than two decisions in this stretch of time: nothing to draw.</Text>;
  const open = (at: number) => {
    const id = nearestTick(series, at);
    if (id !== null) void navigate({ to: "/ticks/$id", params: { id } } as never);
  };
  return (
    <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="sm">
      {charts(series, data).map((chart) => (
        <Suspense key={chart.title} fallback={<Skeleton h={300} />}>
          <Chart {...chart} onPick={open} onZoom={onZoom} />
        </Suspense>
      ))}
    </SimpleGrid>
  );
}

/** How the forecasts of this stretch held, in words. */
function heldWords(series: TargetSeries): string {
  const held = forecastHeld(series);
  if (held === null) return "None of these forecasts has come due yet.";
  return `Of ${held.of} that came due, ${share(held.within / held.of, 0)} held (80 % should) and ${share(held.above / held.of, 0)} were passed.`;
}

type Data = ReturnType<typeof columns>;

function columns(series: TargetSeries) {
  return {
    demand: demandColumns(series),
    replicas: replicaColumns(series),
    queue: [series.at_s, series.waiting, series.running] as Columns,
    kv: [series.at_s, series.kv_usage] as Columns,
    ttft: [series.at_s, series.ttft_p50_s, series.ttft_p99_s] as Columns,
    tpot: [series.at_s, series.tpot_p50_s, series.tpot_p99_s] as Columns,
    attainment: [series.at_s, series.attainment] as Columns,
    cost: [series.at_s, series.usd_per_hour] as Columns,
    coldStarts: [series.at_s, ...series.variants.map((v) => v.cold_start_s)] as Columns,
    balance: prefillShare(series),
    held: heldWords(series),
    marks: marks(series),
  };
}

function charts(series: TargetSeries, data: Data): ChartProps[] {
  const latency = (title: string, columns: Columns, limit: number, caption: string): ChartProps => ({
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
      caption: `Band: the expected peak, p10 to p90, at the end of its window. ${data.held}`,
      data: data.demand,
      lines: [
        { label: "observed", colour: 0, spanGaps: true, width: 2 },
        { label: "planned for", colour: 1, spanGaps: true },
        { label: "p10", colour: 5, spanGaps: true, width: 0.5, quiet: true },
        { label: "p50", colour: 5, spanGaps: true, dash: true, width: 1, quiet: true },
        { label: "p90", colour: 5, spanGaps: true, width: 0.5, quiet: true },
      ],
      band: [4, 2],
      format: perSecond,
    },
    {
      title: "Replicas",
      caption: "Dashed: desired. Solid: ready. Thin: pending. Triangles are decisions that moved something; click to open one, drag to zoom.",
      data: data.replicas,
      lines: series.variants.flatMap((v, i) => [
        { label: `${v.name} desired`, colour: i, steps: true, dash: true, quiet: true },
        { label: `${v.name} ready`, colour: i, steps: true, width: 2 },
        { label: `${v.name} pending`, colour: i, steps: true, width: 0.7, quiet: true },
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
      marks: data.marks,
    },
    {
      title: "Cold start, p90",
      caption: "From the wish for a replica to Ready, as it was planned with.",
      data: data.coldStarts,
      lines: series.variants.map((v, i) => ({ label: v.name, colour: i, steps: true })),
      format: seconds,
    },
    ...(data.balance === null ? [] : [balance(data.balance)]),
  ];
}

function balance(data: Columns): ChartProps {
  return {
    title: "Balance of prefill and decode",
    caption: "Prefill's share of the ready replicas that have a role.",
    data,
    lines: [{ label: "prefill", colour: 0, steps: true }],
    format: (value) => share(value, 0),
    max: 1,
  };
}
