import { Alert, Button, Group, List, Modal, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useState } from "react";

import { type Imported, useImport } from "../../api/imported";
import type { Spec } from "../../api/policies";
import { Refused } from "../overrides/Refused";

const EXAMPLE = `apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: chat, namespace: default}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: chat-h100}
  minReplicas: 2
  maxReplicas: 8`;

type Taken = { name: string; namespace: string; spec: Spec };
type Props = { namespace: string; onImported: (taken: Taken) => void };

/** An HPA (or KEDA ScaledObject), pasted, becomes what is in the editor. */
export function ImportHpa({ namespace, onImported }: Props) {
  const [opened, { open, close }] = useDisclosure(false);
  return (
    <>
      <Button size="xs" variant="default" onClick={open}>
        Import from HPA
      </Button>
      {opened && <ImportDialog namespace={namespace} onImported={onImported} close={close} />}
    </>
  );
}

function ImportDialog({ namespace, onImported, close }: Props & { close: () => void }) {
  const [manifest, setManifest] = useState("");
  const [model, setModel] = useState("");
  const [accelerator, setAccelerator] = useState("");
  const read = useImport();
  const asked = { manifest, namespace, ...(model.trim() ? { model: model.trim() } : {}), ...(accelerator.trim() ? { accelerator: accelerator.trim() } : {}) };
  return (
    <Modal opened onClose={close} title="Import from HPA" size="lg" closeButtonProps={{ "aria-label": "close" }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          read.mutate(asked);
        }}
      >
        <Stack gap="sm">
          <Textarea
            label="HorizontalPodAutoscaler or KEDA ScaledObject"
            description="YAML or JSON. With its Deployment beside it (---) the model is read from there."
            required
            autosize
            minRows={8}
            maxRows={18}
            placeholder={EXAMPLE}
            styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: 12 } }}
            value={manifest}
            onChange={(event) => setManifest(event.currentTarget.value)}
          />
          <Group grow>
            <TextInput label="Model" placeholder="as the workload says" value={model} onChange={(event) => setModel(event.currentTarget.value)} />
            <TextInput label="Accelerator" placeholder="as the pods ask for" value={accelerator} onChange={(event) => setAccelerator(event.currentTarget.value)} />
          </Group>
          <Refused error={read.error} />
          {read.data && <Understood found={read.data} />}
          <Group justify="end">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" variant={read.data ? "default" : "filled"} disabled={manifest.trim() === ""} loading={read.isPending}>
              Read it
            </Button>
            {read.data && (
              <Button
                onClick={() => {
                  const { name, namespaces, spec } = read.data.policy;
                  onImported({ name, namespace: namespaces[0] ?? namespace, spec });
                  close();
                }}
              >
                Put it in the editor
              </Button>
            )}
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

/** What became of it, and what was not carried over. */
function Understood({ found }: { found: Imported }) {
  return (
    <Alert color={found.valid ? "teal" : "yellow"} title={`${found.kind} ${found.policy.namespaces[0]}/${found.policy.name}`} role="status" data-testid="imported">
      {!found.valid && (
        <Text size="sm">
          Something is missing still: {found.field}: {found.message}
        </Text>
      )}
      <List size="sm">
        {found.notes.map((note) => (
          <List.Item key={note}>{note}</List.Item>
        ))}
      </List>
      <Text size="sm" mt={4}>
        Putting it in the editor takes the place of what is written there; nothing is saved.
      </Text>
    </Alert>
  );
}
