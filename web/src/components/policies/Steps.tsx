import { Button, Group, Stack, Text } from "@mantine/core";
import { useState } from "react";

import { useFleet, useMe } from "../../api/hooks";
import { type Approval, type Policy, type StageRow, type StepTo, useApprovalRequired, useShadowTicks, type Version } from "../../api/policies";
import { keysOf, previousLive, standing, STEP_ORDER, stepLabel, whyNotWrite } from "../../lib/policy";
import type { Facts } from "../../lib/policyStep";
import { AskDialog } from "./Approvals";
import { Person } from "./bits";
import { StepDialog } from "./StepDialog";

type Props = { policy: Policy; version: Version; versions: Version[]; history: StageRow[]; approvals: Approval[] };
type Opened = { kind: "step"; to: StepTo } | { kind: "ask"; to: "Canary" | "Live" };

/** What may be done with a version now: each a button, with why not where it may not. */
export function Steps({ policy, version, versions, history, approvals }: Props) {
  const [opened, setOpened] = useState<Opened | null>(null);
  const me = useMe().data;
  const required = useApprovalRequired().data ?? false;
  const facts = useFacts(policy, version, versions, history);
  const refused = whyNotWrite(me, policy.namespaces);
  const known = { policy, version, approvals, required, refused };
  const steps = STEP_ORDER.filter((to) => version.allowed.includes(to));
  if (steps.length === 0) {
    const why = policy.archived_at_s !== null ? "The policy was put away." : "Its life is over: make a new version from it to try again.";
    return (
      <Text size="sm" c="dimmed">
        {why}
      </Text>
    );
  }
  return (
    <Stack gap={6}>
      <Group gap="xs">
        {steps.map((to) => (
          <Step key={to} to={to} {...known} open={setOpened} />
        ))}
      </Group>
      {whyNots(steps, known).map((why) => (
        <Text key={why} size="sm" c="dimmed" data-testid="why-not">
          {why}
        </Text>
      ))}
      {required && (steps.includes("Live") || steps.includes("Canary")) && <Word {...{ policy, version, approvals }} />}
      {opened?.kind === "step" && <StepDialog facts={facts} to={opened.to} close={() => setOpened(null)} />}
      {opened?.kind === "ask" && <AskDialog policy={policy} number={version.number} stage={opened.to} close={() => setOpened(null)} />}
    </Stack>
  );
}

type Known = { policy: Policy; version: Version; approvals: Approval[]; required: boolean; refused: string | null };

/** Whether a second person must be asked first, and why the step may not be done now. */
function obstacle(to: StepTo, { policy, version, approvals, required, refused }: Known): { mustAsk: boolean; why: string | null } {
  const decides = to === "Live" || to === "Canary";
  const said = decides ? standing(approvals, policy.id, version.number, to) : null;
  const mustAsk = required && said !== null && !said.approved;
  const named = decides && policy.named_by_resources.length > 0 ? `A custom resource decides ${policy.named_by_resources.join(", ")}: commit what is below instead of promoting it here.` : null;
  const waiting = mustAsk && said.open !== null ? "It waits for a second person's word." : null;
  return { mustAsk, why: refused ?? named ?? waiting };
}

/** What is told beside the buttons: a disabled one says nothing to a keyboard or a finger. */
function whyNots(steps: StepTo[], known: Known): string[] {
  const { policy, version } = known;
  const found = steps.flatMap((to) => obstacle(to, known).why ?? []);
  if (version.stage === "Shadow" && policy.live === null && policy.named_by_resources.length === 0) found.push("A canary needs a Live version beside it; there is none yet.");
  if (version.stage === "Live" && !steps.includes("RolledBack")) {
    found.push(policy.canary === null ? "There is no earlier Live version to roll back to." : `Version ${policy.canary} is a canary beside it: roll that back first.`);
  }
  return [...new Set(found)];
}

function Step({ to, open, ...known }: Known & { to: StepTo; open: (one: Opened) => void }) {
  const { version } = known;
  const { mustAsk, why } = obstacle(to, known);
  const label = mustAsk ? `Ask to ${to === "Live" ? "promote" : "start a canary"}` : stepLabel(version.stage, to);
  const onward = to === "Live" || (to === "Shadow" && version.stage === "Draft");
  return (
    <Button
      size="xs"
      variant={onward ? "filled" : "default"}
      disabled={why !== null}
      title={why ?? undefined}
      onClick={() => open(mustAsk ? { kind: "ask", to: to as "Canary" | "Live" } : { kind: "step", to })}
    >
      {label}
    </Button>
  );
}

/** What a second person said of it last. */
function Word({ policy, version, approvals }: { policy: Policy; version: Version; approvals: Approval[] }) {
  const { last, open } = standing(approvals, policy.id, version.number, "Canary");
  if (last === null && open !== null) return null;
  if (last === null) {
    return (
      <Text size="sm" c="dimmed">
        {open ? "It waits for a second person's word." : "A second person must approve before it decides."}
      </Text>
    );
  }
  return (
    <Text size="sm" data-testid="word">
      {last.decision === "Approved" ? "✓ Approved" : "✗ Rejected"} for {last.stage} by <Person id={last.decided_by ?? "–"} />: {last.decision_reason}
    </Text>
  );
}

/** What a dialog needs to say what will happen. */
function useFacts(policy: Policy, version: Version, versions: Version[], history: StageRow[]): Facts {
  const keys = keysOf(policy);
  const targets = (useFleet().data?.targets ?? []).filter((one) => keys.includes(`${one.namespace}/${one.name}`));
  const decided = useShadowTicks(policy.id, version.number, keys.length === 1 ? keys[0] : undefined, version.stage === "Shadow" || version.stage === "Canary", 20);
  const rows = decided.data?.pages[0]?.items ?? [];
  const ticks = keys.flatMap((key) => rows.find((row) => row.target === key) ?? []);
  const by = (number: number | null) => versions.find((one) => one.number === number) ?? null;
  return { policy, version, other: by(policy.live === version.number ? null : policy.live), previous: by(previousLive(history)), targets, ticks };
}
