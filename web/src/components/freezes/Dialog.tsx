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

/** A window in which nothing changes, or nothing goes down; it says what it will hold before it does. */
export function FreezeDialog({ first, close }: { first?: string; close: () => void }) {
  const targets = useFleet().data?.targets;
  const { nowS } = useLive();
  const zone = useZone();
  const choices = scopes(targets ?? []);
  const [picked, setChosen] = useState(first);
  const chosen = picked ?? choices[1]?.value ?? EVERYTHING;
  const [direction, setDirection] = useState<Wish["direction"]>("Down");
  const [later, setLater] = useState(false);
  const [field, setField] = useState("");
  const [ttl, setTtl] = useState("7200");
  const [reason, setReason] = useState("");
  // One form is one freeze, however often it is sent.
  const [key] = useState(() => freshKey());
  const create = useCreateFreeze();
  const scope = choices.find(({ value }) => value === chosen)?.scope ?? { namespace: null, target: null };
  const may = useMay(scope.namespace === null ? "Admin" : "Operator", scope.namespace);
  const startsAtS = later && field !== "" ? fromField(field, zone) : null;
  const wish: Wish = { ...scope, direction, startsAtS, ttlS: Number(ttl) };
  const { words, warnings } = held(wish, targets);
  const fine = may && reason.trim() !== "" && (!later || startsAtS !== null);
  const begin = (how: string | null) => {
    setLater(how === "later");
    if (how === "later" && field === "") setField(toField((nowS() ?? Date.now() / 1000) + 3600, zone));
  };
  return (
    <Modal opened onClose={close} title="New freeze" size="lg" closeButtonProps={{ "aria-label": "close" }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (fine) create.mutate({ body: freezeBody(wish, reason.trim()), key }, { onSuccess: close });
        }}
      >
        <Stack gap="sm">
          <Group grow align="start">
            <Select label="Of" searchable allowDeselect={false} limit={200} value={chosen} data={choices.map(({ value }) => value)} onChange={(value) => setChosen(value ?? chosen)} />
            <Select
              label="What it stops"
              allowDeselect={false}
              value={direction}
              data={DIRECTIONS.map(({ value, label }) => ({ value, label }))}
              onChange={(value) => setDirection((value as Wish["direction"] | null) ?? direction)}
            />
          </Group>
          <Text size="sm" c="dimmed">
            {DIRECTIONS.find(({ value }) => value === direction)?.hint}
          </Text>
          <Group grow align="start">
            <Select
              label="Begins"
              allowDeselect={false}
              value={later ? "later" : "now"}
              data={[
                { value: "now", label: "now" },
                { value: "later", label: "at a time" },
              ]}
              onChange={begin}
            />
            {later && (
              <TextInput
                type="datetime-local"
                label={`At (${zone === "utc" ? "UTC" : "your time zone"})`}
                value={field}
                onChange={(event) => setField(event.currentTarget.value)}
              />
            )}
            <Select label="For" allowDeselect={false} value={ttl} data={FREEZE_TTLS} onChange={(value) => setTtl(value ?? ttl)} />
          </Group>
          <Textarea label="Reason" description="Others read it beside every decision that it holds back." required autosize maxLength={2000} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
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
          {!may && <Text size="sm">To freeze {scopeOf(scope)} needs the role {scope.namespace === null ? "Admin of all namespaces" : `Operator of ${scope.namespace}`}.</Text>}
          <Refused error={create.error} />
          <Group justify="end">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" disabled={!fine} loading={create.isPending}>
              Freeze {scopeOf(scope)} for {FREEZE_TTLS.find(({ value }) => value === ttl)?.label}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
