import "uplot/dist/uPlot.min.css";

import { Box, Group, Paper, Text, useComputedColorScheme } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";
import { useEffect, useMemo, useRef } from "react";
import uPlot from "uplot";

import type { Columns, Mark } from "../lib/series";
import { LINES, LINES_DARK } from "../theme";

export type Line = {
  label: string;
  /** Place in the palette. */
  colour: number;
  dash?: boolean;
  steps?: boolean;
  width?: number;
  /** Draw across times that this line has no point at: for lines that share an axis with another's times. */
  spanGaps?: boolean;
  points?: boolean;
};

export type ChartProps = {
  title: string;
  caption?: string;
  data: Columns;
  lines: Line[];
  format: (value: number | null) => string;
  /** A limit drawn across, e.g. the SLO. */
  limit?: { value: number; label: string };
  /** Fill between two lines (places in `lines`): upper, lower. */
  band?: [number, number];
  marks?: Mark[];
  onPick?: (at: number) => void;
  max?: number;
};

const HEIGHT = 190;

/** A time series; the cursor is shared by all charts of a page. */
export default function Chart(props: ChartProps) {
  const { title, caption, data, lines, format, onPick } = props;
  const { ref: box, width } = useElementSize();
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const scheme = useComputedColorScheme("light");
  const palette = scheme === "dark" ? LINES_DARK : LINES;
  const pick = useRef(onPick);
  pick.current = onPick;
  const shape = JSON.stringify([lines, props.limit, props.band, props.max]);

  const options = useMemo(
    () => optionsOf(props, palette, scheme === "dark", pick),
    // Lines are described by value: a new array of the same lines is no reason to draw anew.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [shape, scheme, format],
  );

  const marks = useRef(props.marks);
  marks.current = props.marks;

  useEffect(() => {
    if (host.current === null || width === 0) return;
    const made = new uPlot({ ...options(() => marks.current ?? []), width, height: HEIGHT }, data as uPlot.AlignedData, host.current);
    plot.current = made;
    return () => {
      made.destroy();
      plot.current = null;
    };
    // Data and width follow by the effects below, without drawing anew.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [options, width === 0]);

  useEffect(() => {
    if (width > 0) plot.current?.setSize({ width, height: HEIGHT });
  }, [width]);

  useEffect(() => {
    plot.current?.setData(data as uPlot.AlignedData);
  }, [data]);

  return (
    <Paper withBorder p="sm" component="section" aria-label={title}>
      <Group justify="space-between" gap="xs" align="baseline">
        <Text fw={600} size="sm">
          {title}
        </Text>
        <Group gap="sm">
          {lines.map((line) => (
            <Group key={line.label} gap={4} wrap="nowrap">
              <Box w={14} h={0} style={{ borderTop: `2px ${line.dash ? "dashed" : "solid"} ${palette[line.colour % palette.length]}` }} />
              <Text size="xs" c="dimmed">
                {line.label}
              </Text>
            </Group>
          ))}
          {props.limit && (
            <Text size="xs" c="dimmed">
              ┄ {props.limit.label}
            </Text>
          )}
        </Group>
      </Group>
      {caption && (
        <Text size="xs" c="dimmed">
          {caption}
        </Text>
      )}
      <Box ref={box} mih={HEIGHT + 28} style={{ cursor: onPick ? "pointer" : undefined }}>
        <div ref={host} />
      </Box>
    </Paper>
  );
}

type Picked = { current: ((at: number) => void) | undefined };

function optionsOf(props: ChartProps, palette: string[], dark: boolean, pick: Picked) {
  const ink = dark ? "#c1c2c5" : "#495057";
  const grid = { stroke: dark ? "#2c2e33" : "#e9ecef", width: 1 };
  const axis = { stroke: ink, grid, ticks: grid, font: "11px system-ui" };
  const { lines, format, limit, band } = props;
  const stepped = uPlot.paths.stepped?.({ align: 1 });
  return (marks: () => Mark[]): Omit<uPlot.Options, "width" | "height"> => ({
    cursor: { sync: { key: "target", scales: ["x", null] }, drag: { x: false, y: false } },
    legend: { show: true, live: true, markers: { show: false } },
    scales: { x: { time: true }, y: { range: (_, __, high) => [0, props.max ?? Math.max(high * 1.1, limit ? limit.value * 1.1 : 0, 1e-6)] } },
    axes: [axis, { ...axis, size: 62, values: (_, ticks) => ticks.map((tick) => format(tick)) }],
    series: [
      { label: "time" },
      ...lines.map(
        (line): uPlot.Series => ({
          label: line.label,
          stroke: palette[line.colour % palette.length],
          width: line.width ?? 1.5,
          dash: line.dash ? [6, 4] : undefined,
          paths: line.steps ? stepped : undefined,
          spanGaps: line.spanGaps ?? false,
          points: { show: line.points ?? false },
          value: (_, value) => format(value),
        }),
      ),
    ],
    bands: band ? [{ series: [band[0] + 1, band[1] + 1], fill: dark ? "rgba(86,180,233,.18)" : "rgba(0,114,178,.14)" }] : [],
    hooks: {
      ready: [
        (u) => {
          u.over.addEventListener("click", () => {
            const at = u.posToVal(u.cursor.left ?? 0, "x");
            pick.current?.(at);
          });
        },
      ],
      draw: [
        (u) => {
          drawMarks(u, marks(), palette);
          if (limit) drawLimit(u, limit.value, ink);
        },
      ],
    },
  });
}

function drawLimit(u: uPlot, value: number, ink: string) {
  const y = u.valToPos(value, "y", true);
  stroke(u, ink, [3, 4], [u.bbox.left, y], [u.bbox.left + u.bbox.width, y]);
}

function drawMarks(u: uPlot, marks: Mark[], palette: string[]) {
  for (const mark of marks) {
    const x = u.valToPos(mark.at, "x", true);
    if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) continue;
    const colour = palette[mark.verdict === "up" ? 1 : 2] as string;
    const size = 5 * devicePixelRatio;
    const [tip, foot] = mark.verdict === "up" ? [u.bbox.top, u.bbox.top + size * 1.6] : [u.bbox.top + size * 1.6, u.bbox.top];
    u.ctx.save();
    u.ctx.fillStyle = colour;
    u.ctx.beginPath();
    u.ctx.moveTo(x, tip);
    u.ctx.lineTo(x - size, foot);
    u.ctx.lineTo(x + size, foot);
    u.ctx.fill();
    u.ctx.restore();
  }
}

function stroke(u: uPlot, colour: string, dash: number[], from: [number, number], to: [number, number]) {
  u.ctx.save();
  u.ctx.strokeStyle = colour;
  u.ctx.setLineDash(dash);
  u.ctx.beginPath();
  u.ctx.moveTo(...from);
  u.ctx.lineTo(...to);
  u.ctx.stroke();
  u.ctx.restore();
}
