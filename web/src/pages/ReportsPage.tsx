import { Anchor, Button, Group, List, Paper, SegmentedControl, Select, Skeleton, Stack, Text, Title } from "@mantine/core";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import type { ReactNode } from "react";

import { useFleet } from "../api/hooks";
import { useReport, type Report } from "../api/reports";
import { useNow } from "../components/Clock";
import { Headline } from "../components/reports/Headline";
import { PerDay } from "../components/reports/PerDay";
import { ReportTable } from "../components/reports/ReportTable";
import { Answer, Empty } from "../components/states";
import { Absolute } from "../components/target/TimeRange";
import { baselinesOf } from "../lib/baseline";
import { stretch as inWords } from "../lib/format";
import { BYS, fileHref, PERIODS, type ReportsSearch } from "../lib/reportsSearch";
import type { Stretch } from "../lib/search";
import { useZone } from "../lib/zone";

export function ReportsPage() {
  const search = useSearch({ strict: false }) as ReportsSearch;
  const navigate = useNavigate();
  const now = useNow(2000);
  const set = (change: Partial<ReportsSearch>) => void navigate({ to: "/reports", search: { ...search, ...change }, replace: true, resetScroll: false } as never);
  const report = useReport(search, search.by, now !== null);
  // The large numbers first: each report is work for the API.
  const days = useReport(search, "day", report.data !== undefined);
  return (
    <Stack>
      <Group justify="space-between">
        <Title order={1} size="h3">
          Reports
        </Title>
        {report.data && <Files stretch={{ from: report.data.from_s, to: report.data.to_s }} search={search} />}
      </Group>
      <Controls search={search} set={set} now={() => now} />
      <Answer of={report}>{(data) => <ReportView report={data} days={days.data} search={search} set={set} />}</Answer>
    </Stack>
  );
}

type ControlsProps = { search: ReportsSearch; set: (change: Partial<ReportsSearch>) => void; now: () => number | null };

function Controls({ search, set, now }: ControlsProps) {
  const zone = useZone();
  const own = search.from !== undefined && search.to !== undefined ? { from: search.from, to: search.to } : null;
  const namespaces = [...new Set((useFleet().data?.targets ?? []).map((target) => target.namespace))].sort();
  return (
    <Group gap="sm">
      <Select
        aria-label="period"
        size="xs"
        w={150}
        allowDeselect={false}
        placeholder="a stretch of time"
        value={own === null ? search.period : null}
        data={[...PERIODS]}
        onChange={(period) => period && set({ period: period as ReportsSearch["period"], from: undefined, to: undefined })}
      />
      <Absolute key={`${search.from} ${search.to} ${zone}`} stretch={own} now={now} zone={zone} set={set} />
      <Select
        aria-label="namespace"
        size="xs"
        w={180}
        placeholder="Every namespace"
        clearable
        clearButtonProps={{ "aria-label": "every namespace" }}
        value={search.namespace ?? null}
        data={namespaces}
        onChange={(namespace) => set({ namespace: namespace ?? undefined })}
      />
    </Group>
  );
}

function Files({ stretch, search }: { stretch: Stretch; search: ReportsSearch }) {
  return (
    <Group gap="xs">
      {(["csv", "parquet"] as const).map((format) => (
        <Button key={format} component="a" href={fileHref(stretch, search, format)} download size="xs" variant="default">
          {format === "csv" ? "CSV" : "Parquet"}
        </Button>
      ))}
    </Group>
  );
}

type ViewProps = { report: Report; days: Report | undefined; search: ReportsSearch; set: (change: Partial<ReportsSearch>) => void };

export function ReportView({ report, days, search, set }: ViewProps) {
  const zone = useZone();
  if (report.rows.length === 0) return <Empty title="Nothing was recorded in this time">Choose another one: reports are made of the decisions that were recorded.</Empty>;
  return (
    <Stack>
      <Text size="sm" c="dimmed">
        {inWords(report.from_s, report.to_s, zone)}
      </Text>
      <Headline total={report.total} />
      <Against report={report} />
      {days ? <PerDay days={days.rows} /> : <Skeleton h={252} role="status" aria-label="loading the days" />}
      <Group justify="space-between">
        <Title order={2} size="h5">
          By {search.by}
        </Title>
        <SegmentedControl aria-label="a row of each" size="xs" value={search.by} data={BYS} onChange={(by) => set({ by: by as ReportsSearch["by"] })} />
      </Group>
      <ReportTable report={report} />
      <List size="sm" c="dimmed" spacing={2}>
        {report.notes.map((note) => (
          <List.Item key={note}>{note}</List.Item>
        ))}
      </List>
    </Stack>
  );
}

/** Against what savings are counted: without it their number says nothing. */
function Against({ report }: { report: Report }) {
  const found = baselinesOf(report.total);
  if (found.length === 0) {
    return (
      <Panel title="What did it save?">
        <Text size="sm">
          That is counted against another policy: <Anchor component={Link} to="/what-if" size="sm" underline="always">play a stretch of the past under HPA</Anchor>, and its cost becomes
          what is compared with. An administrator may also state a fixed fleet, as the setting report_baseline.
        </Text>
      </Panel>
    );
  }
  return (
    <Panel title="Saved, against what?">
      <List size="sm" spacing={2} data-testid="baselines">
        {found.map(({ target, words, job }) => (
          <List.Item key={target}>
            {target}: {words}
            {job && (
              <>
                {", as "}
                <Anchor component={Link} to="/what-if/$id" params={{ id: job } as never} size="sm" underline="always">
                  its newest replay
                </Anchor>
                {" says"}
              </>
            )}
            .
          </List.Item>
        ))}
      </List>
      <Text size="sm" mt={4}>
        Targets that are not named here count neither as saved nor as spent more.
      </Text>
    </Panel>
  );
}

function Panel({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Paper withBorder p="md" component="section" aria-label={title}>
      <Title order={2} size="h6" mb={4}>
        {title}
      </Title>
      {children}
    </Paper>
  );
}
