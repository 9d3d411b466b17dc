import { Alert, Badge, Button, Group, Paper, Progress, Stack, Text } from "@mantine/core";

import { useMay } from "../../api/access";
import { isOver, type JobStatus, type JobSummary, useCancelJob } from "../../api/jobs";
import { jobWords } from "../../lib/comparison";
import { Refused } from "../overrides/Refused";

const COLOURS: Record<JobStatus, string> = { Queued: "gray", Running: "blue", Succeeded: "teal", Failed: "red", Cancelled: "gray" };

export function StatusBadge({ job }: { job: JobSummary }) {
  const ending = job.cancel_requested && !isOver(job);
  return (
    <Badge variant="light" radius="sm" tt="none" color={COLOURS[job.status]}>
      {ending ? "Ending" : job.status}
    </Badge>
  );
}

/** How far each job is; one that is under way may be ended. */
export function Plays({ jobs }: { jobs: JobSummary[] }) {
  return (
    <Paper withBorder p="md" component="section" aria-label="Progress">
      <Stack gap="sm">
        {jobs.map((job) => (
          <Play key={job.id} job={job} />
        ))}
      </Stack>
    </Paper>
  );
}

function Play({ job }: { job: JobSummary }) {
  const name = jobWords(job);
  return (
    <Stack gap={4} data-testid="play">
      <Group gap="sm" justify="space-between">
        <Group gap="sm">
          <Text size="sm" fw={500}>
            {name}
          </Text>
          <StatusBadge job={job} />
        </Group>
        {!isOver(job) && <CancelJob job={job} />}
      </Group>
      {!isOver(job) && <JobProgress job={job} />}
      {job.status === "Failed" && (
        <Alert color="red" title="It could not be played" p="xs">
          {job.error}
        </Alert>
      )}
    </Stack>
  );
}

export function JobProgress({ job }: { job: JobSummary }) {
  const percent = Math.round(job.progress * 100);
  return (
    <Group gap="sm" wrap="nowrap">
      <Progress.Root style={{ flex: 1 }} size="sm">
        <Progress.Section value={percent} aria-label={`progress of ${jobWords(job)}`} />
      </Progress.Root>
      <Text size="xs" w={36} ta="right" style={{ fontVariantNumeric: "tabular-nums" }}>
        {percent} %
      </Text>
    </Group>
  );
}

export function CancelJob({ job }: { job: JobSummary }) {
  const cancel = useCancelJob();
  const may = useMay("Operator", job.namespace);
  return (
    <>
      <Button
        size="compact-xs"
        variant="default"
        loading={cancel.isPending}
        disabled={!may || job.cancel_requested}
        title={may ? undefined : "This needs the role Operator"}
        aria-label={`cancel ${jobWords(job)}`}
        onClick={() => cancel.mutate(job)}
      >
        Cancel
      </Button>
      <Refused error={cancel.error} />
    </>
  );
}
