import { Alert, Anchor, Breadcrumbs, Button, Group, Modal, Stack, Text, Title } from "@mantine/core";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useState } from "react";

import { useMe } from "../api/hooks";
import { type Policy, useApprovals, useArchivePolicy, usePoliciesOf, usePolicy, useStages, useVersions, type Version } from "../api/policies";
import { Refused } from "../components/overrides/Refused";
import { OpenApprovals } from "../components/policies/Approvals";
import { GitOpsBadge, Person, StageBadge } from "../components/policies/bits";
import { OneVersion } from "../components/policies/OneVersion";
import { Versions } from "../components/policies/Versions";
import { Moment } from "../components/bits";
import { Answer } from "../components/states";
import { interesting, keysOf, whyNotWrite } from "../lib/policy";
import type { PolicySearch } from "../lib/policySearch";

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
