import { Alert, Button, Group, Paper, Progress, Select, Stack, Table, Text, Title } from "@mantine/core";
import { useState } from "react";

import { type Comparison, isOver, type Job, type Run, useCancelJob, useDryRun, useJob } from "../../api/dryRun";
import { useFleet } from "../../api/hooks";
import { useLive } from "../../api/live";
import type { Spec } from "../../api/policies";
import { seconds, share, UNKNOWN } from "../../lib/format";
import { Refused } from "../overrides/Refused";

/** The last 24 hours under a spec that is not saved yet, beside the policy that decided them. */
export function DryRun({ keys, spec }: { keys: string[]; spec: Spec | null }) {
  const fleet = useFleet();
  const { nowS } = useLive();
  const [chosen, setChosen] = useState<string | null>(null);
  const [played, setPlayed] = useState<string | null>(null);
  const start = useDryRun();
  const job = useJob(start.data?.id ?? null);
  const cancel = useCancelJob();
  const there = keys.filter((key) => fleet.data?.targets.some((one) => `${one.namespace}/${one.name}` === key && one.tick_id !== null));
  const target = chosen !== null && there.includes(chosen) ? chosen : there[0];
  const why = spec === null ? "The spec has a fault." : target === undefined ? `Nothing is recorded yet of ${keys.join(", ") || "such a target"}: there is no day to play.` : null;
  const running = start.isPending || (start.data !== undefined && !(job.data && isOver(job.data)));
  const run = () => {
    const now = nowS() ?? fleet.data?.totals.now_s;
    if (spec === null || target === undefined || now === undefined) return;
    setPlayed(JSON.stringify(spec));
    start.mutate({ target, spec, nowS: now });
  };
  return (
    <Paper withBorder p="sm">
      <Stack gap="xs">
        <Group justify="space-between">
          <Title order={2} size="h5">
            Dry-run of the last 24 h
          </Title>
          <Group gap="xs">
            {there.length > 1 && <Select aria-label="target of the dry-run" size="xs" w={180} allowDeselect={false} data={there} value={target} onChange={setChosen} />}
            {running && job.data ? (
              <Button size="xs" variant="default" loading={cancel.isPending} onClick={() => cancel.mutate(job.data)}>
                Cancel
              </Button>
            ) : (
              <Button size="xs" variant="default" disabled={why !== null} loading={running} onClick={run}>
                Play it
              </Button>
            )}
          </Group>
        </Group>
        <Text size="sm" c="dimmed">
          {why ?? "Plays the recorded load under this spec and under what is live, in the simulator. Nothing is saved, and 0 replicas move."}
        </Text>
        <Refused error={start.error ?? cancel.error} />
        {start.data && <Outcome job={job.data} stale={played !== JSON.stringify(spec)} />}
      </Stack>
    </Paper>
  );
}

function Outcome({ job, stale }: { job: Job | undefined; stale: boolean }) {
  if (job === undefined || !isOver(job)) {
    const done = Math.round((job?.progress ?? 0) * 100);
    return (
      <div role="status">
        <Progress value={done} aria-label="progress of the dry-run" />
        <Text size="xs" mt={4}>
          {job?.status ?? "Queued"}, {done} %
        </Text>
      </div>
    );
  }
  if (job.replay == null) {
    return (
      <Alert color={job.status === "Failed" ? "red" : "gray"} title={job.status} role="status">
        {job.error ?? "It was ended before it was over."}
      </Alert>
    );
  }
  return (
    <Stack gap={6}>
      {stale && (
        <Text size="sm" fw={600}>
          The spec was changed since: this is of what it was.
        </Text>
      )}
      <Compared found={job.replay} />
    </Stack>
  );
}

const usd = (run: Run) => Number(run.cost_usd);
const signed = (value: number, words: string) => (value === 0 ? words : `${value < 0 ? "−" : "+"}${words}`);

function Compared({ found }: { found: Comparison }) {
  const mine = found.runs[0];
  const live = found.runs.find(({ policy }) => policy === "live");
  if (mine === undefined || live === undefined) return null;
  const rows: [string, (run: Run) => number | null, (value: number) => string][] = [
    ["Attainment", (run) => run.attainment, (value) => share(value, 2)],
    ["Cost", usd, (value) => `$${value.toFixed(2)}`],
    ["GPU-hours", (run) => run.gpu_hours, (value) => value.toFixed(1)],
    ["Scale events", (run) => run.scale_ups + run.scale_downs, String],
  ];
  const said = (value: number | null, words: (value: number) => string) => (value === null ? UNKNOWN : words(value));
  const difference = (a: number | null, b: number | null, words: (value: number) => string) => (a === null || b === null ? UNKNOWN : signed(a - b, words(Math.abs(a - b))));
  return (
    <div data-testid="dry-run">
      <Text size="sm">
        {seconds(found.until_s - found.since_s)} of {found.target}, {mine.requests.toLocaleString("en")} requests.
      </Text>
      <div style={{ overflowX: "auto" }} tabIndex={0} role="region" aria-label="Dry-run">
        <Table verticalSpacing={3} horizontalSpacing={6} miw={420} style={{ fontVariantNumeric: "tabular-nums" }}>
          <Table.Thead>
            <Table.Tr>
              <Table.Td />
              {["This spec", "What is live", "Difference", "What happened"].map((head) => (
                <Table.Th key={head} ta="right">
                  {head}
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.map(([label, of, words]) => (
              <Table.Tr key={label}>
                <Table.Th scope="row">{label}</Table.Th>
                <Table.Td ta="right">{said(of(mine), words)}</Table.Td>
                <Table.Td ta="right">{said(of(live), words)}</Table.Td>
                <Table.Td ta="right" fw={600}>
                  {difference(of(mine), of(live), words)}
                </Table.Td>
                <Table.Td ta="right">{said(of(found.recorded), words)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
      <Text size="xs" c="dimmed">
        The simulation of what is live is off by {found.error.cost === null ? UNKNOWN : share(Math.abs(found.error.cost))} of the cost
        {found.error.attainment !== null && ` and ${(Math.abs(found.error.attainment) * 100).toFixed(2)} points of attainment`} from what happened.
      </Text>
    </div>
  );
}
