import { Anchor, Breadcrumbs, Button, Code, CopyButton, Group, List, Paper, Skeleton, Stack, Text, Title } from "@mantine/core";
import { Link, useParams } from "@tanstack/react-router";

import type { Tick, TickDetail } from "../api/client";
import { useExplanation } from "../api/explain";
import { useNeighbours, useTick } from "../api/hooks";
import { Moment, VerdictBadge } from "../components/bits";
import { Alternatives, Done, Expected, Possible, Rules, Seen } from "../components/decision/Facts";
import { Lead } from "../components/decision/Lead";
import { OutcomeView } from "../components/decision/Outcome";
import { Replay } from "../components/decision/Replay";
import { WhyNot } from "../components/decision/WhyNot";
import { Words } from "../components/decision/Words";
import { WouldChange } from "../components/decision/WouldChange";
import { Answer, Problem } from "../components/states";
import { headed } from "../lib/decision";

export function DecisionPage() {
  const { id } = useParams({ strict: false }) as { id: string };
  const tick = useTick(id);
  return <Answer of={tick}>{(data) => <DecisionView key={id} detail={data} />}</Answer>;
}

export function DecisionView({ detail }: { detail: TickDetail }) {
  const { tick } = detail;
  // Known a moment later: the API decides again to find out what would have changed it.
  const explained = useExplanation(tick.id);
  return (
    <Stack>
      <Head tick={tick} />
      <Lead tick={tick} />
      <Trail sentences={detail.sentences} />
      {explained.data && <OutcomeView outcome={explained.data.outcome} />}
      {explained.data && <WouldChange explanation={explained.data} />}
      {explained.isPending && <Skeleton h={320} role="status" aria-label="looking for what would change this" />}
      {explained.error && <Problem error={explained.error} retry={explained.refetch} />}
      <WhyNot tick={tick} />
      <Alternatives tick={tick} explanation={explained.data} />
      <Rules tick={tick} />
      <Seen tick={tick} />
      <Possible tick={tick} />
      <Expected tick={tick} />
      <Done tick={tick} />
      <Words />
      <Raw tick={tick} />
    </Stack>
  );
}

function Head({ tick }: { tick: Tick }) {
  const { namespace, name } = tick.inputs.target;
  return (
    <>
      <Breadcrumbs>
        <Anchor component={Link} to="/">
          Fleet
        </Anchor>
        <Anchor component={Link} to="/targets/$namespace/$name" params={{ namespace, name } as never}>
          {namespace}/{name}
        </Anchor>
        <Text>Decision</Text>
      </Breadcrumbs>
      <Group justify="space-between">
        <Group>
          <Title order={1} size="h3">
            {namespace}/{name}
          </Title>
          <VerdictBadge verdict={tick.decision.verdict} />
          <Moment at={tick.at_s} />
        </Group>
        <Group gap="xs">
          <Around id={tick.id} />
          <Replay tick={tick} />
        </Group>
      </Group>
    </>
  );
}

/** The same target's decisions before and after this one. */
function Around({ id }: { id: string }) {
  const beside = useNeighbours(id).data;
  return (
    <Group gap="xs" component="nav" aria-label="decisions beside this one">
      <Beside id={beside?.previous_id ?? null} word="‹ Previous" />
      <Beside id={beside?.next_id ?? null} word="Next ›" />
      <CopyButton value={window.location.href}>
        {({ copied, copy }) => (
          <Button size="xs" variant="default" onClick={copy}>
            {copied ? "Copied" : "Copy link"}
          </Button>
        )}
      </CopyButton>
    </Group>
  );
}

function Beside({ id, word }: { id: string | null; word: string }) {
  if (id === null) {
    return (
      <Button size="xs" variant="default" disabled>
        {word}
      </Button>
    );
  }
  return (
    <Button component={Link} to="/ticks/$id" params={{ id } as never} size="xs" variant="default">
      {word}
    </Button>
  );
}

/** How it came to it, step by step. */
function Trail({ sentences }: { sentences: readonly string[] }) {
  return (
    <Paper withBorder p="md" component="section" aria-label="How it came to this">
      <Title order={2} size="h6" mb="xs">
        How it came to this
      </Title>
      <List type="ordered" spacing={6} size="sm" data-testid="trail">
        {sentences.map((sentence) => {
          const [head, rest] = headed(sentence);
          return (
            <List.Item key={sentence}>
              <b>{head}</b>
              {rest}
            </List.Item>
          );
        })}
      </List>
    </Paper>
  );
}

function Raw({ tick }: { tick: Tick }) {
  return (
    <Paper withBorder p="md">
      <details>
        <summary>Everything that was recorded (JSON)</summary>
        <Code block mt="sm" tabIndex={0} style={{ maxHeight: 480, overflow: "auto" }}>
          {JSON.stringify(tick, null, 2)}
        </Code>
      </details>
      <Text size="xs" c="dimmed" mt="xs">
        Tick {tick.id}, planner version {tick.planner_version}. This page's address stays the same as long as the decision is kept.
      </Text>
    </Paper>
  );
}
