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

/** Desired, ready and pending of every variant in turn. */
export function replicaColumns(series: TargetSeries): Columns {
  return [series.at_s, ...series.variants.flatMap((v) => [v.desired, v.ready, v.pending])];
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

/** Forecasts are of minutes' means: single decisions see noise that no forecast is of. */
const MINUTE_S = 60;

/** The load by minute, of those minutes that were seen. */
function byMinute(series: TargetSeries): { minute: number[]; mean: number[] } {
  const [minute, mean, counts]: [number[], number[], number[]] = [[], [], []];
  series.at_s.forEach((at, i) => {
    const value = series.requests_per_s[i];
    if (value == null) return;
    const [here, last] = [Math.floor(at / MINUTE_S), minute.length - 1];
    if (minute[last] !== here) {
      minute.push(here);
      mean.push(value);
      counts.push(1);
      return;
    }
    const count = (counts[last] as number) + 1;
    counts[last] = count;
    mean[last] = (mean[last] as number) + (value - (mean[last] as number)) / count;
  });
  return { minute, mean };
}

/** How often the highest minute of what came lay within p10 to p90 of its forecast, which is of the peak of the time up to its horizon. */
export function forecastHeld(series: TargetSeries): { within: number; above: number; of: number } | null {
  const times = series.at_s;
  const last = times[times.length - 1];
  if (last === undefined) return null;
  const found = { within: 0, above: 0, of: 0 };
  const { minute, mean } = byMinute(series);
  const peaks = new SlidingPeak(mean);
  let [begin, end] = [0, 0];
  times.forEach((at, i) => {
    const until = series.forecast_at_s[i];
    const [low, high] = [series.forecast_p10[i], series.forecast_p90[i]];
    if (until == null || low == null || high == null || until > last) return;
    while (end < minute.length && (minute[end] as number) <= Math.floor(until / MINUTE_S)) peaks.push(end++);
    while (begin < minute.length && (minute[begin] as number) <= Math.floor(at / MINUTE_S)) begin++;
    const peak = peaks.since(begin);
    if (peak === null) return;
    found.of += 1;
    if (peak > high) found.above += 1;
    else if (peak >= low) found.within += 1;
  });
  return found.of > 0 ? found : null;
}

/** The largest of a window whose ends only move on: the places that may still become it, largest first. */
class SlidingPeak {
  private kept: number[] = [];
  constructor(private readonly values: Column) {}

  push(place: number): void {
    const value = this.values[place];
    if (value == null) return;
    while (this.kept.length && (this.values[this.kept[this.kept.length - 1] as number] as number) <= value) this.kept.pop();
    this.kept.push(place);
  }

  since(place: number): number | null {
    while (this.kept.length && (this.kept[0] as number) < place) this.kept.shift();
    return this.kept.length ? (this.values[this.kept[0] as number] as number) : null;
  }
}

/** The share of prefill among the ready replicas with a role, over time. Null where roles are not split. */
export function prefillShare(series: TargetSeries): Columns | null {
  const of = (role: string) => series.variants.filter((v) => v.role === role);
  const [prefill, decode] = [of("Prefill"), of("Decode")];
  if (prefill.length === 0 || decode.length === 0) return null;
  const sum = (members: typeof prefill, i: number) =>
    members.reduce<number | null>((all, v) => (all === null || v.ready[i] == null ? null : all + v.ready[i]), 0);
  const shares = series.at_s.map((_, i) => {
    const [p, d] = [sum(prefill, i), sum(decode, i)];
    return p === null || d === null || p + d === 0 ? null : p / (p + d);
  });
  return [series.at_s, shares];
}
