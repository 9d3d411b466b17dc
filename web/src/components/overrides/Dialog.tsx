import { Alert, Button, Group, Modal, NumberInput, SegmentedControl, Select, Stack, Text, Textarea } from "@mantine/core";
import { useState } from "react";

import type { TargetSummary } from "../../api/client";
import { useCreateOverride } from "../../api/overrides";
import { keyOf } from "../../lib/fleet";
import { freshKey } from "../../lib/key";
import { bodyOf, consequence, KINDS, TTLS, type Wish } from "../../lib/override";
import { Refused } from "./Refused";

const EVERY = "every variant";

/** A person's word over the planner's, for a time; it says what will happen before it does. */
export function OverrideDialog({ target, close }: { target: TargetSummary; close: () => void }) {
  const first = target.variants[0];
  const [wish, setWish] = useState<Wish>({ kind: "Pin", variant: first?.name ?? null, replicas: first?.desired ?? 1 });
  const [ttl, setTtl] = useState("1800");
  const [reason, setReason] = useState("");
  // One form is one override, however often it is sent.
  const [key] = useState(() => freshKey());
  const create = useCreateOverride();
  const { words, warnings } = consequence(wish, target);
  const fine = reason.trim() !== "" && (wish.kind === "Pause" || wish.replicas !== null);
  const send = () =>
    create.mutate({ namespace: target.namespace, name: target.name, body: bodyOf(wish, Number(ttl), reason.trim()), key }, { onSuccess: close });
  return (
    <Modal opened onClose={close} title={`Override ${keyOf(target)}`} size="lg" closeButtonProps={{ "aria-label": "close" }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (fine) send();
        }}
      >
        <Stack gap="sm">
          <SegmentedControl
            aria-label="kind"
            fullWidth
            value={wish.kind}
            onChange={(kind) => setWish({ ...wish, kind: kind as Wish["kind"] })}
            data={KINDS.map(({ value, label }) => ({ value, label }))}
          />
          <Text size="sm" c="dimmed">
            {KINDS.find(({ value }) => value === wish.kind)?.hint}
          </Text>
          <Group grow align="start">
            <Select
              label="Variant"
              allowDeselect={false}
              value={wish.variant ?? EVERY}
              data={[...target.variants.map((v) => v.name), EVERY]}
              onChange={(name) => setWish({ ...wish, variant: name === EVERY ? null : name })}
            />
            {wish.kind !== "Pause" && (
              <NumberInput
                label={wish.variant === null ? "Replicas of each" : "Replicas"}
                min={0}
                max={10_000}
                allowDecimal={false}
                value={wish.replicas ?? ""}
                onChange={(value) => setWish({ ...wish, replicas: typeof value === "number" ? value : null })}
              />
            )}
            <Select label="For" allowDeselect={false} value={ttl} data={TTLS} onChange={(value) => setTtl(value ?? ttl)} />
          </Group>
          <Textarea label="Reason" description="Others read it beside every decision that it bends." required autosize maxLength={2000} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
          <Alert color="blue" title="What will happen" data-testid="consequence" role="status">
            <Text size="sm" fw={600}>
              {words}
            </Text>
            {warnings.map((warning) => (
              <Text key={warning} size="sm">
                {warning}
              </Text>
            ))}
            {target.mode !== "Live" && <Text size="sm">The target is in {target.mode}: it is decided, and nothing is scaled.</Text>}
          </Alert>
          <Refused error={create.error} />
          <Group justify="end">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" disabled={!fine} loading={create.isPending}>
              {wish.kind} for {TTLS.find(({ value }) => value === ttl)?.label}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
