import { Code, Group, Stack, Text, Title } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo } from "react";

import type { Fleet } from "../api/client";
import { useFleet } from "../api/hooks";
import { useLive } from "../api/live";
import { Stat, Stats } from "../components/bits";
import { useHeardBy } from "../components/Clock";
import { Filters } from "../components/fleet/Filters";
import { Rows } from "../components/fleet/Rows";
import { Answer, Empty } from "../components/states";
import { arranged, fleetSearch, type FleetSearch, grouped, severity } from "../lib/fleet";
import { dollarsPerHour, rate, share, time, UNKNOWN } from "../lib/format";

export function FleetPage() {
  const fleet = useFleet();
  const { stale } = useLive();
  return (
    <Stack>
      <Group gap="sm" align="baseline">
        <Title order={1} size="h3">
          Fleet
        </Title>
        {stale && fleet.data && (
          <Text size="sm" fw={600} role="status">
            Stale: as of {time(fleet.data.totals.now_s)}
          </Text>
        )}
      </Group>
      <Answer of={fleet}>{(data) => <FleetView fleet={data} />}</Answer>
    </Stack>
  );
}

export function FleetView({ fleet }: { fleet: Fleet }) {
  const narrow = useMediaQuery("(max-width: 75em)") ?? false;
  const raw: Record<string, unknown> = useSearch({ strict: false });
  const search = useMemo(() => fleetSearch(raw), [raw]);
  const navigate = useNavigate();
  const { totals, targets } = fleet;
  // What is late is late by the clock, also while no new decision comes.
  const now = useHeardBy(totals.now_s);
  const rows = useMemo(() => grouped(arranged(targets, search, now), search.group, now), [targets, search, now]);
  if (targets.length === 0) {
    return (
      <Empty title="Waiting for the first decision">
        No target has been seen yet. The controller reads them from the cluster; <Code>kubectl get infas -A</Code> lists them.
      </Empty>
    );
  }
  const set = (change: Partial<FleetSearch>) => void navigate({ to: "/", search: { ...search, ...change }, replace: true } as never);
  const shown = rows.filter((row) => row.kind === "target").length;
  return (
    <>
      <Stats>
        <Stat label="Load">{rate(totals.requests_per_s)}</Stat>
        <Stat label="Replicas ready / desired">
          {totals.ready ?? UNKNOWN} / {totals.desired ?? UNKNOWN}
        </Stat>
        <Stat label="SLO met" hint="share of the newest window's requests that met TTFT and TPOT, weighed by load">
          {share(totals.attainment)}
        </Stat>
        <Stat label="Cost">{dollarsPerHour(totals.usd_per_hour)}</Stat>
        <Stat label="Targets">{totals.targets}</Stat>
        <Stat label="With faults">{targets.filter((target) => severity(target, now) > 0).length}</Stat>
      </Stats>
      <Filters search={search} set={set} shown={shown} all={targets.length} />
      {shown === 0 ? <Empty title="No target is like that">Change the filter, or show all.</Empty> : <Rows rows={rows} narrow={narrow} nowS={now} />}
    </>
  );
}
