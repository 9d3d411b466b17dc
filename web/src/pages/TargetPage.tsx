import { Anchor, Breadcrumbs, Group, SegmentedControl, Stack, Text, Title } from "@mantine/core";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";

import type { TargetSummary } from "../api/client";
import { useSeries, useTarget } from "../api/hooks";
import { useLive } from "../api/live";
import { Stat, Stats, Variants, VerdictBadge } from "../components/bits";
import { Charts } from "../components/Charts";
import { Decisions } from "../components/Decisions";
import { Answer } from "../components/states";
import { dollarsPerHour, rate, seconds, share } from "../lib/format";
import { RANGES, type Range, type TargetSearch } from "../lib/search";

export function TargetPage() {
  const { namespace, name } = useParams({ strict: false }) as { namespace: string; name: string };
  const search = useSearch({ strict: false }) as TargetSearch;
  const navigate = useNavigate();
  const { nowS } = useLive();
  const target = useTarget(namespace, name);
  const series = useSeries(namespace, name, RANGES[search.range], nowS);
  const set = (change: Partial<TargetSearch>) =>
    void navigate({ to: "/targets/$namespace/$name", params: { namespace, name }, search: { ...search, ...change }, replace: true } as never);
  return (
    <Stack>
      <Breadcrumbs>
        <Anchor component={Link} to="/">
          Fleet
        </Anchor>
        <Text>
          {namespace}/{name}
        </Text>
      </Breadcrumbs>
      <Answer of={target}>{(data) => <Head target={data} />}</Answer>
      <Group justify="space-between">
        <Title order={2} size="h5">
          Over time
        </Title>
        <SegmentedControl
          aria-label="time range"
          size="xs"
          value={search.range}
          onChange={(value) => set({ range: value as Range })}
          data={Object.keys(RANGES).map((value) => ({ value, label: value }))}
        />
      </Group>
      <Answer of={series}>{(data) => <Charts series={data} />}</Answer>
      <Decisions namespace={namespace} name={name} verdict={search.verdict} onVerdict={(verdict) => set({ verdict })} />
    </Stack>
  );
}

function Head({ target }: { target: TargetSummary }) {
  return (
    <Stack gap="sm">
      <Group>
        <Title order={1} size="h3">
          {target.namespace}/{target.name}
        </Title>
        <VerdictBadge verdict={target.verdict} />
        <Text c="dimmed" size="sm">
          {target.reason ?? "waiting for the first decision"}
        </Text>
      </Group>
      <Stats>
        <Stat label="Model">{target.model}</Stat>
        <Stat label="Mode">{target.mode}</Stat>
        <Stat label="Load">{rate(target.requests_per_s)}</Stat>
        <Stat label="Planned for" hint="the quantile of the coming peak, and the queue's share">
          {rate(target.forecast_requests_per_s)}
        </Stat>
        <Stat label="SLO met, now / day">
          {share(target.attainment)} / {share(target.attainment_day)}
        </Stat>
        <Stat label="SLO" hint="limits of the time to the first token and per output token, and the share that must meet both">
          TTFT {seconds(target.slo.ttft_s)}, TPOT {seconds(target.slo.tpot_s)}, {share(target.slo.attainment)}
        </Stat>
        <Stat label="Cost">{dollarsPerHour(target.usd_per_hour)}</Stat>
      </Stats>
      <Variants variants={target.variants} />
    </Stack>
  );
}
