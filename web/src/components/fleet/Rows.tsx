import { Card, Group, Paper, Text } from "@mantine/core";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { useLayoutEffect, useRef, useState } from "react";

import type { TargetSummary } from "../../api/client";
import { type FleetRow, keyOf } from "../../lib/fleet";
import { Variants, VerdictBadge } from "../bits";
import { Attainment, Cost, Load, reasonOf, TargetLink, Troubles } from "./cells";

const HEADS = ["Target", "Load, last hour", "Ready / desired", "Verdict and reason", "SLO met, now / day", "Cost"];
/** Pixels before a row is measured. */
const GUESS = { row: 72, card: 210, group: 37 };

type Props = { rows: FleetRow[]; narrow: boolean; nowS: number };

/** Only the rows in sight are in the page, however many there are. */
export function Rows({ rows, narrow, nowS }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    if (host.current) setTop(host.current.getBoundingClientRect().top + window.scrollY);
  }, [narrow, rows.length]);
  const seen = useWindowVirtualizer({
    count: rows.length,
    estimateSize: (i) => (rows[i]?.kind === "group" ? GUESS.group : narrow ? GUESS.card : GUESS.row),
    getItemKey: (i) => rowKey(rows[i] as FleetRow),
    overscan: 6,
    scrollMargin: top,
  });
  const list = (
    <div ref={host} role={narrow ? "list" : "rowgroup"} style={{ height: seen.getTotalSize(), position: "relative" }}>
      {seen.getVirtualItems().map((item) => (
        <div
          key={item.key}
          ref={seen.measureElement}
          data-index={item.index}
          role={narrow ? "listitem" : "row"}
          aria-rowindex={narrow ? undefined : item.index + 2}
          style={{ position: "absolute", insetInline: 0, top: 0, transform: `translateY(${item.start - top}px)` }}
        >
          <OneRow row={rows[item.index] as FleetRow} narrow={narrow} nowS={nowS} />
        </div>
      ))}
    </div>
  );
  if (narrow) return list;
  return (
    <Paper withBorder role="table" aria-label="Targets" aria-rowcount={rows.length + 1}>
      <div role="rowgroup">
        <div className="fleet-row wide head" role="row" aria-rowindex={1}>
          {HEADS.map((head) => (
            <Text key={head} size="xs" fw={600} c="dimmed" role="columnheader">
              {head}
            </Text>
          ))}
        </div>
      </div>
      {list}
    </Paper>
  );
}

const rowKey = (row: FleetRow) => (row.kind === "group" ? `group ${row.name}` : keyOf(row.target));

function OneRow({ row, narrow, nowS }: { row: FleetRow; narrow: boolean; nowS: number }) {
  if (row.kind === "group") {
    return (
      <Text fw={600} size="sm" px="sm" py="xs" role={narrow ? undefined : "cell"} aria-colspan={narrow ? undefined : HEADS.length} className="fleet-group">
        {row.name} · {row.count}
      </Text>
    );
  }
  return narrow ? <TargetCard target={row.target} nowS={nowS} /> : <TargetRow target={row.target} nowS={nowS} />;
}

type One = { target: TargetSummary; nowS: number };

function TargetRow({ target, nowS }: One) {
  return (
    <div className="fleet-row wide" data-testid="target-row" role="presentation">
      <div role="cell">
        <TargetLink target={target} />
        <Text size="xs" c="dimmed">
          {target.model} · {target.mode}
        </Text>
      </div>
      <div role="cell">
        <Load target={target} />
      </div>
      <div role="cell">
        <Variants variants={target.variants} />
      </div>
      <div role="cell">
        <VerdictBadge verdict={target.verdict} />
        <Text size="xs" c="dimmed" lineClamp={2} title={reasonOf(target)}>
          {reasonOf(target)}
        </Text>
        <Troubles target={target} nowS={nowS} />
      </div>
      <div role="cell">
        <Attainment target={target} />
      </div>
      <div role="cell">
        <Cost target={target} />
      </div>
    </div>
  );
}

function TargetCard({ target, nowS }: One) {
  return (
    <Card withBorder data-testid="target-row" mb="sm">
      <Group justify="space-between" wrap="nowrap">
        <TargetLink target={target} />
        <VerdictBadge verdict={target.verdict} />
      </Group>
      <Text size="xs" c="dimmed">
        {target.model} · {target.mode}
      </Text>
      <Group mt="xs" justify="space-between">
        <Load target={target} />
      </Group>
      <Group mt="xs" justify="space-between" align="start">
        <Attainment target={target} />
        <Cost target={target} />
      </Group>
      <Group mt="xs">
        <Variants variants={target.variants} />
      </Group>
      <Text mt="xs" size="xs" c="dimmed">
        {reasonOf(target)}
      </Text>
      <Troubles target={target} nowS={nowS} />
    </Card>
  );
}
