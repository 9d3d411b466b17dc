import { Anchor, Card, Code, Group, Paper, Stack, Table, Text, Title } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { Link } from "@tanstack/react-router";

import type { Fleet, TargetSummary } from "../api/client";
import { useFleet } from "../api/hooks";
import { Sparkline, Stat, Stats, Variants, VerdictBadge } from "../components/bits";
import { Answer } from "../components/states";
import { dollarsPerHour, rate, share, UNKNOWN } from "../lib/format";

export function FleetPage() {
  const fleet = useFleet();
  return (
    <Stack>
      <Title order={1} size="h3">
        Fleet
      </Title>
      <Answer of={fleet}>{(data) => <FleetView fleet={data} />}</Answer>
    </Stack>
  );
}

export function FleetView({ fleet }: { fleet: Fleet }) {
  const narrow = useMediaQuery("(max-width: 62em)");
  const totals = fleet.totals;
  if (fleet.targets.length === 0) return <Empty />;
  return (
    <>
      <Stats>
        <Stat label="Load">{rate(totals.requests_per_s)}</Stat>
        <Stat label="Replicas ready / desired">
          {totals.ready ?? UNKNOWN} / {totals.desired ?? UNKNOWN}
        </Stat>
        <Stat label="SLO met" hint="share of the newest window's requests that met TTFT and TPOT, weighed by load">
          {share(totals.attainment)}
        </Stat>
        <Stat label="Cost">{dollarsPerHour(totals.usd_per_hour)}</Stat>
        <Stat label="Targets">{totals.targets}</Stat>
      </Stats>
      {narrow ? <Cards targets={fleet.targets} /> : <Rows targets={fleet.targets} />}
    </>
  );
}

function Empty() {
  return (
    <Paper withBorder p="xl">
      <Title order={2} size="h4">
        Waiting for the first decision
      </Title>
      <Text mt="xs">
        No target has been seen yet. The controller reads them from the cluster; <Code>kubectl get infas -A</Code> lists them.
      </Text>
    </Paper>
  );
}

const keyOf = (target: TargetSummary) => `${target.namespace}/${target.name}`;

function TargetLink({ target }: { target: TargetSummary }) {
  return (
    <Anchor
      component={Link}
      to="/targets/$namespace/$name"
      params={{ namespace: target.namespace, name: target.name } as never}
      fw={600}
    >
      {keyOf(target)}
    </Anchor>
  );
}

const reasonOf = (target: TargetSummary) => target.reason ?? "waiting for the first decision";

function Rows({ targets }: { targets: TargetSummary[] }) {
  return (
    <Paper withBorder style={{ overflowX: "auto" }}>
      <Table verticalSpacing="sm" highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Target</Table.Th>
            <Table.Th>Load, last hour</Table.Th>
            <Table.Th>Replicas</Table.Th>
            <Table.Th>Verdict</Table.Th>
            <Table.Th>SLO met, now / day</Table.Th>
            <Table.Th>Cost</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {targets.map((target) => (
            <Table.Tr key={keyOf(target)} data-testid="target-row">
              <Table.Td>
                <TargetLink target={target} />
                <Text size="xs" c="dimmed">
                  {target.model} · {target.mode}
                </Text>
              </Table.Td>
              <Table.Td>
                <Group wrap="nowrap" gap="sm">
                  <Sparkline values={target.sparkline_rps} label={`load of ${keyOf(target)} over the last hour`} />
                  <div>
                    <Text size="sm">{rate(target.requests_per_s)}</Text>
                    <Text size="xs" c="dimmed" title="the quantile of the coming peak that is provisioned for">
                      plan {rate(target.forecast_requests_per_s)}
                    </Text>
                  </div>
                </Group>
              </Table.Td>
              <Table.Td>
                <Variants variants={target.variants} />
              </Table.Td>
              <Table.Td maw={340}>
                <VerdictBadge verdict={target.verdict} />
                <Text size="xs" c="dimmed" lineClamp={2} title={reasonOf(target)}>
                  {reasonOf(target)}
                </Text>
              </Table.Td>
              <Table.Td>
                <Attainment target={target} />
              </Table.Td>
              <Table.Td>{dollarsPerHour(target.usd_per_hour)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Paper>
  );
}

/** In words and by weight, not by colour alone: below its SLO it is bold. */
function Attainment({ target }: { target: TargetSummary }) {
  const missed = target.attainment !== null && target.attainment < target.slo.attainment;
  return (
    <>
      <Text size="sm" fw={missed ? 700 : 400} c={missed ? "red" : undefined}>
        {share(target.attainment)} / {share(target.attainment_day)}
      </Text>
      <Text size="xs" c="dimmed">
        {missed ? "below" : "goal"} {share(target.slo.attainment, 1)}
      </Text>
    </>
  );
}

function Cards({ targets }: { targets: TargetSummary[] }) {
  return (
    <Stack gap="sm">
      {targets.map((target) => (
        <Card key={keyOf(target)} withBorder data-testid="target-row">
          <Group justify="space-between">
            <TargetLink target={target} />
            <VerdictBadge verdict={target.verdict} />
          </Group>
          <Text size="xs" c="dimmed">
            {target.model} · {target.mode}
          </Text>
          <Group mt="xs" justify="space-between">
            <Text size="sm">{rate(target.requests_per_s)}</Text>
            <Sparkline values={target.sparkline_rps} label={`load of ${keyOf(target)} over the last hour`} />
          </Group>
          <Group mt="xs" justify="space-between" align="start">
            <div>
              <Attainment target={target} />
            </div>
            <Text size="sm">{dollarsPerHour(target.usd_per_hour)}</Text>
          </Group>
          <Group mt="xs">
            <Variants variants={target.variants} />
          </Group>
          <Text mt="xs" size="xs" c="dimmed">
            {reasonOf(target)}
          </Text>
        </Card>
      ))}
    </Stack>
  );
}
