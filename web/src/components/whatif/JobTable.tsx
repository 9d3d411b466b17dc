import { Anchor, Button, Checkbox, Group, Paper, Stack, Table, Text, Title } from "@mantine/core";
import { Link } from "@tanstack/react-router";

import { isOver, type JobSummary, useJobs } from "../../api/jobs";
import { jobWords, windowOf } from "../../lib/comparison";
import { stretch } from "../../lib/format";
import { joined, listed, type WhatIfSearch } from "../../lib/whatIfSearch";
import { useZone } from "../../lib/zone";
import { Moment } from "../bits";
import { Older } from "../Older";
import { Answer, Empty } from "../states";
import { CancelJob, JobProgress, StatusBadge } from "./Plays";

type Props = { search: WhatIfSearch; set: (change: Partial<WhatIfSearch>) => void };

/** What was asked before, newest first; some of them are picked and compared. */
export function JobTable({ search, set }: Props) {
  const found = useJobs();
  const picked = listed(search.pick);
  const [first, ...others] = picked;
  return (
    <Stack gap="sm">
      <Group justify="space-between">
        <Title order={2} size="h5">
          Earlier runs
        </Title>
        {first === undefined ? (
          <Text size="xs" c="dimmed">
            Tick some to compare them.
          </Text>
        ) : (
          <Button component={Link} to="/what-if/$id" params={{ id: first } as never} search={{ with: joined(others) } as never} size="xs">
            Compare {picked.length} runs
          </Button>
        )}
      </Group>
      <Answer of={found}>
        {(data) => {
          const jobs = data.pages.flatMap((page) => page.items);
          if (jobs.length === 0) return <Empty title="Nothing was played yet">Choose a target and policies above: what comes of it is kept here.</Empty>;
          const pick = (id: string, on: boolean) => set({ pick: joined(on ? [...picked, id] : picked.filter((one) => one !== id)) });
          return (
            <>
              <Rows jobs={jobs} picked={picked} pick={pick} />
              <Older of={found} />
            </>
          );
        }}
      </Answer>
    </Stack>
  );
}

type RowsProps = { jobs: JobSummary[]; picked: string[]; pick: (id: string, on: boolean) => void };

function Rows({ jobs, picked, pick }: RowsProps) {
  const zone = useZone();
  return (
    <Paper withBorder style={{ overflowX: "auto" }} tabIndex={0} role="region" aria-label="Earlier runs">
      <Table verticalSpacing={6} horizontalSpacing="md" miw={760}>
        <Table.Thead>
          <Table.Tr>
            <Table.Td />
            {["Policy or change", "Target", "Window", "State", "Asked"].map((head) => (
              <Table.Th key={head}>{head}</Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {jobs.map((job) => {
            const { target, since_s, until_s } = windowOf(job);
            return (
              <Table.Tr key={job.id} data-testid="job-row">
                <Table.Td w={36}>
                  <Checkbox
                    size="xs"
                    aria-label={`pick ${jobWords(job)} of ${target}`}
                    checked={picked.includes(job.id)}
                    onChange={(event) => pick(job.id, event.currentTarget.checked)}
                  />
                </Table.Td>
                <Table.Td miw={180}>
                  <Anchor component={Link} to="/what-if/$id" params={{ id: job.id } as never} size="sm">
                    {jobWords(job)}
                  </Anchor>
                </Table.Td>
                <Table.Td>{target}</Table.Td>
                <Table.Td style={{ whiteSpace: "nowrap" }}>{stretch(since_s, until_s, zone)}</Table.Td>
                <Table.Td miw={170}>
                  <Group gap="xs" wrap="nowrap">
                    <StatusBadge job={job} />
                    {!isOver(job) && <CancelJob job={job} />}
                  </Group>
                  {!isOver(job) && <JobProgress job={job} />}
                  {job.error && (
                    <Text size="xs" c="dimmed">
                      {job.error}
                    </Text>
                  )}
                </Table.Td>
                <Table.Td>
                  <Moment at={job.created_at_s} />
                  <Text size="xs" c="dimmed">
                    {actor(job.created_by)}
                  </Text>
                </Table.Td>
              </Table.Tr>
            );
          })}
        </Table.Tbody>
      </Table>
    </Paper>
  );
}

/** A token's id is long, and its first part tells it apart. */
const actor = (id: string) => id.replace(/^(token:[0-9a-f]{8})[0-9a-f-]+$/, "$1");
