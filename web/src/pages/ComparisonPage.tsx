import { Alert, Anchor, Breadcrumbs, Button, CopyButton, Group as Row, List, Paper, Stack, Text, Title, VisuallyHidden } from "@mantine/core";
import { Link, useParams, useSearch } from "@tanstack/react-router";
import { useMemo } from "react";

import { useTarget } from "../api/hooks";
import { isOver, type Job, useJobsOf } from "../api/jobs";
import { Answer, Empty, Problem } from "../components/states";
import { Pareto } from "../components/whatif/Pareto";
import { Plays } from "../components/whatif/Plays";
import { Timelines } from "../components/whatif/Timelines";
import { WayTable } from "../components/whatif/WayTable";
import { againstWords, errorWords, findings, type Group, groupsOf, windowOf } from "../lib/comparison";
import { stretch } from "../lib/format";
import { type ComparisonSearch, listed } from "../lib/whatIfSearch";
import { useZone } from "../lib/zone";

export function ComparisonPage() {
  const { id } = useParams({ strict: false }) as { id: string };
  const search = useSearch({ strict: false }) as ComparisonSearch;
  const ids = [...new Set([id, ...listed(search.with)])];
  const asked = useJobsOf(ids);
  const jobs = asked.flatMap(({ data }) => (data ? [data] : []));
  const failed = asked.find(({ error, data }) => error && !data);
  const first = asked[0];
  return (
    <Stack>
      <Breadcrumbs>
        <Anchor component={Link} to="/what-if">
          What-if
        </Anchor>
        <Text>Comparison</Text>
      </Breadcrumbs>
      {failed?.error && <Problem error={failed.error} retry={failed.refetch} />}
      {first && first.data === undefined && !first.error && <Answer of={first}>{() => null}</Answer>}
      {jobs.length > 0 && <ComparisonView jobs={jobs} />}
    </Stack>
  );
}

/** Some jobs beside each other: how far they are, and what came of those that are over. */
export function ComparisonView({ jobs }: { jobs: Job[] }) {
  const zone = useZone();
  const { target, since_s, until_s } = windowOf(jobs[0] as Job);
  const [namespace, name] = target.split("/") as [string, string];
  const slo = useTarget(namespace, name).data?.slo;
  // One that is over never changes: its charts are drawn once.
  const over = jobs.filter((job) => job.status === "Succeeded");
  const key = over.map((job) => job.id).join() + JSON.stringify(slo);
  // eslint-disable-next-line react-hooks/exhaustive-deps
  const groups = useMemo(() => groupsOf(over, slo), [key]);
  const under = jobs.filter((job) => !isOver(job)).length;
  const unfinished = jobs.filter((job) => job.status !== "Succeeded");
  return (
    <Stack>
      <Row justify="space-between">
        <Stack gap={0}>
          <Title order={1} size="h3">
            <Anchor component={Link} to="/targets/$namespace/$name" params={{ namespace, name } as never} search={{ from: since_s, to: until_s } as never} inherit underline="always">
              {target}
            </Anchor>{" "}
            under other policies
          </Title>
          <Text size="sm" c="dimmed">
            {stretch(since_s, until_s, zone)}
          </Text>
        </Stack>
        <Row gap="xs">
          <Button component={Link} to="/what-if" search={{ target, from: since_s, to: until_s } as never} size="xs" variant="default">
            Compare others here
          </Button>
          <CopyButton value={window.location.href}>
            {({ copied, copy }) => (
              <Button size="xs" variant="default" onClick={copy}>
                {copied ? "Copied" : "Copy link"}
              </Button>
            )}
          </CopyButton>
        </Row>
      </Row>
      <VisuallyHidden role="status">{under > 0 ? `${under} of ${jobs.length} are being played` : "All are over"}</VisuallyHidden>
      {unfinished.length > 0 && <Plays jobs={unfinished} />}
      {groups.map((group) => (
        <GroupView key={group.key} group={group} goal={slo?.attainment} titled={groups.length > 1} />
      ))}
      {groups.length === 0 && under === 0 && <Empty title="Nothing to compare">None of these jobs came to an end with a result.</Empty>}
    </Stack>
  );
}

const METHODS = { played: "Every request played", estimated: "Decisions made again" } as const;

function GroupView({ group, goal, titled }: { group: Group; goal?: number; titled: boolean }) {
  const said = findings(group);
  return (
    <Stack gap="sm" component="section" aria-label={METHODS[group.method]}>
      {titled && (
        <Title order={2} size="h5">
          {METHODS[group.method]}
        </Title>
      )}
      <Paper withBorder p="md">
        <Stack gap="xs" data-testid="findings">
          {said.length > 0 && (
            <div>
              <Text size="sm" c="dimmed">
                {againstWords(group)}
              </Text>
              <List size="sm" spacing={4} mt={4}>
                {said.map((finding) => (
                  <List.Item key={finding}>{finding}</List.Item>
                ))}
              </List>
            </div>
          )}
          <Text size="sm">{errorWords(group)}</Text>
        </Stack>
      </Paper>
      <WayTable group={group} />
      <Pareto group={group} goal={goal} />
      <Timelines group={group} goal={goal} />
      <Alert color="gray" title={group.method === "played" ? "How this was simulated" : "How this was estimated"}>
        <List size="sm" spacing={2}>
          {group.notes.map((note) => (
            <List.Item key={note}>{note}</List.Item>
          ))}
        </List>
      </Alert>
    </Stack>
  );
}
