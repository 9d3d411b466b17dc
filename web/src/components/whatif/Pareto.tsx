import { Box, Group as Row, Paper, Text, useComputedColorScheme } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";

import type { Group, Way } from "../../lib/comparison";
import { dollars, share } from "../../lib/format";
import { boxOf, frontier, LINE, placed, type Point, ranged, spotsOf, ticks } from "../../lib/pareto";
import { LINES, LINES_DARK } from "../../theme";
import { Shape, ShapeMark } from "./Shape";

const HEIGHT = 320;
const PAD = { left: 62, right: 16, top: 26, bottom: 40 };

/** Cost against attainment: one mark a way, told apart by shape and colour, and named. Upper left is best. */
export function Pareto({ group, goal }: { group: Group; goal?: number }) {
  const { ref, width } = useElementSize();
  const palette = useComputedColorScheme("light") === "dark" ? LINES_DARK : LINES;
  const known = marksOf(group);
  const unknown = group.ways.filter((way) => way.run.attainment === null);
  return (
    <Paper withBorder p="sm" component="section" aria-label="Cost against attainment" miw={0}>
      <Row justify="space-between" gap="xs" align="baseline">
        <Text fw={600} size="sm" component="h3" m={0}>
          Cost against attainment
        </Text>
        <Text size="xs" c="dimmed">
          Upper left is better. The line joins those that no other beats in both.
        </Text>
      </Row>
      <Box ref={ref} mih={HEIGHT}>
        {width > 0 && known.length > 0 && <Plot ways={known} width={width} palette={palette} goal={goal} />}
      </Box>
      {width > 0 && width < ROOM && <Legend ways={known} palette={palette} />}
      {unknown.length > 0 && (
        <Text size="xs" c="dimmed">
          Not drawn, since no request finished: {unknown.map((way) => way.name).join(", ")}.
        </Text>
      )}
    </Paper>
  );
}

/** On a narrower plot names would lie over one another: they stand below it. */
const ROOM = 560;

type PlotProps = { ways: Known[]; width: number; palette: string[]; goal?: number };
/** A way with a known attainment, and its place in the group: its shape and colour everywhere. */
type Known = Way & { place: number; run: { attainment: number } };

export const marksOf = (group: Group): Known[] =>
  group.ways.map((way, place) => ({ ...way, place })).filter((way): way is Known => way.run.attainment !== null);

const pointsOf = (ways: Known[]): Point[] =>
  ways.map((way) => ({ key: way.key, name: way.name, usd: Number(way.run.cost_usd), attainment: way.run.attainment }));

export function Plot({ ways, width, palette, goal }: PlotProps) {
  const named = width >= ROOM;
  const points = pointsOf(ways);
  const placeOf = (i: number) => (ways[i] as Known).place;
  const xs = ranged(points.map((p) => p.usd), 0.02 * Math.max(...points.map((p) => p.usd), 0.01), 0);
  const ys = ranged([...points.map((p) => p.attainment), ...(goal === undefined ? [] : [goal])], 0.002, 0, 1.0005);
  const inner = { width: width - PAD.left - PAD.right, height: HEIGHT - PAD.top - PAD.bottom };
  const x = (usd: number) => PAD.left + ((usd - xs[0]) / (xs[1] - xs[0])) * inner.width;
  const y = (met: number) => PAD.top + (1 - (met - ys[0]) / (ys[1] - ys[0])) * inner.height;
  // What happened was not played by the same means: it is drawn, and beats nobody.
  const best = frontier(points.filter((p) => p.key !== "recorded"));
  const spots = spotsOf(points.map((p) => ({ x: x(p.usd), y: y(p.attainment), name: p.name })));
  const aim = goal === undefined ? null : { words: `goal ${share(goal)}`, at: { x: width - PAD.right, y: y(goal) + 13, anchor: "end" as const } };
  const labels = placed(spots, { width, height: HEIGHT - PAD.bottom }, aim ? [boxOf(aim.at, [aim.words])] : []);
  const marks = { x: ticks(xs, Math.max(2, Math.floor(inner.width / 90))), y: ticks(ys, 5).filter((met) => met <= 1) };
  const digits = digitsOf(marks.y);
  return (
    <svg width={width} height={HEIGHT} role="img" aria-label={told(points)} style={{ display: "block" }} className="pareto">
      {marks.x.map((usd) => (
        <g key={usd}>
          <line className="grid" x1={x(usd)} x2={x(usd)} y1={PAD.top} y2={PAD.top + inner.height} />
          <text x={x(usd)} y={HEIGHT - PAD.bottom + 16} textAnchor="middle">
            {dollars(usd)}
          </text>
        </g>
      ))}
      {marks.y.map((met) => (
        <g key={met}>
          <line className="grid" x1={PAD.left} x2={width - PAD.right} y1={y(met)} y2={y(met)} />
          <text x={PAD.left - 6} y={y(met) + 4} textAnchor="end">
            {share(met, digits)}
          </text>
        </g>
      ))}
      <text x={PAD.left + inner.width / 2} y={HEIGHT - 6} textAnchor="middle">
        cost of the window
      </text>
      {goal !== undefined && aim && (
        <g>
          <line className="goal" x1={PAD.left} x2={width - PAD.right} y1={y(goal)} y2={y(goal)} />
          <text x={aim.at.x} y={aim.at.y} textAnchor={aim.at.anchor}>
            {aim.words}
          </text>
        </g>
      )}
      <polyline className="frontier" points={best.map((p) => `${x(p.usd)},${y(p.attainment)}`).join(" ")} />
      {points.map((point, i) => (
        <g key={point.key} data-testid="pareto-point">
          <Shape place={placeOf(i)} colour={palette[placeOf(i) % palette.length] as string} x={x(point.usd)} y={y(point.attainment)} />
          <title>
            {point.name}: {dollars(point.usd)}, {share(point.attainment, 2)} met the SLO
          </title>
        </g>
      ))}
      {named && spots.map(({ names }, i) => (
        <text key={names.join()} className="name" y={labels[i]?.y} textAnchor={labels[i]?.anchor}>
          {names.map((name, line) => (
            <tspan key={name} x={labels[i]?.x} dy={line === 0 ? 0 : LINE}>
              {name}
            </tspan>
          ))}
        </text>
      ))}
    </svg>
  );
}

function Legend({ ways, palette }: { ways: Known[]; palette: string[] }) {
  return (
    <Row gap="xs">
      {ways.map((way) => (
        <Row key={way.key} gap={4} wrap="nowrap">
          <ShapeMark place={way.place} colour={palette[way.place % palette.length] as string} />
          <Text size="xs">{way.name}</Text>
        </Row>
      ))}
    </Row>
  );
}

/** As many digits as tell the marks of an axis apart. */
const digitsOf = (marks: number[]) => {
  const step = marks.length > 1 ? ((marks[1] as number) - (marks[0] as number)) * 100 : 1;
  return step >= 1 ? 0 : step >= 0.1 ? 1 : 2;
};

const told = (points: Point[]) => points.map((p) => `${p.name}: ${dollars(p.usd)}, ${share(p.attainment, 2)} met the SLO`).join("; ");
