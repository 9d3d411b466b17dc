import { Fieldset, Group, Select, SimpleGrid, Stack, Table, Text, TextInput } from "@mantine/core";

import type { Spec } from "../../api/policies";
import { Figure } from "./Figure";

type Path = (string | number)[];
type Props = { spec: Spec | null; set: (path: Path, value: unknown) => void };

const PRESETS = ["Chat", "RAG", "CodeCompletion", "Batch"];

const at = (spec: Spec | null, path: Path): unknown => path.reduce<unknown>((value, part) => (value as Record<string | number, unknown> | null | undefined)?.[part], spec);
const numberAt = (spec: Spec | null, path: Path) => (typeof at(spec, path) === "number" ? (at(spec, path) as number) : undefined);
const textAt = (spec: Spec | null, path: Path) => (typeof at(spec, path) === "string" ? (at(spec, path) as string) : "");

/** The fields that are changed most; what they do not have is in the YAML, which they write to. */
export function SpecForm({ spec, set }: Props) {
  const figure = (label: string, path: Path, rest: { min?: number; max?: number; step?: number; placeholder?: string; scale?: number; suffix?: string }) => {
    const { scale = 1, ...shown } = rest;
    const value = numberAt(spec, path);
    return (
      <Figure
        label={label}
        size="xs"
        {...shown}
        value={value === undefined ? undefined : Number((value * scale).toFixed(6))}
        onNumber={(typed) => set(path, typed === undefined ? undefined : Number((typed / scale).toFixed(8)))}
      />
    );
  };
  const latency = (name: "ttft" | "tpot" | "e2e"): Path => (at(spec, ["slo", name]) === undefined ? ["slo", `${name}Seconds`] : ["slo", name, "seconds"]);
  return (
    <Fieldset legend="Most changed" disabled={spec === null} p="sm">
      <Stack gap="sm">
        {spec === null && <Text size="sm">The YAML has a fault; the form can be used once it is mended.</Text>}
        <Group gap="sm" align="end">
          <TextInput label="Model" size="xs" w={180} value={textAt(spec, ["model"])} onChange={(event) => set(["model"], event.currentTarget.value)} />
          <Select label="SLO preset" size="xs" w={150} clearable placeholder="none" clearButtonProps={{ "aria-label": "no preset" }} data={PRESETS} value={textAt(spec, ["slo", "preset"]) || null} onChange={(value) => set(["slo", "preset"], value ?? undefined)} />
        </Group>
        <SimpleGrid cols={{ base: 2, xs: 3 }} spacing="sm" verticalSpacing="sm">
          {figure("TTFT limit", latency("ttft"), { min: 0, suffix: " s", step: 0.1 })}
          {figure("TPOT limit", latency("tpot"), { min: 0, suffix: " s", step: 0.01 })}
          {figure("Must be met by", ["slo", "attainment"], { min: 0, max: 100, scale: 100, suffix: " %", placeholder: "99 %" })}
          {figure("Forecast quantile", ["forecast", "quantile"], { min: 0.5, max: 0.999, step: 0.05, placeholder: "0.9" })}
          {figure("Calm before down", ["behavior", "scaleDown", "stabilizationWindowSeconds"], { min: 0, max: 3600, suffix: " s", placeholder: "60 s" })}
          {figure("Warm spare", ["headroom", "replicas"], { min: 0, max: 1000, placeholder: "0" })}
        </SimpleGrid>
        <Bounds spec={spec} set={set} />
      </Stack>
    </Fieldset>
  );
}

/** The fewest and the most replicas of each variant. */
function Bounds({ spec, set }: Props) {
  const variants = at(spec, ["variants"]);
  const rows: { name: string; path: Path }[] = Array.isArray(variants)
    ? variants.map((one: { name?: string } | null, place) => ({ name: one?.name ?? `variant ${place + 1}`, path: ["variants", place] }))
    : [{ name: "replicas", path: [] }];
  return (
    <Table verticalSpacing={4} horizontalSpacing={6}>
      <Table.Thead>
        <Table.Tr>
          {["Variant", "Fewest", "Most"].map((head) => (
            <Table.Th key={head} fz="xs">
              {head}
            </Table.Th>
          ))}
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {rows.map(({ name, path }) => (
          <Table.Tr key={name}>
            <Table.Td>
              <Text size="sm">{name}</Text>
            </Table.Td>
            {(["minReplicas", "maxReplicas"] as const).map((field) => (
              <Table.Td key={field}>
                <Figure
                  aria-label={`${field === "minReplicas" ? "fewest" : "most"} of ${name}`}
                  size="xs"
                  w={90}
                  min={0}
                  max={100_000}
                  allowDecimal={false}
                  placeholder={field === "minReplicas" ? "1" : ""}
                  value={numberAt(spec, [...path, field])}
                  onNumber={(value) => set([...path, field], value)}
                />
              </Table.Td>
            ))}
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
