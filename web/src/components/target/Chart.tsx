import "uplot/dist/uPlot.min.css";

import { Box, Group, Paper, Text, useComputedColorScheme } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";
import { useEffect, useMemo, useRef } from "react";
import uPlot from "uplot";

import type { Stretch } from "../../lib/search";
import { useZone, type Zone } from "../../lib/zone";
import type { Columns, Mark } from "../../lib/series";
import { LINES, LINES_DARK } from "../../theme";
import { drawLimit, drawMarks } from "./ink";

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
  /** Part of a band, which has a name by its middle line. */
  quiet?: boolean;
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
  onZoom?: (stretch: Stretch) => void;
  max?: number;
  /** Pixels; shorter where many charts stand under one another. */
  height?: number;
};

const HEIGHT = 190;

/** A time series; the cursor is shared by all charts of a page. */
export default function Chart(props: ChartProps) {
  const { title, caption, data, lines, format, onPick, onZoom, height = HEIGHT } = props;
  const { ref: box, width } = useElementSize();
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const scheme = useComputedColorScheme("light");
  const palette = scheme === "dark" ? LINES_DARK : LINES;
  const zone = useZone();
  const hands = useRef<Hands>({ onPick, onZoom });
  hands.current = { onPick, onZoom };
  const shape = JSON.stringify([lines, props.limit, props.band, props.max]);

  const options = useMemo(
    () => optionsOf(props, palette, scheme === "dark", zone, hands),
    // Lines are described by value: a new array of the same lines is no reason to draw anew.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [shape, scheme, format, zone],
  );

  const marks = useRef(props.marks);
  marks.current = props.marks;

  useEffect(() => {
    if (host.current === null || width === 0) return;
    const made = new uPlot({ ...options(() => marks.current ?? []), width, height }, data as uPlot.AlignedData, host.current);
    plot.current = made;
    return () => {
      made.destroy();
      plot.current = null;
    };
    // Data and width follow by the effects below, without drawing anew.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [options, width === 0]);

  useEffect(() => {
    if (width > 0) plot.current?.setSize({ width, height });
  }, [width, height]);

  useEffect(() => {
    plot.current?.setData(data as uPlot.AlignedData);
  }, [data]);

  return (
    <Paper withBorder p="sm" component="section" aria-label={title} miw={0}>
      <Group justify="space-between" gap="xs" align="baseline">
        <Text fw={600} size="sm" component="h3" m={0}>
          {title}
        </Text>
        <Group gap="sm">
          {lines.filter((line) => !line.quiet).map((line) => (
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
      <Box ref={box} mih={height + 38} style={{ cursor: onPick ? "pointer" : undefined }}>
        <div ref={host} />
      </Box>
    </Paper>
  );
}

type Hands = Pick<ChartProps, "onPick" | "onZoom">;

/** Only where the mouse is goes to the other charts: a click or a drag is one chart's own. */
const hoverAlone = (type: string) => type === "mousemove" || type === "mouseleave";
/** Pixels: a shorter drag is a click that slipped. */
const SLIP = 6;

function optionsOf(props: ChartProps, palette: string[], dark: boolean, zone: Zone, hands: { current: Hands }) {
  const ink = dark ? "#c1c2c5" : "#495057";
  const grid = { stroke: dark ? "#2c2e33" : "#e9ecef", width: 1 };
  const axis = { stroke: ink, grid, ticks: grid, font: "11px system-ui" };
  const { lines, format, limit, band } = props;
  const stepped = uPlot.paths.stepped?.({ align: 1 });
  return (marks: () => Mark[]): Omit<uPlot.Options, "width" | "height"> => ({
    cursor: { sync: { key: "target", scales: ["x", null], filters: { pub: hoverAlone } }, drag: { x: true, y: false, setScale: false, dist: SLIP } },
    tzDate: (atS) => (zone === "utc" ? uPlot.tzDate(new Date(atS * 1000), "Etc/UTC") : new Date(atS * 1000)),
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
            hands.current.onPick?.(at);
          });
        },
      ],
      setSelect: [
        (u) => {
          const { left, width } = u.select;
          if (width < SLIP) return;
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          hands.current.onZoom?.({ from: Math.floor(u.posToVal(left, "x")), to: Math.ceil(u.posToVal(left + width, "x")) });
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
