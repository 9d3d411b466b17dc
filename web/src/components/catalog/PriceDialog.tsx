import { Alert, Button, Group, Modal, NumberInput, Select, Stack, Text, Textarea } from "@mantine/core";
import { type ReactNode, useState } from "react";

import { Refused } from "../overrides/Refused";

export const UNTIL = [
  { value: "", label: "until taken back" },
  { value: "86400", label: "1 day" },
  { value: "604800", label: "1 week" },
  { value: "2592000", label: "30 days" },
  { value: "7776000", label: "90 days" },
];

/** Dollars as text with six decimal places at most, as the API takes them. */
export const dollars = (value: number) => String(Math.round(value * 1e6) / 1e6);

export type Said = { amounts: (number | null)[]; ttlS: number | null; reason: string };
type Props = {
  title: string;
  fields: { label: string; now: number; hint?: string }[];
  consequence: (amounts: (number | null)[]) => string;
  send: (said: Said) => void;
  pending: boolean;
  error: Error | null;
  close: () => void;
  note?: ReactNode;
};

/** Says what something costs, until when and why. What will happen stands there before it does. */
export function PriceDialog({ title, fields, consequence, send, pending, error, close, note }: Props) {
  const [amounts, setAmounts] = useState<(number | null)[]>(fields.map(({ now }) => now));
  const [ttl, setTtl] = useState("");
  const [reason, setReason] = useState("");
  const fine = reason.trim() !== "" && amounts.some((one) => one !== null);
  return (
    <Modal opened onClose={close} title={title} size="lg" closeButtonProps={{ "aria-label": "close" }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (fine) send({ amounts, ttlS: ttl === "" ? null : Number(ttl), reason: reason.trim() });
        }}
      >
        <Stack gap="sm">
          <Group grow align="end">
            {fields.map(({ label, hint }, i) => (
              <NumberInput
                key={label}
                label={label}
                description={hint}
                prefix="$"
                min={0}
                max={1_000_000}
                step={0.1}
                decimalScale={6}
                value={amounts[i] ?? ""}
                onChange={(value) => setAmounts(amounts.map((one, j) => (i === j ? (typeof value === "number" ? value : null) : one)))}
              />
            ))}
            <Select label="Holds" data={UNTIL} allowDeselect={false} value={ttl} onChange={(value) => setTtl(value ?? "")} />
          </Group>
          <Textarea label="Reason" description="It stands in the audit." required autosize maxLength={2000} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
          <Alert color="blue" title="What will happen" role="status" data-testid="consequence">
            <Text size="sm">{consequence(amounts)}</Text>
            <Text size="sm">What was paid until now stays as it was recorded.</Text>
            {note}
          </Alert>
          <Refused error={error} />
          <Group justify="end">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" disabled={!fine} loading={pending}>
              Set the price
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

type TakeBackProps = { title: string; words: string; send: () => void; pending: boolean; error: Error | null; close: () => void };

/** Ends what was said of a price. */
export function TakeBackDialog({ title, words, send, pending, error, close }: TakeBackProps) {
  return (
    <Modal opened onClose={close} title={title} closeButtonProps={{ "aria-label": "close" }}>
      <Stack>
        <Text size="sm" data-testid="consequence">
          {words}
        </Text>
        <Refused error={error} />
        <Group justify="end">
          <Button variant="default" onClick={close}>
            Keep it
          </Button>
          <Button color="red.9" loading={pending} onClick={send}>
            Take it back
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
