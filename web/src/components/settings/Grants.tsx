import { Button, Group, Modal, Select, Stack, Text, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useState } from "react";

import { useCreateGrant, useGrants, useRemoveGrant } from "../../api/access";
import type { AccessRole, GrantTo, GrantToIn } from "../../api/client";
import { Refused } from "../overrides/Refused";
import { Answer } from "../states";
import { Listed } from "./Listed";

const wordsOf = (grant: GrantTo) => `${grant.role} of ${grant.namespace ?? "every namespace"}`;

/** Who may what. */
export function Grants() {
  const grants = useGrants(true);
  const [opened, { open, close }] = useDisclosure(false);
  const [removing, setRemoving] = useState<GrantTo | null>(null);
  const action = (
    <Button size="xs" variant="default" onClick={open}>
      Grant a role
    </Button>
  );
  const row = (grant: GrantTo) => ({
    key: grant.id,
    cells: [
      `${grant.kind} ${grant.subject}`,
      wordsOf(grant),
      grant.created_by,
      <Button key="remove" size="compact-xs" variant="default" aria-label={`Take back ${wordsOf(grant)} from ${grant.subject}`} onClick={() => setRemoving(grant)}>
        Take back
      </Button>,
    ],
  });
  return (
    <>
      <Answer of={grants}>
        {(data) => <Listed title="Roles" action={action} head={["Who", "May", "Given by", ""]} rows={data.map(row)} testId="grant-row" />}
      </Answer>
      {opened && <NewGrant close={close} />}
      {removing && <Remove grant={removing} close={() => setRemoving(null)} />}
    </>
  );
}

function NewGrant({ close }: { close: () => void }) {
  const [grant, setGrant] = useState<GrantToIn>({ kind: "User", subject: "", role: "Viewer", namespace: null });
  const create = useCreateGrant();
  return (
    <Modal opened onClose={close} title="Grant a role" closeButtonProps={{ "aria-label": "close" }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          create.mutate(grant, { onSuccess: close });
        }}
      >
        <Stack gap="sm">
          <Select label="To a" data={["User", "Group"]} value={grant.kind} allowDeselect={false} onChange={(kind) => setGrant({ ...grant, kind: kind as GrantToIn["kind"] })} />
          <TextInput
            label={grant.kind}
            description={grant.kind === "User" ? "The user's id, as the list above or the identity provider has it." : "The group, as the identity provider names it."}
            required
            value={grant.subject}
            onChange={(e) => setGrant({ ...grant, subject: e.currentTarget.value })}
          />
          <Select
            label="Role"
            data={["Viewer", "Operator", "Admin"]}
            value={grant.role}
            allowDeselect={false}
            onChange={(role) => setGrant({ ...grant, role: role as AccessRole })}
          />
          <TextInput label="Namespace" placeholder="every namespace" value={grant.namespace ?? ""} onChange={(e) => setGrant({ ...grant, namespace: e.currentTarget.value || null })} />
          <Refused error={create.error} />
          <Group justify="end">
            <Button type="submit" loading={create.isPending} disabled={!grant.subject.trim()}>
              Grant it
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

function Remove({ grant, close }: { grant: GrantTo; close: () => void }) {
  const remove = useRemoveGrant();
  return (
    <Modal opened onClose={close} title={`Take the role back from ${grant.subject}?`} closeButtonProps={{ "aria-label": "close" }}>
      <Stack>
        <Text size="sm">
          {grant.kind} {grant.subject} is {wordsOf(grant)} no longer, from the next request on.
        </Text>
        <Refused error={remove.error} />
        <Group justify="end">
          <Button variant="default" onClick={close}>
            Keep it
          </Button>
          <Button color="red.9" loading={remove.isPending} onClick={() => remove.mutate(grant, { onSuccess: close })}>
            Take it back
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
