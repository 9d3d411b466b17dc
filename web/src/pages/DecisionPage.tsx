import { Anchor, Badge, Box, Breadcrumbs, Button, Code, CopyButton, Group, List, Paper, Stack, Table, Text, Title } from "@mantine/core";
import { Link, useParams } from "@tanstack/react-router";
import type { ReactNode } from "react";

import type { Tick, TickDetail } from "../api/client";
import { useNeighbours, useTick } from "../api/hooks";
import { Moment, VerdictBadge } from "../components/bits";
import { Answer } from "../components/states";
import { dollarsChange, dollarsPerHour, fleet, number, rate, seconds, share } from "../lib/format";

export function DecisionPage() {
  const { id } = useParams({ strict: false }) as { id: string };
  const tick = useTick(id);
  return <Answer of={tick}>{(data) => <DecisionView detail={data} />}</Answer>;
}

export function DecisionView({ detail }: { detail: TickDetail }) {
  const { tick } = detail;
  const { namespace, name } = tick.inputs.target;
  return (
    <Stack>
      <Breadcrumbs>
        <Anchor component={Link} to="/">
          Fleet
        </Anchor>
        <Anchor component={Link} to="/targets/$namespace/$name" params={{ namespace, name } as never}>
          {namespace}/{name}
        </Anchor>
        <Text>Decision</Text>
      </Breadcrumbs>
      <Group>
        <Title order={1} size="h3">
          {namespace}/{name}
        </Title>
        <VerdictBadge verdict={tick.decision.verdict} />
        <Moment at={tick.at_s} />
        <Box style={{ flex: 1 }} />
        <Around id={tick.id} />
      </Group>
      <Paper withBorder p="md">
        <List type="ordered" spacing={6} data-testid="trail">
          {detail.sentences.map((sentence) => (
            <List.Item key={sentence}>{sentence}</List.Item>
          ))}
        </List>
      </Paper>
      <Rules tick={tick} />
      <Seen tick={tick} />
      <Possible tick={tick} />
      <Expected tick={tick} />
      <Alternatives tick={tick} />
      <Done tick={tick} />
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
    </Stack>
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

function Section({ title, head, rows }: { title: string; head: string[]; rows: ReactNode[][] }) {
  if (rows.length === 0) return null;
  return (
    <Paper withBorder style={{ overflowX: "auto" }} component="section" aria-label={title} tabIndex={0}>
      <Title order={2} size="h6" px="md" pt="sm">
        {title}
      </Title>
      <Table verticalSpacing={6} horizontalSpacing="md">
        <Table.Thead>
          <Table.Tr>
            {head.map((cell) => (
              <Table.Th key={cell}>{cell}</Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row, i) => (
            <Table.Tr key={i}>
              {row.map((cell, j) => (
                <Table.Td key={j}>{cell}</Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Paper>
  );
}

const EFFECTS = { pass: "gray", limit: "orange", hold: "yellow", abstain: "grape" } as const;

function Rules({ tick }: { tick: Tick }) {
  const rows = tick.decision.trail.map((ruling) => [
    ruling.rule,
    <Badge key="effect" variant="light" radius="sm" color={EFFECTS[ruling.effect]}>
      {ruling.effect}
    </Badge>,
    ruling.effect === "pass" ? fleet(ruling.after) : `${fleet(ruling.before)} → ${fleet(ruling.after)}`,
    ruling.reason,
  ]);
  return <Section title="Rules, in order" head={["Rule", "Effect", "Replicas", "Why"]} rows={rows} />;
}

function Seen({ tick }: { tick: Tick }) {
  const rows = tick.inputs.observation.variants.map((v) => [
    v.variant,
    `${v.ready} / ${v.desired}`,
    v.pending,
    `${v.reporting} of ${v.ready}`,
    number(v.waiting, 0),
    number(v.running, 0),
    share(v.kv_usage_mean, 0),
    rate(v.arrival_rps),
    v.ttft ? seconds(v.ttft.p99_s) : seconds(null),
    v.tpot ? seconds(v.tpot.p99_s) : seconds(null),
  ]);
  const head = ["Variant", "Ready / desired", "Pending", "Reporting", "Waiting", "Running", "KV", "Arrivals", "TTFT p99", "TPOT p99"];
  return <Section title="What was seen" head={head} rows={rows} />;
}

function Possible({ tick }: { tick: Tick }) {
  const rows = tick.plan.capacities.map((capacity) => [
    capacity.variant,
    rate(capacity.requests_per_s),
    capacity.bound,
    `${number(capacity.calibration, 2)} ×`,
    seconds(tick.inputs.cold_starts[capacity.variant]?.p90_s),
    tick.plan.replicas[capacity.variant] ?? 0,
  ]);
  const head = ["Variant", "One replica carries", "Limited by", "Step time vs prior", "Cold start p90", "Planned"];
  return <Section title="What was possible" head={head} rows={rows} />;
}

function Expected({ tick }: { tick: Tick }) {
  const forecast = tick.inputs.forecast;
  if (!forecast) return null;
  const { levels, peak } = forecast.requests_per_s;
  const head = levels.map((level) => `p${number(level * 100, 0)}`);
  const title = `Expected peak over the next ${seconds(forecast.horizon_s)}, by ${forecast.requests_per_s.forecaster}`;
  return <Section title={title} head={head} rows={[peak.map((value) => rate(value))]} />;
}

function Alternatives({ tick }: { tick: Tick }) {
  const rows = (tick.plan.alternatives ?? []).map((other) => [
    fleet(other.replicas),
    dollarsPerHour(other.usd_per_hour),
    dollarsChange(other.usd_per_hour - tick.plan.usd_per_hour),
    other.note,
  ]);
  const chosen = [
    <b key="fleet">{fleet(tick.plan.replicas)}</b>,
    dollarsPerHour(tick.plan.usd_per_hour),
    "",
    tick.plan.feasible ? "planned, before the rules" : "planned, though it cannot hold the SLO",
  ];
  return <Section title="What was planned, and what was not chosen" head={["Fleet", "Cost", "Against the plan", "Why"]} rows={[chosen, ...rows]} />;
}

function Done({ tick }: { tick: Tick }) {
  const rows = tick.actuations.map((a) => [a.variant, `${a.replicas_from} → ${a.replicas_to}`, a.result, a.detail ?? ""]);
  return <Section title="What was done" head={["Variant", "Replicas", "Result", "Detail"]} rows={rows} />;
}
