import { Alert, Anchor, Breadcrumbs, Button, Code, Group, Modal, Paper, Select, Stack, Tabs, Text, Title } from "@mantine/core";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useState } from "react";

import { useMe } from "../api/hooks";
import { type Approval, type Policy, type StageRow, useApprovals, useArchivePolicy, usePoliciesOf, usePolicy, useStages, useVersions, type Version } from "../api/policies";
import { Refused } from "../components/overrides/Refused";
import { OpenApprovals } from "../components/policies/Approvals";
import { GitOpsBadge, Person, StageBadge } from "../components/policies/bits";
import { Commit } from "../components/policies/Commit";
import { History } from "../components/policies/History";
import { RegretView } from "../components/policies/Regret";
import { ShadowTicks } from "../components/policies/ShadowTicks";
import { SideBySide } from "../components/policies/SideBySide";
import { Stepper } from "../components/policies/Stepper";
import { Steps } from "../components/policies/Steps";
import { Versions } from "../components/policies/Versions";
import { Moment } from "../components/bits";
import { Answer } from "../components/states";
import { interesting, keysOf, whyNotWrite } from "../lib/policy";
import type { PolicySearch } from "../lib/policySearch";
import { toYaml } from "../lib/specYaml";

const NewVersion = lazy(() => import("../components/policies/NewVersion").then(({ NewVersion }) => ({ default: NewVersion })));

export function PolicyPage() {
  const { id } = useParams({ strict: false }) as { id: string };
  const policy = usePolicy(id);
  return (
    <Stack>
      <Breadcrumbs>
        <Anchor component={Link} to="/policies">
          Policies
        </Anchor>
        <Text>{policy.data?.name ?? "…"}</Text>
      </Breadcrumbs>
      <Answer of={policy}>{(data) => <PolicyView key={id} policy={data} />}</Answer>
    </Stack>
  );
}

export function PolicyView({ policy }: { policy: Policy }) {
  const search = useSearch({ strict: false }) as PolicySearch;
  const navigate = useNavigate();
  const set = (change: Partial<PolicySearch>) => void navigate({ to: "/policies/$id", params: { id: policy.id }, search: { ...search, ...change }, resetScroll: false } as never);
  const versions = useVersions(policy.id, policy.versions.length);
  const history = useStages(policy).data ?? [];
  const approvals = (useApprovals().data ?? []).filter((one) => one.policy_id === policy.id);
  const chosen = policy.versions.some(({ number }) => number === search.v) ? (search.v as number) : interesting(policy);
  useEffect(() => {
    document.title = `${policy.name} · Policies · Tidegate`;
  }, [policy.name]);
  return (
    <Stack>
      <Head policy={policy} edit={search.edit === undefined ? () => set({ edit: chosen }) : null} />
      {search.edit === undefined && <OpenApprovals policy={policy} approvals={approvals} />}
      <Answer of={versions}>
        {(all) => {
          const fresh = withStages(all, policy);
          const version = fresh.find(({ number }) => number === chosen);
          if (search.edit !== undefined) {
            return (
              <Suspense fallback={<Text c="dimmed">The editor is on its way.</Text>}>
                <NewVersion policy={policy} parent={fresh.find(({ number }) => number === search.edit) ?? fresh[0]!} done={(number) => set({ edit: undefined, ...(number === null ? {} : { v: number, against: undefined, tab: "changes" }) })} />
              </Suspense>
            );
          }
          return (
            <div className="policy-columns">
              <Versions policy={policy} chosen={chosen} search={search} />
              {/* A version that was made a moment ago may be in the policy already, and not yet here. */}
              {version ? (
                <OneVersion policy={policy} version={version} versions={fresh} history={history} approvals={approvals} search={search} set={set} />
              ) : (
                <Text c="dimmed">Version {chosen} is on its way.</Text>
              )}
            </div>
          );
        }}
      </Answer>
    </Stack>
  );
}

/** Specs never change, stages do: the policy has the newer word. */
const withStages = (versions: Version[], policy: Policy): Version[] =>
  versions.map((one) => ({ ...one, ...policy.versions.find(({ number }) => number === one.number) }));

function Head({ policy, edit }: { policy: Policy; edit: (() => void) | null }) {
  const [archiving, setArchiving] = useState(false);
  const me = useMe().data;
  const refused = whyNotWrite(me, policy.namespaces) ?? (policy.archived_at_s === null ? null : "It was put away.");
  return (
    <Stack gap={6}>
      <Group justify="space-between">
        <Group gap="sm">
          <Title order={1} size="h3">
            {policy.name}
          </Title>
          {policy.live !== null && <StageBadge stage="Live" number={policy.live} />}
          {policy.read_only && <GitOpsBadge />}
        </Group>
        <Group gap="xs">
          {policy.read_only ? (
            <Beside policy={policy} />
          ) : (
            <>
              <Button size="xs" variant="default" disabled={refused !== null} title={refused ?? undefined} onClick={() => setArchiving(true)}>
                Put the policy away
              </Button>
              {edit && (
                <Button size="xs" disabled={refused !== null} title={refused ?? undefined} onClick={edit}>
                  New version
                </Button>
              )}
            </>
          )}
        </Group>
      </Group>
      <Text size="sm" component="div">
        {policy.namespaces.length === 1 ? "Target " : "Targets "}
        {keysOf(policy).map((key, place) => (
          <span key={key}>
            {place > 0 && ", "}
            <Anchor component={Link} to="/targets/$namespace/$name" params={{ namespace: policy.namespaces[place], name: policy.name } as never} size="sm" underline="always">
              {key}
            </Anchor>
          </span>
        ))}
        . Made by <Person id={policy.created_by} /> at <Moment at={policy.created_at_s} />.
      </Text>
      {policy.archived_at_s !== null && <Alert color="gray">The policy was put away; nothing of it decides. What it was stays readable.</Alert>}
      {archiving && <ArchiveDialog policy={policy} close={() => setArchiving(false)} />}
    </Stack>
  );
}

/** A custom resource is changed where it is kept; the change can be drafted and shadowed here first. */
function Beside({ policy }: { policy: Policy }) {
  const me = useMe().data;
  const made = usePoliciesOf(policy.namespaces[0] ?? "", policy.name).data?.made ?? null;
  const refused = whyNotWrite(me, policy.namespaces);
  if (made) {
    return (
      <Button size="xs" component={Link} to="/policies/$id" params={{ id: made.id } as never}>
        To the change beside it
      </Button>
    );
  }
  if (refused !== null) {
    return (
      <Button size="xs" disabled title={refused}>
        Draft a change beside it
      </Button>
    );
  }
  return (
    <Button size="xs" component={Link} to="/policies" search={{ show: "all", draft: keysOf(policy)[0] } as never}>
      Draft a change beside it
    </Button>
  );
}

function ArchiveDialog({ policy, close }: { policy: Policy; close: () => void }) {
  const archive = useArchivePolicy();
  const open = policy.versions.filter(({ stage }) => stage !== "RolledBack" && stage !== "Superseded");
  const decides = policy.live === null ? "Nothing of it decides now, so 0 replicas move." : `${keysOf(policy).join(", ")} keep the replicas that there are, whatever the load.`;
  return (
    <Modal opened onClose={close} title={`Put ${policy.name} away?`} closeButtonProps={{ "aria-label": "close" }}>
      <Stack>
        <Text size="sm" data-testid="consequence">
          {open.length} of {policy.versions.length} versions are superseded{open.length > 0 && ` (${open.map(({ number, stage }) => `v${number} ${stage}`).join(", ")})`}. {decides} Its name is free again.
        </Text>
        <Refused error={archive.error} />
        <Group justify="end">
          <Button variant="default" onClick={close}>
            Keep it
          </Button>
          <Button color="red.9" loading={archive.isPending} onClick={() => archive.mutate(policy, { onSuccess: close })}>
            Put it away
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}

type OneProps = { policy: Policy; version: Version; versions: Version[]; history: StageRow[]; approvals: Approval[]; search: PolicySearch; set: (change: Partial<PolicySearch>) => void };

function OneVersion({ policy, version, versions, history, approvals, search, set }: OneProps) {
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
