import { Alert, Button, Group, Modal, Stack, Text, Textarea } from "@mantine/core";
import { useState } from "react";

import { useMe } from "../../api/hooks";
import { type Approval, type Policy, useAskApproval, useRule } from "../../api/policies";
import { freshKey } from "../../lib/key";
import { keysOf, whyNotApprove } from "../../lib/policy";
import { Moment } from "../bits";
import { Refused } from "../overrides/Refused";
import { Person } from "./bits";

type Ruling = { approval: Approval; word: "approve" | "reject" };

/** What waits for a second person's word. */
export function OpenApprovals({ policy, approvals }: { policy: Policy; approvals: Approval[] }) {
  const me = useMe().data;
  const [ruling, setRuling] = useState<Ruling | null>(null);
  const open = approvals.filter((one) => one.policy_id === policy.id && one.decision === null);
  return (
    <>
      {open.map((approval) => {
        const refused = whyNotApprove(approval, me, policy.namespaces);
        return (
          <Alert key={approval.id} color="yellow" title={`Version ${approval.number} waits for a second person before it becomes ${approval.stage}`} data-testid="approval">
            <Group justify="space-between" align="end" gap="sm">
              <div>
                <Text size="sm">
                  Asked by <Person id={approval.requested_by} /> at <Moment at={approval.requested_at_s} />: {approval.reason}
                </Text>
                {refused && (
                  <Text size="sm" fw={600}>
                    {refused}
                  </Text>
                )}
              </div>
              <Group gap="xs">
                <Button size="xs" variant="default" disabled={refused !== null} title={refused ?? undefined} onClick={() => setRuling({ approval, word: "reject" })}>
                  Reject
                </Button>
                <Button size="xs" disabled={refused !== null} title={refused ?? undefined} onClick={() => setRuling({ approval, word: "approve" })}>
                  Approve
                </Button>
              </Group>
            </Group>
          </Alert>
        );
      })}
      {ruling && <RuleDialog policy={policy} {...ruling} close={() => setRuling(null)} />}
    </>
  );
}

function RuleDialog({ policy, approval, word, close }: Ruling & { policy: Policy; close: () => void }) {
  const [reason, setReason] = useState("");
  const rule = useRule();
  const fine = reason.trim() !== "";
  const targets = `${policy.namespaces.length} ${policy.namespaces.length === 1 ? "target" : "targets"} (${keysOf(policy).join(", ")})`;
  const what =
    word === "approve"
      ? `Version ${approval.number} may then become ${approval.stage} for ${targets}. Nothing moves by your word alone: somebody still has to ${approval.stage === "Live" ? "promote it" : "start the canary"}.`
      : `Version ${approval.number} may then not become ${approval.stage}, and 0 replicas move. It can be asked for again.`;
  return (
    <Modal opened onClose={close} title={`${word === "approve" ? "Approve" : "Reject"} ${policy.name} version ${approval.number}`} closeButtonProps={{ "aria-label": "close" }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (fine) rule.mutate({ approval, word, reason: reason.trim() }, { onSuccess: close });
        }}
      >
        <Stack gap="sm">
          <Alert color={word === "approve" ? "blue" : "orange"} title="What will happen" role="status" data-testid="consequence">
            <Text size="sm">{what}</Text>
          </Alert>
          <Textarea label="Reason" required autosize maxLength={2000} placeholder={word === "approve" ? "what you looked at" : "what should be different"} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
          <Refused error={rule.error} />
          <Group justify="end">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" color={word === "reject" ? "red.9" : undefined} disabled={!fine} loading={rule.isPending}>
              {word === "approve" ? "Approve it" : "Reject it"}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

/** Asks a second person to let a version decide. */
export function AskDialog({ policy, number, stage, close }: { policy: Policy; number: number; stage: "Canary" | "Live"; close: () => void }) {
  const [reason, setReason] = useState("");
  const [key] = useState(() => freshKey());
  const ask = useAskApproval();
  const fine = reason.trim() !== "";
  return (
    <Modal opened onClose={close} title={`Ask for approval: ${policy.name} version ${number}`} closeButtonProps={{ "aria-label": "close" }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (fine) ask.mutate({ policy, number, stage, reason: reason.trim(), key }, { onSuccess: close });
        }}
      >
        <Stack gap="sm">
          <Alert color="blue" title="What will happen" role="status" data-testid="consequence">
            <Text size="sm">
              Version {number} waits for 1 other person with the role Operator in {policy.namespaces.join(", ")}; you may not approve it yourself. 0 replicas
              move until it is {stage}.
            </Text>
          </Alert>
          <Textarea label="Reason" description={`Why it should become ${stage}.`} required autosize maxLength={2000} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
          <Refused error={ask.error} />
          <Group justify="end">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" disabled={!fine} loading={ask.isPending}>
              Ask for approval
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
