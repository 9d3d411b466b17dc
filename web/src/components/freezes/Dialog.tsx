import { Alert, Button, Group, Modal, Select, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { useState } from "react";

import { useMay } from "../../api/access";
import { useCreateFreeze } from "../../api/freezes";
import { useFleet } from "../../api/hooks";
import { useLive } from "../../api/live";
import type { TargetSummary } from "../../api/client";
import { keyOf } from "../../lib/fleet";
import { DIRECTIONS, FREEZE_TTLS, freezeBody, held, type Scope, scopeOf, type Wish } from "../../lib/freeze";
import { freshKey } from "../../lib/key";
import { useZone } from "../../lib/zone";
import { Refused } from "../overrides/Refused";
import { fromField, toField } from "../target/TimeRange";

const EVERYTHING = "everything";

/** Everything, each namespace, each target. */
function scopes(targets: TargetSummary[]): { value: string; scope: Scope }[] {
  const namespaces = [...new Set(targets.map(({ namespace }) => namespace))].sort();
  return [
    { value: EVERYTHING, scope: { namespace: null, target: null } },
    ...namespaces.map((namespace) => ({ value: `namespace ${namespace}`, scope: { namespace, target: null } })),
    ...targets.map((one) => ({ value: keyOf(one), scope: { namespace: one.namespace, target: one.name } })),
  ];
}

/** What is typed, and what it means. */
function useForm(first: string | undefined) {
  const targets = useFleet().data?.targets;
  const zone = useZone();
  const choices = scopes(targets ?? []);
  const [typed, setTyped] = useState({ of: first, direction: "Down" as Wish["direction"], later: false, at: "", ttl: "7200", reason: "" });
  const change = (what: Partial<typeof typed>) => setTyped({ ...typed, ...what });
  const of = typed.of ?? choices[1]?.value ?? EVERYTHING;
  const scope = choices.find(({ value }) => value === of)?.scope ?? { namespace: null, target: null };
  const startsAtS = typed.later && typed.at !== "" ? fromField(typed.at, zone) : null;
  const wish: Wish = { ...scope, direction: typed.direction, startsAtS, ttlS: Number(typed.ttl) };
  const complete = typed.reason.trim() !== "" && (!typed.later || startsAtS !== null);
  return { form: { ...typed, of }, change, choices, scope, wish, complete, targets };
}

type Form = ReturnType<typeof useForm>;

/** A window in which nothing changes, or nothing goes down; it says what it will hold before it does. */
export function FreezeDialog({ first, close }: { first?: string; close: () => void }) {
  const asked = useForm(first);
  const { form, scope, wish, targets } = asked;
  // One form is one freeze, however often it is sent.
  const [key] = useState(() => freshKey());
  const create = useCreateFreeze();
  const may = useMay(scope.namespace === null ? "Admin" : "Operator", scope.namespace);
  const fine = may && asked.complete;
  return (
    <Modal opened onClose={close} title="New freeze" size="lg" closeButtonProps={{ "aria-label": "close" }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (fine) create.mutate({ body: freezeBody(wish, form.reason.trim()), key }, { onSuccess: close });
        }}
      >
        <Stack gap="sm">
          <Fields {...asked} />
          <Consequence {...held(wish, targets)} />
          {!may && (
            <Text size="sm">
              To freeze {scopeOf(scope)} needs the role {scope.namespace === null ? "Admin of all namespaces" : `Operator of ${scope.namespace}`}.
            </Text>
          )}
          <Refused error={create.error} />
          <Group justify="end">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" disabled={!fine} loading={create.isPending}>
              Freeze {scopeOf(scope)} for {FREEZE_TTLS.find(({ value }) => value === form.ttl)?.label}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

function Fields({ form, change, choices }: Form) {
  const names = choices.map(({ value }) => value);
  return (
    <>
      <Group grow align="start">
        <Select label="Of" searchable allowDeselect={false} limit={200} value={form.of} data={names} onChange={(of) => change({ of: of ?? form.of })} />
        <Select
          label="What it stops"
          allowDeselect={false}
          value={form.direction}
          data={DIRECTIONS.map(({ value, label }) => ({ value, label }))}
          onChange={(value) => change({ direction: (value as Wish["direction"] | null) ?? form.direction })}
        />
      </Group>
      <Text size="sm" c="dimmed">
        {DIRECTIONS.find(({ value }) => value === form.direction)?.hint}
      </Text>
      <When form={form} change={change} />
      <Textarea
        label="Reason"
        description="Others read it beside every decision that it holds back."
        required
        autosize
        maxLength={2000}
        value={form.reason}
        onChange={(event) => change({ reason: event.currentTarget.value })}
      />
    </>
  );
}

const BEGINS = [
  { value: "now", label: "now" },
  { value: "later", label: "at a time" },
];

function When({ form, change }: Pick<Form, "form" | "change">) {
  const { nowS } = useLive();
  const zone = useZone();
  // An hour from now is where one begins to type.
  const begin = (how: string | null) =>
    change({ later: how === "later", at: how === "later" && form.at === "" ? toField((nowS() ?? Date.now() / 1000) + 3600, zone) : form.at });
  return (
    <Group grow align="start">
      <Select label="Begins" allowDeselect={false} value={form.later ? "later" : "now"} data={BEGINS} onChange={begin} />
      {form.later && (
        <TextInput
          type="datetime-local"
          label={`At (${zone === "utc" ? "UTC" : "your time zone"})`}
          value={form.at}
          onChange={(event) => change({ at: event.currentTarget.value })}
        />
      )}
      <Select label="For" allowDeselect={false} value={form.ttl} data={FREEZE_TTLS} onChange={(ttl) => change({ ttl: ttl ?? form.ttl })} />
    </Group>
  );
}

function Consequence({ words, warnings }: { words: string; warnings: string[] }) {
  return (
    <Alert color="blue" title="What will happen" data-testid="consequence" role="status">
      <Text size="sm" fw={600}>
        {words}
      </Text>
      {warnings.map((warning) => (
        <Text key={warning} size="sm">
          {warning}
        </Text>
      ))}
      <Text size="sm">It ends by itself.</Text>
    </Alert>
  );
}
