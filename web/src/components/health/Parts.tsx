import { Alert, List, Text } from "@mantine/core";

import type { SystemHealth } from "../../api/health";
import { seconds, UNKNOWN } from "../../lib/format";
import { bytes, doing, lifeWords, ordered } from "../../lib/health";
import { Stat, Stats } from "../bits";
import { DataTable } from "../DataTable";
import { Section } from "../settings/Section";

/** By sign and word, not by colour alone. */
export function Word({ fine, text }: { fine: boolean; text: string }) {
  return (
    <span className={fine ? undefined : "bad"}>
      {fine ? "✓" : "✗"} {text}
    </span>
  );
}

/** How many problems are listed at once: of 500 targets that are late one sees it by the first. */
const MOST_PROBLEMS = 8;

/** What is wrong, in words; or that nothing is. */
export function Problems({ health }: { health: SystemHealth }) {
  if (health.ok) {
    return (
      <Alert color="teal" title="✓ Everything is well" role="status">
        <Text size="sm">Database, broker, controllers and workers answer, and every target was decided lately.</Text>
      </Alert>
    );
  }
  const { problems } = health;
  return (
    <Alert color="red" title={`✗ ${problems.length} ${problems.length === 1 ? "problem" : "problems"}`} role="status" data-testid="problems">
      <List size="sm">
        {problems.slice(0, MOST_PROBLEMS).map((one) => (
          <List.Item key={one}>{one}</List.Item>
        ))}
      </List>
      {problems.length > MOST_PROBLEMS && <Text size="sm">and {problems.length - MOST_PROBLEMS} more</Text>}
    </Alert>
  );
}

/** Database, broker and queue in numbers. */
export function Parts({ health: { database, broker, leader }, stale }: { health: SystemHealth; stale: boolean }) {
  return (
    <Stats>
      <Stat label="Lease held by">
        <Word fine={leader !== null} text={leader ?? "nobody"} />
      </Stat>
      <Stat label="Database" hint={`PostgreSQL ${database.version}`}>
        <Word fine text={`answers in ${seconds(database.latency_s)}`} />
      </Stat>
      <Stat label="Connections">
        {database.connections} of {database.max_connections}
      </Stat>
      <Stat label="Size">{bytes(database.size_bytes)}</Stat>
      <Stat label="Schema" hint={`this program's is ${database.newest_revision}`}>
        <Word fine={database.current} text={database.current ? (database.revision ?? UNKNOWN) : `${database.revision ?? "none"}: migrate`} />
      </Stat>
      <Stat label="Broker">
        <Word fine={broker.answers} text={broker.answers ? "answers" : "silent"} />
      </Stat>
      <Stat label="Tasks waiting" hint="in the queue, taken by no worker yet">
        {broker.waiting ?? UNKNOWN}
      </Stat>
      <Stat label="Jobs queued / running" hint="replays and what-ifs">
        {broker.queued_jobs} / {broker.running_jobs}
      </Stat>
      <Stat label="Live feed">
        <Word fine={!stale} text={stale ? "silent" : "ok"} />
      </Stat>
    </Stats>
  );
}

const COLUMNS = [
  { key: "name", head: "Process" },
  { key: "kind", head: "Kind" },
  { key: "life", head: "Sign of life" },
  { key: "doing", head: "Does" },
  { key: "version", head: "Version" },
];

/** Controllers, workers and beat, by their own signs of life. */
export function Processes({ health }: { health: SystemHealth }) {
  return (
    <Section title="Processes">
      <DataTable
        label="Processes"
        columns={COLUMNS}
        testId="process-row"
        rows={ordered(health.processes).map((one) => ({
          key: `${one.kind} ${one.name}`,
          cells: [
            <Text key="name" size="sm" fw={600} style={{ overflowWrap: "anywhere" }}>
              {one.name}
            </Text>,
            one.kind,
            <Word key="life" fine={one.alive} text={lifeWords(one)} />,
            doing(one),
            one.version,
          ],
        }))}
      />
    </Section>
  );
}
