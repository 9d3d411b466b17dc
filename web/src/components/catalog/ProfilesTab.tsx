import { Anchor, Stack, Text, Title } from "@mantine/core";
import { Link } from "@tanstack/react-router";

import { useModels } from "../../api/catalog";
import type { TargetSummary } from "../../api/client";
import { useFleet } from "../../api/hooks";
import { count, gib, kib, type Model } from "../../lib/catalog";
import { keyOf } from "../../lib/fleet";
import { number, rate, seconds } from "../../lib/format";
import { DataTable } from "../DataTable";
import { Answer, Empty } from "../states";

const MODEL_COLUMNS = [
  { key: "name", head: "Model" },
  { key: "parameters", head: "Parameters", right: true },
  { key: "weights", head: "Weights", right: true },
  { key: "kv", head: "KV per token", right: true },
  { key: "layers", head: "Layers", right: true },
  { key: "hidden", head: "Hidden size", right: true },
  { key: "heads", head: "Heads (KV)", right: true, hint: "attention heads, and those that keys and values have" },
  { key: "context", head: "Longest context", right: true },
];
const MEASURED_COLUMNS = [
  { key: "target", head: "Target" },
  { key: "variant", head: "Variant" },
  { key: "gpus", head: "GPUs per replica" },
  { key: "capacity", head: "Carries within the SLO", right: true, hint: "requests/s of one replica at the mix of the newest decision" },
  { key: "cold", head: "Cold start", right: true, hint: "the 90th percentile of those that were seen, or the default" },
];

/** What the planner knows of models, and of variants as they were measured. */
export function ProfilesTab() {
  const models = useModels();
  const fleet = useFleet();
  return (
    <Stack>
      <Stack gap="xs">
        <Title order={2} size="h5">
          Models
        </Title>
        <Answer of={models}>
          {(data) => <DataTable label="Models" columns={MODEL_COLUMNS} rows={data.map((model) => ({ key: model.name, cells: modelCells(model) }))} minWidth={820} testId="model-row" />}
        </Answer>
      </Stack>
      <Stack gap="xs">
        <Title order={2} size="h5">
          Variants, as measured
        </Title>
        <Text size="sm" c="dimmed">
          Predicted from the tables above until enough was seen; corrected by what replicas report since.
        </Text>
        <Answer of={fleet}>{(data) => <Measured targets={data.targets} />}</Answer>
      </Stack>
    </Stack>
  );
}

const modelCells = (model: Model) => [
  <Text key="name" size="sm" fw={600}>
    {model.name}
  </Text>,
  `${number(model.parameters / 1e9, 1)} B`,
  gib(model.weight_bytes),
  kib(model.kv_bytes_per_token),
  model.layers,
  count(model.hidden_size),
  `${model.attention_heads} (${model.kv_heads})`,
  `${count(model.max_context_tokens)} tokens`,
];

/** Rows that are in the page at once; who looks for one of more finds it by its target. */
const MOST_ROWS = 200;

function Measured({ targets }: { targets: TargetSummary[] }) {
  const rows = targets.flatMap((target) => target.variants.map((variant) => ({ target, variant })));
  if (rows.length === 0) return <Empty title="Nothing was measured yet">The controller has not seen a target.</Empty>;
  return (
    <>
      <DataTable
        label="Variants, as measured"
        columns={MEASURED_COLUMNS}
        minWidth={680}
        testId="profile-row"
        rows={rows.slice(0, MOST_ROWS).map(({ target, variant }) => ({
          key: `${keyOf(target)} ${variant.name}`,
          cells: [
            <Anchor key="target" component={Link} to={`/targets/${keyOf(target)}` as never} size="sm">
              {keyOf(target)}
            </Anchor>,
            variant.name,
            `${variant.gpus_per_replica} × ${variant.accelerator}`,
            rate(variant.capacity_rps),
            seconds(variant.cold_start_s),
          ],
        }))}
      />
      {rows.length > MOST_ROWS && (
        <Text size="sm" c="dimmed">
          The first {MOST_ROWS} of {rows.length}; others are on the pages of their targets.
        </Text>
      )}
    </>
  );
}
