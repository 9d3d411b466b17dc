import { Group, Paper, Stack, Table, Title } from "@mantine/core";
import type { ReactNode } from "react";

type Props = { title: string; action?: ReactNode; head: string[]; rows: { key: string; cells: ReactNode[] }[]; testId: string };

/** A titled table with what one may do on its right. */
export function Listed({ title, action, head, rows, testId }: Props) {
  return (
    <Stack gap="xs">
      <Group justify="space-between">
        <Title order={2} size="h5">
          {title}
        </Title>
        {action}
      </Group>
      <Paper withBorder style={{ overflowX: "auto" }} tabIndex={0} role="region" aria-label={title}>
        <Table verticalSpacing={6} horizontalSpacing="md" miw={620}>
          <Table.Thead>
            <Table.Tr>{head.map((cell) => (cell ? <Table.Th key={cell}>{cell}</Table.Th> : <Table.Td key="actions" />))}</Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.map(({ key, cells }) => (
              <Table.Tr key={key} data-testid={testId}>
                {cells.map((cell, i) => (
                  <Table.Td key={i}>{cell}</Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Paper>
    </Stack>
  );
}
