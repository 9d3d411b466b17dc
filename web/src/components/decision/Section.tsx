import { Paper, Table, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";

type Props = { title: string; hint?: string; head: string[]; rows: ReactNode[][] };

/** A table with a name; nothing where it has no rows. */
export function Section({ title, hint, head, rows }: Props) {
  if (rows.length === 0) return null;
  return (
    <Paper withBorder style={{ overflowX: "auto" }} component="section" aria-label={title} tabIndex={0}>
      <Title order={2} size="h6" px="md" pt="sm">
        {title}
      </Title>
      {hint && (
        <Text size="xs" c="dimmed" px="md">
          {hint}
        </Text>
      )}
      <Table verticalSpacing={6} horizontalSpacing="md">
        <Table.Thead>
          <Table.Tr>
            {head.map((cell) => (
              <Table.Th key={cell}>{cell}</Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row, i) => (
            <Table.Tr key={i}>
              {row.map((cell, j) => (
                <Table.Td key={j}>{cell}</Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Paper>
  );
}
