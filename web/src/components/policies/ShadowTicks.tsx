import { Anchor, Paper, Select, Stack, Table, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useState } from "react";

import { type Policy, type ShadowTick, useShadowTicks, type Version } from "../../api/policies";
import { dollarsPerHour, fleet, moves } from "../../lib/format";
import { keysOf } from "../../lib/policy";
import { Moment, VerdictBadge } from "../bits";
import { Older } from "../Older";
import { Answer, Empty } from "../states";

/** What a version in Shadow would have decided, beside what was decided. */
export function ShadowTicks({ policy, version }: { policy: Policy; version: Version }) {
  const keys = keysOf(policy);
  const [target, setTarget] = useState(keys[0]);
  const found = useShadowTicks(policy.id, version.number, target, true);
  return (
    <Stack gap="xs">
      {keys.length > 1 && <Select aria-label="target" size="xs" w={260} allowDeselect={false} data={keys} value={target} onChange={(value) => setTarget(value ?? target)} />}
      <Answer of={found}>
        {(data) => {
          const items = data.pages.flatMap((page) => page.items);
          if (items.length === 0) return <Empty title="It has decided nothing beside the live version">A version in Shadow, or a Canary, leaves a row here at every decision. Rows are kept for 14 days.</Empty>;
          return (
            <>
              <Rows items={items} />
              <Older of={found} />
            </>
          );
        }}
      </Answer>
    </Stack>
  );
}

function Rows({ items }: { items: ShadowTick[] }) {
  return (
    <Paper withBorder style={{ overflowX: "auto" }} tabIndex={0} role="region" aria-label="Decisions in Shadow">
      <Table verticalSpacing={5} horizontalSpacing="md" miw={720}>
        <Table.Thead>
          <Table.Tr>
            {["When", "Verdict", "It would have", "Beside live", "$/h", "Why"].map((head) => (
              <Table.Th key={head}>{head}</Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {items.map((one) => (
            <Table.Tr key={`${one.target} ${one.at_s}`} data-testid="shadow-row">
              <Table.Td>
                <Anchor component={Link} to="/ticks/$id" params={{ id: one.tick_id } as never} size="sm" aria-label="the live decision beside it">
                  <Moment at={one.at_s} />
                </Anchor>
              </Table.Td>
              <Table.Td>
                <VerdictBadge verdict={one.verdict} />
              </Table.Td>
              <Table.Td>{fleet(one.desired)}</Table.Td>
              <Table.Td>{moves(one.live_desired, one.desired) || "the same"}</Table.Td>
              <Table.Td style={{ whiteSpace: "nowrap" }}>{dollarsPerHour(one.usd_per_hour)}</Table.Td>
              <Table.Td>
                <Text size="sm" style={{ overflowWrap: "anywhere" }}>
                  {one.reason}
                </Text>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Paper>
  );
}
