import { Alert, Group, List, Paper, Stack, Table, Text, Title } from "@mantine/core";

import { type Policy, type RegretOf, useRegret, type Version } from "../../api/policies";
import { credible, figures, sentence } from "../../lib/regret";
import { Moment } from "../bits";
import { Answer, Empty } from "../states";

/** What a version would have come to beside the live one, and how far to believe it. */
export function RegretView({ policy, version, watched }: { policy: Policy; version: Version; watched: boolean }) {
  const regret = useRegret(policy.id, version.number, watched);
  if (!watched) return <Empty title="It was never beside the live version">Start its shadow: it then decides on the same observations, touches nothing, and is compared every quarter of an hour.</Empty>;
  return (
    <Answer of={regret}>
      {(data) =>
        data.length === 0 ? (
          <Empty title="Not compared yet">Both versions are simulated on the recorded load every half window (a quarter of an hour by default). The first comparison is on its way.</Empty>
        ) : (
          <Stack>
            {data.map((one) => (
              <One key={one.target} found={one} number={version.number} />
            ))}
          </Stack>
        )
      }
    </Answer>
  );
}

function One({ found, number }: { found: RegretOf; number: number }) {
  const against = found.against === null ? "the custom resource" : `version ${found.against}`;
  if (found.regret === null) {
    return (
      <Alert color="gray" title={found.target}>
        It could not be compared: {found.error}
      </Alert>
    );
  }
  const one = found.regret;
  const trust = credible(one);
  return (
    <Paper withBorder p="md" data-testid="regret">
      <Stack gap="xs">
        <Group justify="space-between" gap="xs">
          <Title order={3} size="h5">
            {found.target}
          </Title>
          <Text size="xs" c="dimmed" component="div">
            <Moment at={found.since_s} /> to <Moment at={found.until_s} />
          </Text>
        </Group>
        <Text size="sm" fw={600}>
          {sentence(number, against, one)}
        </Text>
        <Text size="sm">
          {trust === null && "How far the simulation is off is not known here."}
          {trust === true && "The difference is larger than what the simulation was wrong by in the same time."}
          {trust === false && "The difference is smaller than what the simulation was wrong by in the same time: take them as equal."}
        </Text>
        <div style={{ overflowX: "auto" }} tabIndex={0} role="region" aria-label={`Comparison for ${found.target}`}>
          <Table verticalSpacing={4} miw={720} style={{ fontVariantNumeric: "tabular-nums" }}>
            <Table.Thead>
              <Table.Tr>
                <Table.Td />
                {[`Version ${number}, simulated`, `${against[0]!.toUpperCase()}${against.slice(1)}, simulated`, "Difference", `What really happened (${one.decided ? `version ${number}` : against})`, "Simulation's error"].map((head) => (
                  <Table.Th key={head} ta="right">
                    {head}
                  </Table.Th>
                ))}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {figures(one).map((row) => (
                <Table.Tr key={row.label}>
                  <Table.Th scope="row" style={{ whiteSpace: "nowrap" }}>
                    {row.label}
                  </Table.Th>
                  {[row.mine, row.other, row.difference, row.recorded, row.error].map((cell, place) => (
                    <Table.Td key={place} ta="right" fw={place === 2 ? 600 : undefined} style={{ whiteSpace: "nowrap" }}>
                      {cell}
                    </Table.Td>
                  ))}
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </div>
        <details>
          <summary style={{ fontSize: 13, cursor: "pointer" }}>How this is made</summary>
          <List size="sm" mt={4}>
            {one.notes.map((note) => (
              <List.Item key={note}>{note}</List.Item>
            ))}
          </List>
        </details>
      </Stack>
    </Paper>
  );
}
