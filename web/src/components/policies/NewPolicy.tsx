import { Alert, Anchor, Breadcrumbs, Button, Group, Stack, TagsInput, Text, Textarea, TextInput, Title } from "@mantine/core";
import { Link, useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";

import { useChecked } from "../../api/checked";
import { useTarget, useTick } from "../../api/hooks";
import { useCreatePolicy } from "../../api/policies";
import { freshKey } from "../../lib/key";
import { specOfTarget } from "../../lib/specOfTarget";
import { toYaml } from "../../lib/specYaml";
import { Refused } from "../overrides/Refused";
import { DryRun } from "./DryRun";
import { ImportHpa } from "./ImportHpa";
import { SpecEditor } from "./SpecEditor";

const FIRST = `model: llama-3.1-8b
slo:
  preset: Chat
variants:
  - name: h100
    scaleTargetRef:
      apiVersion: apps/v1
      kind: Deployment
      name: chat-h100
    accelerator: H100
    minReplicas: 1
    maxReplicas: 8
`;

/** A new policy: `of` is "new", or the target `namespace/name` that it is written for. */
export function NewPolicy({ of }: { of: string }) {
  const [namespace, name] = of.includes("/") ? (of.split("/") as [string, string]) : [null, null];
  return (
    <Stack>
      <Breadcrumbs>
        <Anchor component={Link} to="/policies">
          Policies
        </Anchor>
        <Text>New</Text>
      </Breadcrumbs>
      <Title order={1} size="h3">
        {namespace === null ? "New policy" : `A change of ${of}`}
      </Title>
      {namespace === null ? <Form name="" namespaces={["default"]} text={FIRST} /> : <OfTarget namespace={namespace} name={name} />}
    </Stack>
  );
}

/** Written from what the target's newest decision was told. */
function OfTarget({ namespace, name }: { namespace: string; name: string }) {
  const target = useTarget(namespace, name);
  const tickId = target.data?.tick_id ?? null;
  if (target.error) return <Form name={name} namespaces={[namespace]} text={FIRST} note={`The target's policy could not be read: ${target.error.message}`} />;
  if (target.data && tickId === null) return <Form name={name} namespaces={[namespace]} text={FIRST} note="The target has decided nothing yet, so what it was told is not known here." />;
  if (tickId === null) return <Text c="dimmed">The target's policy is being read.</Text>;
  return <OfTick namespace={namespace} name={name} tickId={tickId} />;
}

function OfTick({ namespace, name, tickId }: { namespace: string; name: string; tickId: string }) {
  // The first answer is what is edited: a newer decision must not overwrite it.
  const [id] = useState(tickId);
  const tick = useTick(id);
  if (tick.data === undefined) return <Text c="dimmed">{tick.error?.message ?? "The target's policy is being read."}</Text>;
  const { spec, left } = specOfTarget(tick.data.tick.inputs.target);
  const comment = left.length > 0 ? `# Not known here, take it from your repository: ${left.join(", ")}\n` : "";
  const note = left.length > 0 ? `The custom resource says more than is known here: ${left.join(", ")}. Take it from your repository.` : undefined;
  return <Form name={name} namespaces={[namespace]} text={comment + toYaml(spec)} note={note} fixed />;
}

type FormProps = { name: string; namespaces: string[]; text: string; note?: string; fixed?: boolean };

function Form(first: FormProps) {
  const [name, setName] = useState(first.name);
  const [namespaces, setNamespaces] = useState(first.namespaces);
  const [text, setText] = useState(first.text);
  const [reason, setReason] = useState("");
  const [key] = useState(() => freshKey());
  const checked = useChecked(text, name, namespaces);
  const create = useCreatePolicy();
  const navigate = useNavigate();
  useEffect(() => {
    document.title = "New policy · Tidegate";
  }, []);
  const fine = checked.fresh && checked.answer?.valid === true && reason.trim() !== "";
  const save = () =>
    create.mutate(
      { body: { name, namespaces, spec: checked.spec ?? {}, reason: reason.trim() }, key },
      { onSuccess: ({ id }) => void navigate({ to: "/policies/$id", params: { id } } as never) },
    );
  return (
    <Stack>
      {first.note && <Alert color="yellow">{first.note}</Alert>}
      <Group justify="space-between" align="end">
        <Group gap="sm" align="end">
          <TextInput label="Name" placeholder="chat" required size="xs" w={180} readOnly={first.fixed} value={name} onChange={(event) => setName(event.currentTarget.value)} />
          <TagsInput label="Namespaces" required size="xs" miw={200} readOnly={first.fixed} value={namespaces} onChange={setNamespaces} clearButtonProps={{ "aria-label": "no namespace" }} />
        </Group>
        <ImportHpa
          namespace={namespaces[0] ?? "default"}
          onImported={({ spec, name: imported, namespace }) => {
            setText(toYaml(spec));
            if (!first.fixed) {
              setName(imported);
              setNamespaces([namespace]);
            }
          }}
        />
      </Group>
      <SpecEditor text={text} setText={setText} checked={checked}>
        <DryRun keys={namespaces.map((namespace) => `${namespace}/${name}`)} spec={checked.faults.length === 0 ? checked.spec : null} />
        <Stack gap="xs">
          <Textarea label="Reason" description="Others read it beside the first version." required autosize maxLength={2000} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
          <Refused error={create.error} />
          <Group justify="end">
            <Button variant="default" component={Link} to="/policies">
              Cancel
            </Button>
            <Button disabled={!fine} loading={create.isPending} onClick={save}>
              Save as a draft
            </Button>
          </Group>
        </Stack>
      </SpecEditor>
    </Stack>
  );
}
