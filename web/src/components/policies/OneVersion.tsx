import { Code, Group, Paper, Select, Stack, Tabs, Text, Title } from "@mantine/core";

import type { Approval, Policy, StageRow, Version } from "../../api/policies";
import type { PolicySearch } from "../../lib/policySearch";
import { toYaml } from "../../lib/specYaml";
import { Moment } from "../bits";
import { Person, StageBadge } from "./bits";
import { Commit } from "./Commit";
import { History } from "./History";
import { RegretView } from "./Regret";
import { ShadowTicks } from "./ShadowTicks";
import { SideBySide } from "./SideBySide";
import { Stepper } from "./Stepper";
import { Steps } from "./Steps";

type OneProps = { policy: Policy; version: Version; versions: Version[]; history: StageRow[]; approvals: Approval[]; search: PolicySearch; set: (change: Partial<PolicySearch>) => void };

/** One version: where it is in its life, what may be done with it, and what is known of it. */
export function OneVersion({ policy, version, versions, history, approvals, search, set }: OneProps) {
  const own = history.filter(({ number }) => number === version.number);
  const decides = policy.origin === "Api";
  const tab = decides || search.tab === "yaml" ? search.tab : "changes";
  const watched = decides && (["Shadow", "Canary", "Live"] as const).some((stage) => own.some((row) => row.stage === stage));
  return (
    <Stack gap="md" style={{ minWidth: 0 }}>
      <Paper withBorder p="md">
        <Stack gap="sm">
          <Group justify="space-between">
            <Group gap="xs">
              <Title order={2} size="h4">
                Version {version.number}
              </Title>
              <StageBadge stage={version.stage} />
            </Group>
            <Text size="sm" c="dimmed" component="div">
              by <Person id={version.author} />
              {version.parent !== null && ` from v${version.parent}`}, <Moment at={version.created_at_s} />
            </Text>
          </Group>
          <Text size="sm" style={{ overflowWrap: "anywhere" }}>
            {version.reason}
          </Text>
          {decides && (
            <>
              <Stepper stage={version.stage} history={own} />
              <Steps policy={policy} version={version} versions={versions} history={history} approvals={approvals} />
            </>
          )}
        </Stack>
      </Paper>
      {decides && <Commit policy={policy} version={version} />}
      <Tabs value={tab} onChange={(tab) => set({ tab: (tab ?? "changes") as PolicySearch["tab"] })} keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="changes">Changes</Tabs.Tab>
          {decides && <Tabs.Tab value="regret">Beside live</Tabs.Tab>}
          {decides && <Tabs.Tab value="ticks">Its decisions</Tabs.Tab>}
          <Tabs.Tab value="yaml">YAML</Tabs.Tab>
          {decides && <Tabs.Tab value="history">History</Tabs.Tab>}
        </Tabs.List>
        <Tabs.Panel value="changes" pt="sm">
          <Changes version={version} versions={versions} live={policy.live} search={search} set={set} />
        </Tabs.Panel>
        <Tabs.Panel value="regret" pt="sm">
          <RegretView policy={policy} version={version} watched={watched} />
        </Tabs.Panel>
        <Tabs.Panel value="ticks" pt="sm">
          <ShadowTicks policy={policy} version={version} />
        </Tabs.Panel>
        <Tabs.Panel value="yaml" pt="sm">
          <Paper withBorder tabIndex={0} role="region" aria-label={`Version ${version.number} as YAML`} style={{ overflowX: "auto" }}>
            <Code block>{toYaml(version.spec)}</Code>
          </Paper>
        </Tabs.Panel>
        <Tabs.Panel value="history" pt="sm">
          <History rows={history} approvals={approvals} />
        </Tabs.Panel>
      </Tabs>
    </Stack>
  );
}

/** This version beside any other: by default the one that it was made from, else the one that decides. */
function Changes({ version, versions, live, search, set }: { version: Version; versions: Version[]; live: number | null; search: PolicySearch; set: OneProps["set"] }) {
  const others = versions.filter(({ number }) => number !== version.number);
  const wanted = search.against ?? version.parent ?? live;
  const other = others.find(({ number }) => number === wanted) ?? others.at(-1);
  if (other === undefined) {
    return (
      <Stack gap="xs">
        <Text size="sm" c="dimmed">
          There is no other version to compare it with. This is what it says:
        </Text>
        <Paper withBorder tabIndex={0} role="region" aria-label={`Version ${version.number} as YAML`} style={{ overflowX: "auto" }}>
          <Code block>{toYaml(version.spec)}</Code>
        </Paper>
      </Stack>
    );
  }
  const name = ({ number, stage }: Version) => `Version ${number} (${stage})`;
  const [older, newer] = other.number < version.number ? [other, version] : [version, other];
  return (
    <Stack gap="xs">
      <Group gap="xs">
        <Text size="sm">Beside</Text>
        <Select aria-label="compare with" size="xs" w={200} allowDeselect={false} value={String(other.number)} data={[...others].reverse().map((one) => ({ value: String(one.number), label: name(one) }))} onChange={(number) => set({ against: Number(number) })} />
      </Group>
      <SideBySide before={toYaml(older.spec)} after={toYaml(newer.spec)} names={[name(older), name(newer)]} />
    </Stack>
  );
}
