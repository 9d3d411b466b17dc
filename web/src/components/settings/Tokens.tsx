import { Alert, Button, Code, CopyButton, Group, Modal, NumberInput, Select, Stack, Text, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useState } from "react";

import { useCreateToken, useRevokeToken, useTokens } from "../../api/access";
import type { AccessRole, Token } from "../../api/client";
import { Moment } from "../bits";
import { Refused } from "../overrides/Refused";
import { Answer } from "../states";
import { Listed } from "./Listed";

const ROLES: AccessRole[] = ["Viewer", "Operator", "Admin"];

const rights = (token: Token) => token.grants.map((grant) => `${grant.role} of ${grant.namespace ?? "all"}`).join(", ");

/** For programs: one's own API tokens, or everybody's for an administrator. */
export function Tokens() {
  const tokens = useTokens();
  const [opened, { open, close }] = useDisclosure(false);
  const [revoking, setRevoking] = useState<Token | null>(null);
  const row = (token: Token) => ({
    key: token.id,
    cells: [
      <>
        {token.name}
        <Text size="xs" c="dimmed">
          {token.hint}…
        </Text>
      </>,
      rights(token),
      token.created_by,
      <Moment key="used" at={token.last_used_at_s} />,
      token.revoked_at_s === null ? <Moment key="until" at={token.expires_at_s} /> : "revoked",
      token.revoked_at_s === null && (
        <Button size="compact-xs" variant="default" aria-label={`revoke ${token.name}`} onClick={() => setRevoking(token)}>
          Revoke
        </Button>
      ),
    ],
  });
  const action = (
    <Button size="xs" variant="default" onClick={open}>
      New token
    </Button>
  );
  return (
    <>
      <Answer of={tokens}>
        {(data) => (
          <Listed title="API tokens" action={action} head={["Name", "May", "Made by", "Last used", "Until", ""]} rows={data.map(row)} testId="token-row" />
        )}
      </Answer>
      {opened && <NewToken close={close} />}
      {revoking && <Revoke token={revoking} close={() => setRevoking(null)} />}
    </>
  );
}

function NewToken({ close }: { close: () => void }) {
  const [name, setName] = useState("");
  const [role, setRole] = useState<AccessRole>("Viewer");
  const [namespace, setNamespace] = useState("");
  const [days, setDays] = useState(90);
  const create = useCreateToken();
  const send = () => create.mutate({ name, grants: [{ role, namespace: namespace || null }], expires_in_days: days });
  return (
    <Modal opened onClose={close} title="New API token" closeOnClickOutside={!create.data} closeButtonProps={{ "aria-label": "close" }}>
      {create.data ? (
        <Stack>
          <Alert color="yellow" title="This is its only showing">
            Copy the token now; it is kept as a hash, and nobody can read it again.
          </Alert>
          <Code block data-testid="secret" style={{ overflowWrap: "anywhere", whiteSpace: "pre-wrap" }}>
            {create.data.secret}
          </Code>
          <Group justify="end">
            <CopyButton value={create.data.secret}>
              {({ copied, copy }) => (
                <Button variant="default" onClick={copy}>
                  {copied ? "Copied" : "Copy"}
                </Button>
              )}
            </CopyButton>
            <Button onClick={close}>I have it</Button>
          </Group>
        </Stack>
      ) : (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            send();
          }}
        >
          <Stack gap="sm">
            <TextInput label="Name" placeholder="what will use it" required maxLength={100} value={name} onChange={(e) => setName(e.currentTarget.value)} />
            <Select label="Role" data={ROLES} value={role} allowDeselect={false} onChange={(value) => setRole((value as AccessRole | null) ?? role)} />
            <TextInput label="Namespace" placeholder="every namespace" value={namespace} onChange={(e) => setNamespace(e.currentTarget.value)} />
            <NumberInput label="Days until it expires" min={1} max={365} value={days} onChange={(value) => setDays(Number(value) || 90)} />
            <Refused error={create.error} />
            <Group justify="end">
              <Button type="submit" loading={create.isPending} disabled={!name.trim()}>
                Make the token
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Modal>
  );
}

function Revoke({ token, close }: { token: Token; close: () => void }) {
  const revoke = useRevokeToken();
  return (
    <Modal opened onClose={close} title={`Revoke ${token.name}?`} closeButtonProps={{ "aria-label": "close" }}>
      <Stack>
        <Text size="sm">What uses it ({rights(token)}) is refused from now on. This cannot be undone.</Text>
        <Refused error={revoke.error} />
        <Group justify="end">
          <Button variant="default" onClick={close}>
            Keep it
          </Button>
          <Button color="red.9" loading={revoke.isPending} onClick={() => revoke.mutate(token, { onSuccess: close })}>
            Revoke it now
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
