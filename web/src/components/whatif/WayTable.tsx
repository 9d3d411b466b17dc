import { Group as Row, Paper, Table, Text, useComputedColorScheme } from "@mantine/core";
import type { ReactNode } from "react";

import { baseOf, differenceOf, type Group, type Way, worstHour } from "../../lib/comparison";
import { dollars, dollarsMore, number, percentMore, points, share, stretch, whole } from "../../lib/format";
import { useZone } from "../../lib/zone";
import { LINES, LINES_DARK } from "../../theme";
import { ShapeMark } from "./Shape";

const HEADS = ["Policy", "Met the SLO", "Worst hour", "Cost", "GPU-hours", "Scaled up / down", "Requests"];

/** Less than a hundredth of a point is not seen. */
const isSame = (attainment: number | null) => attainment !== null && Math.abs(attainment) < 0.00005;
/** Beyond it no hour is worse than the others. */
const PERFECT = 0.99995;

/** Every way in numbers, and what each is against the live policy by the same method. */
export function WayTable({ group }: { group: Group }) {
  const palette = useComputedColorScheme("light") === "dark" ? LINES_DARK : LINES;
  return (
    <Paper withBorder style={{ overflowX: "auto" }} tabIndex={0} role="region" aria-label="Results">
      <Table verticalSpacing={6} horizontalSpacing="md" miw={860} className="numbers">
        <Table.Thead>
          <Table.Tr>
            {HEADS.map((head) => (
              <Table.Th key={head}>{head}</Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {group.ways.map((way, i) => (
            <WayRow key={way.key} way={way} group={group} mark={<ShapeMark place={i} colour={palette[i % palette.length] as string} />} />
          ))}
        </Table.Tbody>
      </Table>
    </Paper>
  );
}

function WayRow({ way, group, mark }: { way: Way; group: Group; mark: ReactNode }) {
  const zone = useZone();
  const { run } = way;
  const more = way.kind === "other" ? differenceOf(run, baseOf(group).run) : null;
  const worst = worstHour(run.timeline, group.since_s, group.until_s);
  return (
    <Table.Tr data-testid="way-row">
      <Table.Th scope="row">
        <Row gap={6} wrap="nowrap">
          {mark}
          <Text size="sm" fw={way.kind === "other" ? 500 : 600}>
            {way.name}
          </Text>
        </Row>
      </Table.Th>
      <Cell under={more && (isSame(more.attainment) ? "the same" : points(more.attainment))}>{share(run.attainment, 2)}</Cell>
      <Cell under={worst && worst.attainment < PERFECT && stretch(worst.at, worst.until, zone)}>{share(worst?.attainment, 2)}</Cell>
      <Cell under={more && `${dollarsMore(more.usd)} (${percentMore(more.usdShare)})`}>{dollars(run.cost_usd)}</Cell>
      <Cell under={more && `${more.gpuHours < 0 ? "−" : "+"}${number(Math.abs(more.gpuHours))}`}>{number(run.gpu_hours)}</Cell>
      <Cell>
        {run.scale_ups} / {run.scale_downs}
      </Cell>
      <Cell>{whole(run.requests)}</Cell>
    </Table.Tr>
  );
}

/** A number, and under it what it is against the live policy. */
function Cell({ children, under }: { children: ReactNode; under?: ReactNode }) {
  return (
    <Table.Td>
      {children}
      {under && (
        <Text size="xs" c="dimmed" style={{ whiteSpace: "nowrap" }}>
          {under}
        </Text>
      )}
    </Table.Td>
  );
}
