import { Group, Paper, Stack, Table, Text, Title } from "@mantine/core";

import { useReady } from "../api/access";
import type { Fleet, TargetSummary } from "../api/client";
import { useFleet } from "../api/hooks";
import { useLive } from "../api/live";
import { Stat, Stats } from "../components/bits";
import { useHeardBy, useNow } from "../components/Clock";
import { TargetLink } from "../components/fleet/cells";
import { Answer, Empty } from "../components/states";
import { isLate, keyOf } from "../lib/fleet";
import { ago, seconds, share } from "../lib/format";

const CHECKS: Record<string, string> = { ledger: "Database", schema: "Database schema" };

export function HealthPage() {
  const ready = useReady();
  const fleet = useFleet();
  return (
    <Stack>
      <Title order={1} size="h3">
        Health
      </Title>
      <Answer of={ready}>{(data) => <Checks checks={data.checks} />}</Answer>
      <Answer of={fleet}>{(data) => <Targets fleet={data} />}</Answer>
    </Stack>
  );
}

function Checks({ checks }: { checks: Record<string, string> }) {
  const { stale } = useLive();
  return (
    <Stats>
      {Object.entries(checks).map(([name, word]) => (
        <Stat key={name} label={CHECKS[name] ?? name}>
          <Word fine={word === "ok"} text={word} />
        </Stat>
      ))}
      <Stat label="Live feed">
        <Word fine={!stale} text={stale ? "silent" : "ok"} />
      </Stat>
    </Stats>
  );
}

/** By sign and word, not by colour alone. */
function Word({ fine, text }: { fine: boolean; text: string }) {
  return (
    <span className={fine ? undefined : "bad"}>
      {fine ? "✓" : "✗"} {text}
    </span>
  );
}

function Targets({ fleet }: { fleet: Fleet }) {
  const now = useNow(1000) ?? fleet.totals.now_s;
  const heardBy = useHeardBy(fleet.totals.now_s);
  if (fleet.targets.length === 0) return <Empty title="No target yet">The controller has recorded none.</Empty>;
  const late = fleet.targets.filter((target) => target.at_s === null || isLate(target, heardBy)).length;
  const faulty = fleet.targets.filter((target) => target.faults.length > 0).length;
  const rows = [...fleet.targets].sort((a, b) => weight(b, heardBy) - weight(a, heardBy) || keyOf(a).localeCompare(keyOf(b)));
  return (
    <Stack gap="xs">
      <Group gap="md">
        <Title order={2} size="h5">
          Targets
        </Title>
        <Text size="sm" c="dimmed">
          {late} of {rows.length} without a recent decision, {faulty} with faults in their metrics
        </Text>
      </Group>
      <Paper withBorder style={{ overflowX: "auto" }} tabIndex={0} role="region" aria-label="Targets">
        <Table verticalSpacing={6} horizontalSpacing="md" miw={680}>
          <Table.Thead>
            <Table.Tr>
              {["Target", "Newest decision", "Metrics read", "Faults in metrics", "Other controllers"].map((head) => (
                <Table.Th key={head}>{head}</Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.map((target) => (
              <Row key={keyOf(target)} target={target} now={now} heardBy={heardBy} />
            ))}
          </Table.Tbody>
        </Table>
      </Paper>
    </Stack>
  );
}

const weight = (target: TargetSummary, now: number) =>
  (isLate(target, now) || target.at_s === null ? 1000 : 0) + target.faults.reduce((sum, fault) => sum + fault.count, 0) + target.conflicts.length;

function Row({ target, now, heardBy }: { target: TargetSummary; now: number; heardBy: number }) {
  const late = isLate(target, heardBy);
  return (
    <Table.Tr data-testid="health-row">
      <Table.Td>
        <TargetLink target={target} />
      </Table.Td>
      <Table.Td>
        <Word fine={!late && target.at_s !== null} text={target.at_s === null ? "none yet" : ago(target.at_s, now)} />
        <Text size="xs" c="dimmed">
          every {seconds(target.tick_interval_s)}
        </Text>
      </Table.Td>
      <Table.Td>{share(target.coverage, 0)}</Table.Td>
      <Table.Td style={{ overflowWrap: "anywhere" }}>
        {target.faults.length === 0 ? "none" : target.faults.map((fault) => <Text key={fault.kind} size="sm">{`${fault.count} × ${fault.kind}, e.g. ${fault.example}`}</Text>)}
      </Table.Td>
      <Table.Td>{target.conflicts.length === 0 ? "none" : target.conflicts.join("; ")}</Table.Td>
    </Table.Tr>
  );
}
