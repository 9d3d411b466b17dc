import { Paper, Text } from "@mantine/core";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { memo, useLayoutEffect, useRef, useState } from "react";

import type { TargetSummary } from "../../api/client";
import { type FleetRow, isLate, keyOf } from "../../lib/fleet";
import { dollarsPerHour } from "../../lib/format";
import { Attainment, Cost, Load, reasonOf, Replicas, TargetLink, Troubles, VerdictPill } from "./cells";

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
          className="fleet-slot"
          style={{ transform: `translateY(${item.start - top}px)` }}
        >
          <OneRow row={rows[item.index] as FleetRow} narrow={narrow} late={isLateRow(rows[item.index] as FleetRow, nowS)} nowS={nowS} />
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

const isLateRow = (row: FleetRow, nowS: number) => row.kind === "target" && isLate(row.target, nowS);

type RowProps = { row: FleetRow; narrow: boolean; late: boolean; nowS: number };

/** Drawn anew only when its target did change: scrolling and the clock leave it as it is. */
const OneRow = memo(
  function OneRow({ row, narrow, nowS }: RowProps) {
    if (row.kind === "group") {
      return (
        <div role={narrow ? undefined : "cell"} aria-colspan={narrow ? undefined : HEADS.length} className="fleet-group">
          {row.name} · {row.count} {row.count === 1 ? "target" : "targets"}
          {row.faults > 0 && `, ${row.faults} with faults`} · {dollarsPerHour(row.usdPerHour)}
        </div>
      );
    }
    return narrow ? <TargetCard target={row.target} nowS={nowS} /> : <TargetRow target={row.target} nowS={nowS} />;
  },
  (a, b) => a.narrow === b.narrow && a.late === b.late && sameRow(a.row, b.row),
);

const sameRow = (a: FleetRow, b: FleetRow) =>
  a.kind === "target" ? b.kind === "target" && a.target === b.target : b.kind === "group" && a.name === b.name && a.count === b.count && a.faults === b.faults && a.usdPerHour === b.usdPerHour;

type One = { target: TargetSummary; nowS: number };

function TargetRow({ target, nowS }: One) {
  return (
    <div className="fleet-row wide" data-testid="target-row" role="presentation">
      <div role="cell">
        <TargetLink target={target} />
        <div className="dim">
          {target.model} · {target.mode}
        </div>
      </div>
      <div role="cell">
        <Load target={target} />
      </div>
      <div role="cell">
        <Replicas variants={target.variants} />
      </div>
      <div role="cell">
        <VerdictPill verdict={target.verdict} />
        <div className="dim two-lines" title={reasonOf(target)}>
          {reasonOf(target)}
        </div>
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
    <div className="fleet-card" data-testid="target-row">
      <div className="sides">
        <TargetLink target={target} />
        <VerdictPill verdict={target.verdict} />
      </div>
      <div className="dim">
        {target.model} · {target.mode}
      </div>
      <Load target={target} />
      <div className="sides">
        <Attainment target={target} />
        <Cost target={target} />
      </div>
      <Replicas variants={target.variants} />
      <div className="dim">{reasonOf(target)}</div>
      <Troubles target={target} nowS={nowS} />
    </div>
  );
}
