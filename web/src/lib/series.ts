import type { TargetSeries, Verdict } from "../api/client";

export type Column = (number | null)[];
/** x in unix seconds, then one column a line: uPlot's form. */
export type Columns = [number[], ...Column[]];

/** Observed, planned, and the forecast (p10, p50, p90) at the time that it was of. */
export function demandColumns(series: TargetSeries): Columns {
  const forecast = series.at_s
    .map((_, i) => ({
      at: series.forecast_at_s[i] ?? null,
      values: [series.forecast_p10[i] ?? null, series.forecast_p50[i] ?? null, series.forecast_p90[i] ?? null],
    }))
    .filter((point): point is { at: number; values: Column } => point.at !== null)
    .sort((a, b) => a.at - b.at);
  const seen = { at: series.at_s, columns: [series.requests_per_s, series.planned_requests_per_s] };
  const expected = { at: forecast.map((p) => p.at), columns: [0, 1, 2].map((i) => forecast.map((p) => p.values[i] ?? null)) };
  return merge([seen, expected]);
}

type Table = { at: number[]; columns: Column[] };

/** Several tables over one axis; null where a table has no such time. The last of equal times counts. */
export function merge(tables: Table[]): Columns {
  const axis = [...new Set(tables.flatMap((table) => table.at))].sort((a, b) => a - b);
  const place = new Map(axis.map((at, i) => [at, i]));
  const columns = tables.flatMap((table) =>
    table.columns.map((column) => {
      const spread: Column = new Array<number | null>(axis.length).fill(null);
      table.at.forEach((at, i) => {
        spread[place.get(at) as number] = column[i] ?? null;
      });
      return spread;
    }),
  );
  return [axis, ...columns];
}

/** Desired and ready of every variant in turn. */
export function replicaColumns(series: TargetSeries): Columns {
  return [series.at_s, ...series.variants.flatMap((v) => [v.desired, v.ready])];
}

export type Mark = { at: number; verdict: Verdict; tickId: string };

/** Decisions that moved something. */
export function marks(series: TargetSeries): Mark[] {
  return series.at_s
    .map((at, i) => ({ at, verdict: series.verdict[i] as Verdict, tickId: series.tick_id[i] as string }))
    .filter((mark) => mark.verdict === "up" || mark.verdict === "down");
}

/** The tick nearest to a time. */
export function nearestTick(series: TargetSeries, at: number): string | null {
  let best: number | null = null;
  series.at_s.forEach((time, i) => {
    if (best === null || Math.abs(time - at) < Math.abs((series.at_s[best] as number) - at)) best = i;
  });
  return best === null ? null : (series.tick_id[best] ?? null);
}

/** Points of a sparkline in a box of that size, as SVG polylines: one per stretch without a gap. */
export function sparkline(values: Column, width: number, height: number): string[] {
  const known = values.filter((v): v is number => v !== null);
  if (known.length < 2) return [];
  const top = Math.max(...known) || 1;
  const lines: string[][] = [[]];
  values.forEach((value, i) => {
    if (value === null) {
      lines.push([]);
      return;
    }
    const x = (i / Math.max(values.length - 1, 1)) * width;
    const y = height - 1 - (value / top) * (height - 2);
    (lines[lines.length - 1] as string[]).push(`${x.toFixed(1)},${y.toFixed(1)}`);
  });
  return lines.filter((line) => line.length > 1).map((line) => line.join(" "));
}
