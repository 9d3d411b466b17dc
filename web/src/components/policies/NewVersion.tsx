import { Button, Group, Stack, Textarea, Title } from "@mantine/core";
import { useMemo, useState } from "react";

import { useChecked } from "../../api/checked";
import { type Policy, useCreateVersion, type Version } from "../../api/policies";
import { freshKey } from "../../lib/key";
import { keysOf } from "../../lib/policy";
import { changesOf } from "../../lib/spec";
import { toYaml } from "../../lib/specYaml";
import { Refused } from "../overrides/Refused";
import { ChangedFields } from "./ChangedFields";
import { DryRun } from "./DryRun";
import { ImportHpa } from "./ImportHpa";
import { SpecEditor } from "./SpecEditor";

type Props = { policy: Policy; parent: Version; done: (number: number | null) => void };

/** A change is a new version: written from one that there is, checked, tried on the last day, and kept as a Draft. */
export function NewVersion({ policy, parent, done }: Props) {
  const [text, setText] = useState(() => toYaml(parent.spec));
  const [reason, setReason] = useState("");
  const [key] = useState(() => freshKey());
  const checked = useChecked(text, policy.name, policy.namespaces);
  const create = useCreateVersion();
  const changed = useMemo(() => (checked.spec === null ? [] : changesOf(parent.spec, checked.spec)), [checked.spec, parent.spec]);
  const fine = checked.fresh && checked.answer?.valid === true && reason.trim() !== "" && changed.length > 0;
  const save = () =>
    create.mutate({ policy, key, body: { spec: checked.spec ?? {}, reason: reason.trim(), parent: parent.number } }, { onSuccess: ({ number }) => done(number) });
  return (
    <Stack>
      <Group justify="space-between">
        <Title order={2} size="h4">
          New version, from version {parent.number}
        </Title>
        <ImportHpa onImported={({ spec }) => setText(toYaml(spec))} namespace={policy.namespaces[0] ?? "default"} />
      </Group>
      <SpecEditor text={text} setText={setText} checked={checked}>
        <DryRun keys={keysOf(policy)} spec={checked.faults.length === 0 ? checked.spec : null} />
        <Stack gap="xs">
          <Title order={2} size="h5">
            {changed.length === 0 ? "Nothing is changed yet" : `${changed.length} ${changed.length === 1 ? "field changes" : "fields change"}`}
          </Title>
          <ChangedFields changed={changed} />
          <Textarea label="Reason" description="Others read it beside the version." required autosize maxLength={2000} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
          <Refused error={create.error} />
          <Group justify="end">
            <Button variant="default" onClick={() => done(null)}>
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
