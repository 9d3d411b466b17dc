import { Button, Code, Group, Paper, Stack, Table, Text, TextInput, Title } from "@mantine/core";
import { useNavigate, useSearch } from "@tanstack/react-router";

import { useAudit } from "../api/access";
import type { AuditRow } from "../api/client";
import { Moment } from "../components/bits";
import { Older } from "../components/Older";
import { Answer, Empty } from "../components/states";
import type { AuditSearch } from "../lib/search";

const FIELDS: { key: keyof AuditSearch; label: string; hint: string }[] = [
  { key: "actor", label: "Who", hint: "admin" },
  { key: "action", label: "Action", hint: "override.create, or override." },
  { key: "resource", label: "Resource", hint: "overrides/…" },
  { key: "namespace", label: "Namespace", hint: "default" },
];

export function AuditPage() {
  const search = useSearch({ strict: false }) as AuditSearch;
  const navigate = useNavigate();
  const rows = useAudit(search);
  const set = (key: keyof AuditSearch, value: string) =>
    void navigate({ to: "/audit", search: { ...search, [key]: value || undefined }, replace: true } as never);
  const csv = `/api/v1/audit/export?${new URLSearchParams(search as Record<string, string>)}`;
  return (
    <Stack>
      <Group justify="space-between">
        <Title order={1} size="h3">
          Audit
        </Title>
        <Button component="a" href={csv} download size="xs" variant="default">
          Export as CSV
        </Button>
      </Group>
      <Group gap="xs" role="search" aria-label="audit">
        {FIELDS.map(({ key, label, hint }) => (
          <TextInput key={key} label={label} placeholder={hint} size="xs" w={190} value={search[key] ?? ""} onChange={(e) => set(key, e.currentTarget.value)} />
        ))}
      </Group>
      <Answer of={rows}>
        {(data) => {
          const items = data.pages.flatMap((page) => page.items);
          if (items.length === 0) return <Empty title="Nothing was changed">No write is like that. Every write to the API leaves a row here.</Empty>;
          return (
            <>
              <Rows rows={items} />
              <Older of={rows} />
            </>
          );
        }}
      </Answer>
    </Stack>
  );
}

function Rows({ rows }: { rows: AuditRow[] }) {
  return (
    <Paper withBorder style={{ overflowX: "auto" }} tabIndex={0} role="region" aria-label="Writes">
      <Table verticalSpacing={6} horizontalSpacing="md" miw={760}>
        <Table.Thead>
          <Table.Tr>
            {["When", "Who", "Action", "Resource", "Namespace", "What changed"].map((head) => (
              <Table.Th key={head}>{head}</Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row) => (
            <Table.Tr key={row.id} data-testid="audit-row">
              <Table.Td>
                <Moment at={row.at_s} />
              </Table.Td>
              <Table.Td>
                {row.actor}
                <Text size="xs" c="dimmed">
                  {row.actor_kind}
                  {row.source_ip && ` from ${row.source_ip}`}
                </Text>
              </Table.Td>
              <Table.Td>{row.action}</Table.Td>
              <Table.Td style={{ overflowWrap: "anywhere" }}>{row.resource}</Table.Td>
              <Table.Td>{row.namespace ?? "all"}</Table.Td>
              <Table.Td>
                <Change row={row} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Paper>
  );
}

function Change({ row }: { row: AuditRow }) {
  return (
    <details>
      <summary>
        {row.before ? "before and after" : "made"}
        {row.detail && `: ${row.detail}`}
      </summary>
      {[row.before, row.after].map((side, i) => (
        <div key={i}>{side ? <Code block>{JSON.stringify(side, null, 2)}</Code> : null}</div>
      ))}
      <Text size="xs" c="dimmed">
        request {row.request_id}
      </Text>
    </details>
  );
}
