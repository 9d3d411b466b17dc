import { Paper, Table } from "@mantine/core";
import type { ReactNode } from "react";

type Column = { head: ReactNode; right?: boolean; key: string; hint?: string };
type Row = { key: string; cells: ReactNode[]; dimmed?: boolean };
type Props = { label: string; columns: Column[]; rows: Row[]; minWidth?: number; dense?: boolean; testId: string };

/** A dense table with its numbers to the right; where it is too wide it scrolls by itself, not the page. */
export function DataTable({ label, columns, rows, minWidth = 640, dense = false, testId }: Props) {
  const align = (i: number) => (columns[i]?.right ? "right" : undefined);
  return (
    <Paper withBorder style={{ overflowX: "auto" }} tabIndex={0} role="region" aria-label={label}>
      <Table verticalSpacing={5} horizontalSpacing={dense ? 8 : "sm"} miw={minWidth} highlightOnHover style={{ fontVariantNumeric: "tabular-nums" }}>
        <Table.Thead>
          <Table.Tr>
            {columns.map(({ key, head, hint }, i) =>
              head ? (
                <Table.Th key={key} ta={align(i)} title={hint} style={{ whiteSpace: "nowrap" }} fz="xs">
                  {head}
                </Table.Th>
              ) : (
                <Table.Td key={key} />
              ),
            )}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map(({ key, cells, dimmed }) => (
            <Table.Tr key={key} data-testid={testId} c={dimmed ? "dimmed" : undefined}>
              {cells.map((cell, i) => (
                <Table.Td key={columns[i]?.key ?? i} ta={align(i)} style={columns[i]?.right ? { whiteSpace: "nowrap" } : undefined}>
                  {cell}
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Paper>
  );
}
