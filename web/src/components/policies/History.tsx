import { Paper, Table, Text } from "@mantine/core";

import type { Approval, StageRow } from "../../api/policies";
import { seconds, share } from "../../lib/format";
import { Moment } from "../bits";
import { Person, StageBadge } from "./bits";

/** Where versions were when, and what people said of them; newest first. */
export function History({ rows, approvals }: { rows: StageRow[]; approvals: Approval[] }) {
  const entries = [
    ...rows.map((row, place) => ({ at: row.at_s, key: `s${place}`, number: row.number, who: row.actor, reason: row.reason, what: <StageBadge stage={row.stage} />, note: noteOf(row) })),
    ...approvals.map((one) => ({ at: one.requested_at_s, key: `a${one.id}`, number: one.number, who: one.requested_by, reason: one.reason, what: <Text size="sm">asked for {one.stage}</Text>, note: "" })),
    ...approvals.flatMap((one) =>
      one.decision === null
        ? []
        : [{ at: one.decided_at_s ?? 0, key: `d${one.id}`, number: one.number, who: one.decided_by ?? "–", reason: one.decision_reason ?? "", what: <Text size="sm">{one.decision === "Approved" ? "✓ approved" : "✗ rejected"} for {one.stage}</Text>, note: "" }],
    ),
  ].sort((a, b) => b.at - a.at);
  return (
    <Paper withBorder style={{ overflowX: "auto" }} tabIndex={0} role="region" aria-label="History">
      <Table verticalSpacing={6} horizontalSpacing="md" miw={640}>
        <Table.Thead>
          <Table.Tr>
            {["When", "Version", "What", "By and why"].map((head) => (
              <Table.Th key={head}>{head}</Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {entries.map((one) => (
            <Table.Tr key={one.key} data-testid="history-row">
              <Table.Td>
                <Moment at={one.at} />
              </Table.Td>
              <Table.Td>v{one.number}</Table.Td>
              <Table.Td>{one.what}</Table.Td>
              <Table.Td style={{ overflowWrap: "anywhere" }}>
                <Person id={one.who} />: {one.reason}
                {one.note && (
                  <Text size="xs" c="dimmed">
                    {one.note}
                  </Text>
                )}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Paper>
  );
}

/** Where a canary decided, and when a version would have been taken back. */
function noteOf({ canary, guard, at_s, by }: StageRow): string {
  const parts: string[] = [];
  if (canary) parts.push(`${[...(canary.variants ?? []), ...(canary.namespaces ?? [])].join(", ")} for ${seconds(canary.until_s - at_s)}`);
  if (guard) parts.push(`back by itself at ${((guard.attainment ?? 0) * 100).toFixed(1)} points less or ${share(guard.cost, 0)} more over ${seconds(guard.over_s)}`);
  if (by !== null) parts.push(`version ${by} took its place`);
  return parts.join("; ");
}
