import { Anchor, Paper, Table } from "@mantine/core";
import { Link } from "@tanstack/react-router";

import type { Report, ReportRow } from "../../api/reports";
import { dollars, number, share, whole } from "../../lib/format";
import { BYS } from "../../lib/reportsSearch";

const HEADS = ["Cost", "Saved", "Met the SLO", "Goodput, req/s", "GPU-hours", "Requests", "$ per million tokens"];

/** A row of each target, namespace, variant or day, and their sum. */
export function ReportTable({ report }: { report: Report }) {
  return (
    <Paper withBorder style={{ overflowX: "auto" }} tabIndex={0} role="region" aria-label="Report">
      <Table verticalSpacing={6} horizontalSpacing="md" miw={820} className="numbers">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{BYS.find(({ value }) => value === report.by)?.label}</Table.Th>
            {HEADS.map((head) => (
              <Table.Th key={head} ta="right">
                {head}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {report.rows.map((row) => (
            <Row key={row.key} row={row} by={report.by} />
          ))}
        </Table.Tbody>
        <Table.Tfoot>
          <Row row={{ ...report.total, key: "All" }} by="day" bold />
        </Table.Tfoot>
      </Table>
    </Paper>
  );
}

function Row({ row, by, bold = false }: { row: ReportRow; by: Report["by"]; bold?: boolean }) {
  const cells = [
    dollars(row.cost_usd),
    dollars(row.savings_usd),
    share(row.attainment, 2),
    number(row.goodput_rps),
    number(row.gpu_hours),
    whole(row.requests),
    dollars(row.usd_per_million_tokens),
  ];
  return (
    <Table.Tr data-testid="report-row">
      <Table.Th scope="row" fw={bold ? 700 : 500} style={{ whiteSpace: "nowrap" }}>
        <Key name={row.key} by={by} />
      </Table.Th>
      {cells.map((cell, i) => (
        <Table.Td key={HEADS[i]} ta="right" fw={bold ? 700 : undefined}>
          {cell}
        </Table.Td>
      ))}
    </Table.Tr>
  );
}

function Key({ name, by }: { name: string; by: Report["by"] }) {
  if (by !== "target" && by !== "variant") return name;
  const [namespace, target, variant] = name.split("/");
  return (
    <Anchor component={Link} to="/targets/$namespace/$name" params={{ namespace, name: target } as never} size="sm">
      {namespace}/{target}
      {variant === undefined ? "" : ` · ${variant}`}
    </Anchor>
  );
}
