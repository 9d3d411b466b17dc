import { Button, Group, List, Paper, Stack, Text, Title } from "@mantine/core";
import { useNavigate, useSearch } from "@tanstack/react-router";
import type { ReactNode } from "react";

import { useMay } from "../api/access";
import type { TargetSummary } from "../api/client";
import { useFleet } from "../api/hooks";
import { useStartJobs } from "../api/jobs";
import { Refused } from "../components/overrides/Refused";
import { Answer, Empty } from "../components/states";
import { ChangeForm } from "../components/whatif/ChangeForm";
import { JobTable } from "../components/whatif/JobTable";
import { Rivals } from "../components/whatif/Rivals";
import { Preview, useWindow, Window } from "../components/whatif/Window";
import { keyOf } from "../lib/fleet";
import { jobInWords, jobsOf } from "../lib/plan";
import { joined, type WhatIfSearch } from "../lib/whatIfSearch";

export function WhatIfPage() {
  const search = useSearch({ strict: false }) as WhatIfSearch;
  const navigate = useNavigate();
  const fleet = useFleet();
  const set = (change: Partial<WhatIfSearch>) =>
    void navigate({ to: "/what-if", search: (before: WhatIfSearch) => ({ ...before, ...change }), replace: true, resetScroll: false } as never);
  return (
    <Stack>
      <Title order={1} size="h3">
        What-if
      </Title>
      <Text size="sm" c="dimmed" maw={820}>
        Plays a stretch of a target's past again under another policy, or under another SLO, price, load or cold start, and shows what it would have cost and
        how many requests would have met the SLO. Nothing in the cluster is touched.
      </Text>
      <Answer of={fleet}>
        {(data) =>
          data.targets.length === 0 ? (
            <Empty title="There is no target yet">Once decisions are recorded they can be played again here.</Empty>
          ) : (
            <WhatIfForm targets={data.targets} search={search} set={set} />
          )
        }
      </Answer>
      <JobTable search={search} set={set} />
    </Stack>
  );
}

type FormProps = { targets: TargetSummary[]; search: WhatIfSearch; set: (change: Partial<WhatIfSearch>) => void };

export function WhatIfForm({ targets, search, set }: FormProps) {
  const target = targets.find((one) => keyOf(one) === search.target) ?? (targets[0] as TargetSummary);
  const key = keyOf(target);
  const at = useWindow(key, search);
  return (
    <div className="what-if">
      <Step title="1. Which past">
        <Window search={search} target={key} set={set} />
        <Preview of={at} set={set} />
      </Step>
      <Stack gap="sm" className="what-if-policies">
        <Step title="2. Under which policies">
          <Rivals search={search} namespace={target.namespace} set={set} />
        </Step>
        <Step title="3. Or the same policy, if something were different">
          <ChangeForm key={key} target={target} change={search.change} set={(change) => set({ change })} />
        </Step>
      </Stack>
      <Run search={search} target={target} found={at.found} />
    </div>
  );
}

function Step({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Paper withBorder p="md" component="section" aria-label={title}>
      <Stack gap="sm">
        <Title order={2} size="h5">
          {title}
        </Title>
        {children}
      </Stack>
    </Paper>
  );
}

type RunProps = { search: WhatIfSearch; target: TargetSummary; found: { from: number; to: number } | null };

function Run({ search, target, found }: RunProps) {
  const navigate = useNavigate();
  const may = useMay("Operator", target.namespace);
  const start = useStartJobs();
  const jobs = found === null ? [] : jobsOf(search, keyOf(target), found);
  const open = ([first, ...others]: string[]) =>
    void navigate({ to: "/what-if/$id", params: { id: first }, search: { with: joined(others) } } as never);
  const why = !may ? "This needs the role Operator" : found === null ? "Nothing was recorded there" : jobs.length === 0 ? "Choose a policy, or change something" : null;
  return (
    <Step title="4. Run">
      <Text size="sm" component="div">
        {jobs.length === 0 ? "Nothing is chosen yet." : "Will be played, one after the other, while the cluster goes on as it is:"}
        <List size="sm" data-testid="will-run">
          {jobs.map((job, i) => (
            <List.Item key={i}>{jobInWords(job)}</List.Item>
          ))}
        </List>
      </Text>
      <Group>
        <Button disabled={why !== null} loading={start.isPending} onClick={() => start.mutate(jobs, { onSuccess: open })}>
          {jobs.length < 2 ? "Run" : `Run ${jobs.length} and compare`}
        </Button>
        {why && (
          <Text size="sm" c="dimmed">
            {why}.
          </Text>
        )}
      </Group>
      <Refused error={start.error} />
    </Step>
  );
}
