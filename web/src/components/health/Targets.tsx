import { Anchor, Button, Group, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useState } from "react";

import type { ScrapeHealth } from "../../api/health";
import { ago, share, UNKNOWN } from "../../lib/format";
import { worstFirst } from "../../lib/health";
import { useNow } from "../Clock";
import { DataTable } from "../DataTable";
import { Section } from "../settings/Section";
import { Empty } from "../states";
import { Word } from "./Parts";

const COLUMNS = [
  { key: "target", head: "Target" },
  { key: "newest", head: "Newest decision" },
  { key: "ready", head: "Ready", right: true, hint: "replicas that are ready" },
  { key: "read", head: "Metrics read", right: true, hint: "replicas that reported, of those that are ready" },
  { key: "faults", head: "Faults in metrics" },
];
/** Rows that are shown at first: the worst. */
const FIRST_ROWS = 50;

/** What could be read of each target at its newest decision, the worst first. */
export function Targets({ targets, nowS }: { targets: ScrapeHealth[]; nowS: number }) {
  const [all, setAll] = useState(false);
  const now = useNow(1000) ?? nowS;
  if (targets.length === 0) return <Empty title="No target yet">The controller has recorded none.</Empty>;
  const rows = worstFirst(targets);
  const late = targets.filter((one) => one.late).length;
  const faulty = targets.filter((one) => one.faults.length > 0).length;
  return (
    <Section title="Targets">
      <Text size="sm" c="dimmed">
        {late} of {targets.length} without a recent decision, {faulty} with faults in their metrics
      </Text>
      <DataTable
        label="Targets"
        columns={COLUMNS}
        minWidth={680}
        testId="health-row"
        rows={rows.slice(0, all ? undefined : FIRST_ROWS).map((one) => ({ key: one.target, cells: cellsOf(one, now) }))}
      />
      {!all && rows.length > FIRST_ROWS && (
        <Group>
          <Button size="xs" variant="default" onClick={() => setAll(true)}>
            Show all {rows.length}
          </Button>
        </Group>
      )}
    </Section>
  );
}

const cellsOf = (one: ScrapeHealth, now: number) => [
  <Anchor key="target" component={Link} to={`/targets/${one.target}` as never} size="sm" fw={600}>
    {one.target}
  </Anchor>,
  <Word key="newest" fine={!one.late} text={one.at_s === null ? "none yet" : ago(one.at_s, now)} />,
  one.ready ?? UNKNOWN,
  share(one.coverage, 0),
  one.faults.length === 0
    ? "none"
    : one.faults.map((fault) => (
        <Text key={fault.kind} size="sm" style={{ overflowWrap: "anywhere" }}>
          {fault.count} × {fault.kind}, e.g. {fault.example}
        </Text>
      )),
];
