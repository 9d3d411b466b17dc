import { Button, Group, MultiSelect, NumberInput, SimpleGrid, Stack, Text } from "@mantine/core";
import { useState } from "react";

import type { TargetSummary } from "../../api/client";
import { BOUNDS, type Change, isChange, withNumber, withOut, withPrice } from "../../lib/change";

type Props = { target: TargetSummary | undefined; change: Change; set: (change: Change) => void };
type Field = { name: "ttft" | "tpot" | "attainment" | "load" | "cold"; label: string; scale: number; suffix: string; now: (t: TargetSummary) => number };

const FIELDS: Field[] = [
  { name: "ttft", label: "TTFT SLO", scale: 1, suffix: " s", now: (t) => t.slo.ttft_s },
  { name: "tpot", label: "TPOT SLO", scale: 1000, suffix: " ms", now: (t) => t.slo.tpot_s },
  { name: "attainment", label: "SLO goal", scale: 100, suffix: " %", now: (t) => t.slo.attainment },
  { name: "load", label: "Load", scale: 1, suffix: " ×", now: () => 1 },
  { name: "cold", label: "Cold start", scale: 1, suffix: " ×", now: () => 1 },
];

/** What is to be different; an empty field stays as it was, which is what stands in it in grey. */
export function ChangeForm({ target, change, set }: Props) {
  // Emptied by a new key: fields keep what is typed, which may be half a number.
  const [cleared, setCleared] = useState(0);
  if (target === undefined) return <Text c="dimmed">Pick a target first.</Text>;
  return (
    <Stack gap="sm" key={cleared}>
      <SimpleGrid cols={{ base: 2, xs: 3 }} spacing="sm">
        {FIELDS.map((field) => (
          <Quantity
            key={field.name}
            label={field.label}
            suffix={field.suffix}
            scale={field.scale}
            bounds={BOUNDS[field.name]}
            now={field.now(target)}
            value={change[field.name]}
            onChange={(value) => set(withNumber(change, field.name, value))}
          />
        ))}
        {target.variants.map(({ name, usd_per_replica_hour }) => (
          <Quantity
            key={name}
            label={`Price of ${name}`}
            suffix=" $/h"
            scale={1}
            bounds={BOUNDS.price}
            now={usd_per_replica_hour}
            value={change.prices?.[name]}
            onChange={(value) => set(withPrice(change, name, value))}
          />
        ))}
      </SimpleGrid>
      <MultiSelect
        label="Out of stock"
        description="No new replica of these can be had in the whole window."
        placeholder={change.out ? undefined : "Pick variants"}
        data={target.variants.map((variant) => variant.name)}
        value={change.out ?? []}
        onChange={(out) => set(withOut(change, out))}
        clearable
        clearButtonProps={{ "aria-label": "everything is in stock" }}
      />
      <Group justify="space-between">
        <Text size="sm" c="dimmed" style={{ flex: "1 1 200px" }}>
          Decides the recorded decisions again, under all of these at once. Quick, since no request is played: it does not see tails.
        </Text>
        <Button
          size="compact-sm"
          variant="subtle"
          disabled={!isChange(change)}
          onClick={() => {
            set({});
            setCleared(cleared + 1);
          }}
        >
          Change nothing
        </Button>
      </Group>
    </Stack>
  );
}

type QuantityProps = {
  label: string;
  suffix: string;
  scale: number;
  bounds: readonly [number, number];
  now: number;
  value: number | undefined;
  onChange: (value: number | undefined) => void;
};

function Quantity({ label, suffix, scale, bounds, now, value, onChange }: QuantityProps) {
  const shown = (amount: number) => Number((amount * scale).toPrecision(6));
  return (
    <NumberInput
      label={label}
      placeholder={`${shown(now)}${suffix}`}
      suffix={suffix}
      min={shown(bounds[0])}
      max={shown(bounds[1])}
      hideControls
      defaultValue={value === undefined ? "" : shown(value)}
      onChange={(given) => onChange(typeof given === "number" && given > 0 ? given / scale : undefined)}
    />
  );
}
