import { Anchor, Breadcrumbs, Group, Stack, Text, Title } from "@mantine/core";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";

import type { TargetSummary } from "../api/client";
import { useSeries, useTarget } from "../api/hooks";
import { useLive } from "../api/live";
import { Stat, Stats, Variants, VerdictBadge } from "../components/bits";
import { useHeardBy } from "../components/Clock";
import { Cost, Troubles } from "../components/fleet/cells";
import { OverridesOfTarget } from "../components/overrides/OfTarget";
import { PolicyLink } from "../components/policies/OfTarget";
import { Answer } from "../components/states";
import { Charts } from "../components/target/Charts";
import { Decisions } from "../components/target/Decisions";
import { TimeRange } from "../components/target/TimeRange";
import { rate, seconds, share } from "../lib/format";
import type { TargetSearch } from "../lib/search";

export function TargetPage() {
  const { namespace, name } = useParams({ strict: false }) as { namespace: string; name: string };
  const search = useSearch({ strict: false }) as TargetSearch;
  const navigate = useNavigate();
  const { nowS } = useLive();
  const target = useTarget(namespace, name);
  const series = useSeries(namespace, name, search, nowS);
  // Each stretch of time is a place to come back to: the browser's back button undoes a zoom.
  const set = (change: Partial<TargetSearch>) =>
    void navigate({ to: "/targets/$namespace/$name", params: { namespace, name }, search: { ...search, ...change }, resetScroll: false } as never);
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
      <Answer of={target}>
        {(data) => (
          <>
            <Head target={data} />
            <OverridesOfTarget target={data} />
          </>
        )}
      </Answer>
      <Group justify="space-between">
        <Title order={2} size="h5">
          Over time
        </Title>
        <TimeRange search={search} set={set} />
      </Group>
      <Answer of={series}>{(data) => <Charts series={data} onZoom={set} />}</Answer>
      <Decisions namespace={namespace} name={name} search={search} onVerdict={(verdict) => set({ verdict })} />
    </Stack>
  );
}

function Head({ target }: { target: TargetSummary }) {
  const now = useHeardBy(target.at_s ?? 0);
  return (
    <Stack gap="sm">
      <Group>
        <Title order={1} size="h3">
          {target.namespace}/{target.name}
        </Title>
        {target.tick_id ? (
          <Anchor component={Link} to="/ticks/$id" params={{ id: target.tick_id } as never} underline="never" aria-label={`newest decision: ${target.verdict}`}>
            <VerdictBadge verdict={target.verdict} />
          </Anchor>
        ) : (
          <VerdictBadge verdict={null} />
        )}
        <Text c="dimmed" size="sm">
          {target.reason ?? "waiting for the first decision"}
        </Text>
      </Group>
      <Troubles target={target} nowS={now} />
      <Stats>
        <Stat label="Model">{target.model}</Stat>
        <Stat label="Mode">
          <PolicyLink namespace={target.namespace} name={target.name}>
            {target.mode}
          </PolicyLink>
        </Stat>
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
        <Stat label="Cost">
          <Cost target={target} />
        </Stat>
      </Stats>
      <Variants variants={target.variants} />
    </Stack>
  );
}
