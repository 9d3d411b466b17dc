import { Badge, Paper, Table, Text, Title } from "@mantine/core";

import type { Tick } from "../../api/client";
import type { Explanation } from "../../api/explain";
import { dollarsChange, dollarsPerHour, fleet, number, rate, seconds, share } from "../../lib/format";
import { Section } from "./Section";

const BOUNDS: Record<string, string> = {
  Tpot: "TPOT SLO",
  Ttft: "TTFT SLO",
  Kv: "KV cache",
  Sequences: "requests at a time",
  LoraSlots: "LoRA slots",
  E2e: "whole-request SLO",
  Infeasible: "cannot meet the SLO",
};
const EFFECTS = { pass: "gray", limit: "orange", hold: "yellow", abstain: "grape" } as const;
/** What an effect means, for those who never read of it. */
const SAID = { pass: "agreed", limit: "limited it", hold: "held it", abstain: "could not judge" } as const;

/** Those that bent the plan, in order; the many that had nothing to say are folded away. */
export function Rules({ tick }: { tick: Tick }) {
  const { trail } = tick.decision;
  const acted = trail.filter((ruling) => ruling.effect !== "pass");
  const agreed = trail.filter((ruling) => ruling.effect === "pass");
  return (
    <Paper withBorder component="section" aria-label="Rules, in order" style={{ overflowX: "auto" }} tabIndex={0}>
      <Title order={2} size="h6" px="md" pt="sm">
        Rules, in order
      </Title>
      <Text size="xs" c="dimmed" px="md" pb="xs">
        {acted.length === 0
          ? "Each may bend what was planned; here none did."
          : `Each may bend what was planned, and the next one sees what it left. ${acted.length} of ${trail.length} did.`}
      </Text>
      {acted.length > 0 && <RuleTable rulings={acted} />}
      {agreed.length > 0 && (
        <details>
          <summary style={{ padding: "8px 16px" }}>{agreed.length} rules agreed</summary>
          <RuleTable rulings={agreed} />
        </details>
      )}
    </Paper>
  );
}

function RuleTable({ rulings }: { rulings: Tick["decision"]["trail"] }) {
  return (
    <Table verticalSpacing={6} horizontalSpacing="md">
      <Table.Thead>
        <Table.Tr>
          {["Rule", "What it did", "Replicas", "Why"].map((head) => (
            <Table.Th key={head}>{head}</Table.Th>
          ))}
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {rulings.map((ruling) => (
          <Table.Tr key={ruling.rule}>
            <Table.Td>{ruling.rule}</Table.Td>
            <Table.Td>
              <Badge variant="light" radius="sm" tt="none" color={EFFECTS[ruling.effect]}>
                {SAID[ruling.effect]}
              </Badge>
            </Table.Td>
            <Table.Td style={{ whiteSpace: "nowrap" }}>
              {ruling.effect === "pass" ? fleet(ruling.after) : `${fleet(ruling.before)} → ${fleet(ruling.after)}`}
            </Table.Td>
            <Table.Td miw={220}>{ruling.reason}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

export function Seen({ tick }: { tick: Tick }) {
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

export function Possible({ tick }: { tick: Tick }) {
  const rows = tick.plan.capacities.map((capacity) => [
    capacity.variant,
    rate(capacity.requests_per_s),
    BOUNDS[capacity.bound] ?? capacity.bound,
    `${number(capacity.calibration, 2)} ×`,
    seconds(tick.inputs.cold_starts[capacity.variant]?.p90_s),
    tick.plan.replicas[capacity.variant] ?? 0,
  ]);
  const head = ["Variant", "One replica carries", "Limited by", "Step time, against the datasheet's", "Cold start p90", "Planned"];
  return <Section title="What was possible" hint="Within the SLO, as learned from this fleet." head={head} rows={rows} />;
}

export function Expected({ tick }: { tick: Tick }) {
  const forecast = tick.inputs.forecast;
  if (!forecast) return null;
  const { levels, peak } = forecast.requests_per_s;
  const head = levels.map((level) => `p${number(level * 100, 0)}`);
  const title = `Expected peak over the next ${seconds(forecast.horizon_s)}, by ${forecast.requests_per_s.forecaster}`;
  return <Section title={title} hint="p90: in nine of ten cases the load stays below it." head={head} rows={[peak.map((value) => rate(value))]} />;
}

/** A note that says no more than the column of what it costs more. */
const BARE_PRICE = /^\+[\d.]+ \$\/h$/;

/** Fleets that could have been chosen; what share of the requests each could have served is known a moment later. */
export function Alternatives({ tick, explanation }: { tick: Tick; explanation: Explanation | undefined }) {
  const rows = (tick.plan.alternatives ?? []).map((other, i) => [
    fleet(other.replicas),
    dollarsPerHour(other.usd_per_hour),
    dollarsChange(other.usd_per_hour - tick.plan.usd_per_hour),
    share(explanation?.rejected[i]?.expected_attainment),
    BARE_PRICE.test(other.note) ? "dearer" : other.note,
  ]);
  const chosen = [
    <b key="fleet">{fleet(tick.plan.replicas)}</b>,
    dollarsPerHour(tick.plan.usd_per_hour),
    "",
    share(explanation?.plan.expected_attainment),
    whyPlanned(tick.plan),
  ];
  const hint = "Expected to be served: the share of the requests at the forecast's peak that find room within the SLO.";
  const head = ["Fleet", "Cost", "Against the plan", "Expected to be served", "Why"];
  return <Section title="What was planned, and what was not chosen" hint={hint} head={head} rows={[chosen, ...rows]} />;
}

/** A plan that carries all may still pass a limit that it could not keep. */
function whyPlanned({ feasible, binding }: Tick["plan"]): string {
  if (!feasible) return `planned, though it cannot hold the SLO: ${binding}`;
  return binding ? `planned, before the rules; ${binding}` : "planned, before the rules";
}

export function Done({ tick }: { tick: Tick }) {
  const rows = tick.actuations.map((a) => [a.variant, `${a.replicas_from} → ${a.replicas_to}`, a.result, a.detail ?? ""]);
  return <Section title="What was done" head={["Variant", "Replicas", "Result", "Detail"]} rows={rows} />;
}
