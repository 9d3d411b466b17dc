import { Alert, Anchor, Button, Group, Paper, SegmentedControl, Select, Stack, Switch, Table, Text, TextInput, Title } from "@mantine/core";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { lazy, Suspense } from "react";

import { useMe } from "../api/hooks";
import { type Approval, type Policy, type Stage, useApprovals, usePolicies } from "../api/policies";
import { Moment } from "../components/bits";
import { Older } from "../components/Older";
import { GitOpsBadge, Person, StageBadge } from "../components/policies/bits";
import { Answer, Empty } from "../components/states";
import { keysOf, leading, whyNotApprove } from "../lib/policy";
import { type PoliciesSearch, STAGES } from "../lib/policySearch";

const NewPolicy = lazy(() => import("../components/policies/NewPolicy").then(({ NewPolicy }) => ({ default: NewPolicy })));

const holds = (one: Policy, { q, stage, origin }: PoliciesSearch) =>
  (stage === undefined || one.versions.some((version) => version.stage === stage)) &&
  (origin === undefined || one.origin === origin) &&
  `${keysOf(one).join(" ")} ${one.created_by} ${leading(one)?.author} ${leading(one)?.reason}`.toLowerCase().includes((q ?? "").toLowerCase());

/** Every policy: where its versions are, what it decides for, and what waits for a word. */
export function PoliciesPage() {
  const search = useSearch({ strict: false }) as PoliciesSearch;
  const navigate = useNavigate();
  const set = (change: Partial<PoliciesSearch>) => void navigate({ to: "/policies", search: { ...search, ...change }, replace: true } as never);
  const me = useMe().data;
  const found = usePolicies(search.archived === true);
  const approvals = useApprovals().data ?? [];
  const maySomewhere = (me?.grants ?? []).some(({ role }) => role !== "Viewer");
  if (search.draft !== undefined) {
    return (
      <Suspense fallback={<Title order={1} size="h3">New policy</Title>}>
        <NewPolicy of={search.draft} />
      </Suspense>
    );
  }
  return (
    <Stack>
      <Group justify="space-between">
        <Title order={1} size="h3">
          Policies
        </Title>
        <Button size="xs" disabled={!maySomewhere} title={maySomewhere ? undefined : "This needs the role Operator"} onClick={() => void navigate({ to: "/policies", search: { ...search, draft: "new" } } as never)}>
          New policy
        </Button>
      </Group>
      <Filters search={search} set={set} />
      <Answer of={found}>
        {(data) => {
          const all = data.pages.flatMap((page) => page.items);
          const mine = approvals.filter((one) => one.decision === null && whyNotApprove(one, me, all.find(({ id }) => id === one.policy_id)?.namespaces ?? ["?"]) === null);
          const items = all.filter((one) => holds(one, search) && (search.show !== "waiting" || mine.some(({ policy_id }) => policy_id === one.id)));
          return (
            <>
              {mine.length > 0 && search.show !== "waiting" && (
                <Alert color="yellow" role="status" data-testid="waiting">
                  <Group justify="space-between">
                    <Text size="sm">
                      {mine.length} {mine.length === 1 ? "version waits" : "versions wait"} for your approval.
                    </Text>
                    <Button size="xs" variant="default" onClick={() => set({ show: "waiting" })}>
                      Show
                    </Button>
                  </Group>
                </Alert>
              )}
              {items.length === 0 ? <Nothing search={search} any={all.length > 0} set={set} /> : <Rows policies={items} approvals={mine} resources={all.filter(({ origin }) => origin === "CustomResource").flatMap(keysOf)} />}
              <Older of={found} />
            </>
          );
        }}
      </Answer>
    </Stack>
  );
}

function Filters({ search, set }: { search: PoliciesSearch; set: (change: Partial<PoliciesSearch>) => void }) {
  return (
    <Group gap="xs" role="search" aria-label="policies">
      <SegmentedControl
        aria-label="which"
        size="xs"
        value={search.show}
        data={[
          { value: "all", label: "All" },
          { value: "waiting", label: "Waiting for me" },
        ]}
        onChange={(show) => set({ show: show as PoliciesSearch["show"] })}
      />
      <TextInput aria-label="search policies" placeholder="Target, person, reason" size="xs" w={200} value={search.q ?? ""} onChange={(event) => set({ q: event.currentTarget.value || undefined })} />
      <Select aria-label="stage" placeholder="Any stage" size="xs" w={130} clearable clearButtonProps={{ "aria-label": "any stage" }} data={STAGES} value={search.stage ?? null} onChange={(stage) => set({ stage: (stage as Stage | null) ?? undefined })} />
      <Select
        aria-label="origin"
        placeholder="Any origin"
        size="xs"
        w={150}
        clearable
        clearButtonProps={{ "aria-label": "any origin" }}
        data={[
          { value: "Api", label: "Made here" },
          { value: "CustomResource", label: "GitOps" },
        ]}
        value={search.origin ?? null}
        onChange={(origin) => set({ origin: (origin as PoliciesSearch["origin"] | null) ?? undefined })}
      />
      <Switch size="xs" label="Put away too" checked={search.archived === true} onChange={(event) => set({ archived: event.currentTarget.checked ? true : undefined })} />
    </Group>
  );
}

function Nothing({ search, any, set }: { search: PoliciesSearch; any: boolean; set: (change: Partial<PoliciesSearch>) => void }) {
  if (search.show === "waiting") return <Empty title="Nothing waits for you">When somebody else asks for a version to decide, it is listed here.</Empty>;
  if (!any) return <Empty title="There is no policy yet">A policy says how a model is scaled. Draft one here, or keep it as a custom resource in Git: both are shown.</Empty>;
  return (
    <Empty title="No policy is like that">
      <Button size="xs" variant="default" mt="xs" onClick={() => set({ q: undefined, stage: undefined, origin: undefined })}>
        Show all
      </Button>
    </Empty>
  );
}

function Rows({ policies, approvals, resources }: { policies: Policy[]; approvals: Approval[]; resources: string[] }) {
  return (
    <Paper withBorder style={{ overflowX: "auto" }} tabIndex={0} role="region" aria-label="Policies">
      <Table verticalSpacing={6} horizontalSpacing="md" miw={960} highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            {["Policy", "Versions", "Targets", "Newest word", "Since"].map((head) => (
              <Table.Th key={head}>{head}</Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {policies.map((one) => (
            <Row key={one.id} policy={one} waiting={approvals.some(({ policy_id }) => policy_id === one.id)} beside={one.origin === "Api" && keysOf(one).some((key) => resources.includes(key))} />
          ))}
        </Table.Tbody>
      </Table>
    </Paper>
  );
}

/** Stages that say something of a policy's present; a Draft only where there is nothing more. */
const PRESENT: Stage[] = ["Live", "Canary", "Shadow", "Draft"];

/** `beside`: a custom resource decides one of its targets. */
function Row({ policy, waiting, beside }: { policy: Policy; waiting: boolean; beside: boolean }) {
  const lead = leading(policy);
  const shown = PRESENT.flatMap((stage) => policy.versions.filter((one) => one.stage === stage));
  return (
    <Table.Tr data-testid="policy-row">
      <Table.Td>
        <Group gap="xs">
          <Anchor component={Link} to="/policies/$id" params={{ id: policy.id } as never} fw={600} size="sm">
            {policy.name}
          </Anchor>
          {policy.read_only && <GitOpsBadge />}
          {policy.archived_at_s !== null && <Text size="xs">put away</Text>}
          {beside && policy.archived_at_s === null && (
            <Text size="xs" c="dimmed">
              beside GitOps
            </Text>
          )}
          {waiting && (
            <Text size="xs" fw={600}>
              waits for you
            </Text>
          )}
        </Group>
      </Table.Td>
      <Table.Td>
        <Group gap={4}>
          {shown.map((one) => (
            <StageBadge key={one.number} stage={one.stage} number={one.number} />
          ))}
          {shown.length === 0 && lead && <StageBadge stage={lead.stage} number={lead.number} />}
        </Group>
      </Table.Td>
      <Table.Td>
        <Text size="sm">{keysOf(policy).slice(0, 3).join(", ")}</Text>
        {policy.namespaces.length > 3 && (
          <Text size="xs" c="dimmed">
            and {policy.namespaces.length - 3} more
          </Text>
        )}
      </Table.Td>
      <Table.Td maw={380} style={{ overflowWrap: "anywhere" }}>
        {lead && (
          <Text size="sm">
            v{lead.number} by <Person id={lead.author} />: {lead.reason}
          </Text>
        )}
      </Table.Td>
      <Table.Td>
        <Moment at={lead?.since_s ?? null} />
      </Table.Td>
    </Table.Tr>
  );
}
