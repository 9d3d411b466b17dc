import { Badge, Group, NumberInput, SegmentedControl, Select, Stack, Text } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";

import { useFit, useModels } from "../../api/catalog";
import { useFleet } from "../../api/hooks";
import { boundOf, count, type Fit, fitRows, gib, kib, type Model, usd } from "../../lib/catalog";
import { type CatalogSearch, FIT_SORTS } from "../../lib/catalogSearch";
import { rate, seconds, UNKNOWN } from "../../lib/format";
import { DataTable } from "../DataTable";
import { Answer, Empty } from "../states";

export type TabProps = { search: CatalogSearch; set: (change: Partial<CatalogSearch>) => void };

const SORT_WORDS = { cost: "cheapest tokens first", goodput: "most goodput first", name: "by name" };
const COLUMNS = [
  { key: "gpu", head: "Accelerator" },
  { key: "tp", head: "GPUs (TP)", right: true, hint: "GPUs per replica; the width of tensor parallelism" },
  { key: "weights", head: "Weights/GPU", right: true, hint: "of the model's weights, what each GPU holds" },
  { key: "kv", head: "KV tokens", right: true, hint: "tokens of cache that fit beside the weights" },
  { key: "seq", head: "Sequences", right: true, hint: "requests of full length that fit at once, or the engine's limit" },
  { key: "ttft", head: "TTFT", right: true, hint: "time to first token on an idle replica" },
  { key: "tpot", head: "TPOT", right: true, hint: "mean time per output token at the goodput" },
  { key: "goodput", head: "Goodput", right: true, hint: "what one replica carries within the SLO" },
  { key: "bound", head: "Bound by", hint: "what more load would break first" },
  { key: "usd", head: "$/h", right: true },
  { key: "out", head: "$/M output", right: true, hint: "dollars per million output tokens at the goodput" },
  { key: "all", head: "$/M tokens", right: true, hint: "dollars per million tokens, input and output, at the goodput" },
];

/** Where a model fits, what it carries there within an SLO, and what its tokens cost. */
export function FitTab({ search, set }: TabProps) {
  const models = useModels();
  return <Answer of={models}>{(data) => <Fitting models={data} search={search} set={set} />}</Answer>;
}

function Fitting({ models, search, set }: TabProps & { models: Model[] }) {
  // Where nobody chose: what the fleet serves most of.
  const served = useFleet().data?.targets.map((target) => target.model) ?? [];
  const first = models.find(({ name }) => served.includes(name)) ?? models[0];
  const model = models.find(({ name }) => name === search.model) ?? (search.model === undefined ? first : undefined);
  const [asked] = useDebouncedValue(search, 300);
  const fit = useFit(model?.name, asked);
  if (model === undefined) return <Empty title={`The catalog has no model ${search.model}`}>Choose another: {models.map(({ name }) => name).join(", ")}.</Empty>;
  return (
    <Stack>
      <Question models={models} model={model} search={search} set={set} />
      <Text size="sm" data-testid="model-shape">
        {gib(model.weight_bytes)} of weights, {kib(model.kv_bytes_per_token)} of KV cache per token, up to {count(model.max_context_tokens)} tokens of context.{" "}
        <Text span size="sm" c="dimmed">
          Predicted from datasheets; measured replicas correct it within the first minutes.
        </Text>
      </Text>
      <Answer of={fit}>{(rows) => <FitTable rows={fitRows(rows, search)} />}</Answer>
    </Stack>
  );
}

function Question({ models, model, search, set }: TabProps & { models: Model[]; model: Model }) {
  return (
    <Group gap="xs" align="end">
      <Select
        label="Model"
        size="xs"
        w={190}
        allowDeselect={false}
        value={model.name}
        data={models.map(({ name }) => name)}
        onChange={(name) => set({ model: name ?? undefined })}
      />
      <Amount label="Input tokens" value={search.isl} min={1} step={100} onChange={(isl) => set({ isl })} />
      <Amount label="Output tokens" value={search.osl} min={1} step={100} onChange={(osl) => set({ osl })} />
      <Amount label="TTFT limit, ms" value={search.ttft * 1000} min={1} step={100} onChange={(ms) => set({ ttft: ms / 1000 })} />
      <Amount label="TPOT limit, ms" value={search.tpot * 1000} min={1} step={10} onChange={(ms) => set({ tpot: ms / 1000 })} />
      <Select
        label="Order"
        size="xs"
        w={170}
        allowDeselect={false}
        value={search.sort}
        data={FIT_SORTS.map((value) => ({ value, label: SORT_WORDS[value] }))}
        onChange={(sort) => set({ sort: sort as CatalogSearch["sort"] })}
      />
      <SegmentedControl
        aria-label="GPUs per replica"
        size="xs"
        value={search.gpus}
        data={[
          { value: "best", label: "Best width of each" },
          { value: "all", label: "Every width" },
        ]}
        onChange={(gpus) => set({ gpus: gpus as CatalogSearch["gpus"] })}
      />
    </Group>
  );
}

type AmountProps = { label: string; value: number; min: number; step: number; onChange: (value: number) => void };

function Amount({ label, value, min, step, onChange }: AmountProps) {
  return (
    <NumberInput
      label={label}
      size="xs"
      w={112}
      min={min}
      step={step}
      value={Math.round(value * 1000) / 1000}
      thousandSeparator=","
      onChange={(given) => typeof given === "number" && given >= min && onChange(given)}
    />
  );
}

function FitTable({ rows }: { rows: Fit[] }) {
  const shown = rows.map((fit) => ({ key: `${fit.accelerator} ${fit.gpus}`, dimmed: fit.goodput_rps === null, cells: cellsOf(fit) }));
  return <DataTable label="What fits where" columns={COLUMNS} rows={shown} minWidth={1040} dense testId="fit-row" />;
}

function cellsOf(fit: Fit) {
  const name = (
    <>
      <Group gap={6} wrap="nowrap">
        <Text span size="sm" fw={600} style={{ whiteSpace: "nowrap" }}>
          {fit.accelerator}
        </Text>
        {fit.cheapest && (
          <Badge size="sm" radius="sm" variant="light" color="teal" tt="none" style={{ flex: "none" }}>
            cheapest
          </Badge>
        )}
      </Group>
      {(fit.why ?? fit.caution) !== null && (
        <Text size="xs" c="dimmed" miw={130}>
          {fit.why ?? fit.caution}
        </Text>
      )}
    </>
  );
  return [
    name,
    fit.gpus,
    gib(fit.weight_bytes / fit.gpus),
    fit.kv_tokens === null ? UNKNOWN : `${count(Math.round(fit.kv_tokens / 1000))} k`,
    count(fit.sequences),
    seconds(fit.ttft_s),
    seconds(fit.tpot_s),
    rate(fit.goodput_rps),
    boundOf(fit),
    usd(fit.usd_per_hour),
    usd(fit.usd_per_million_output_tokens),
    usd(fit.usd_per_million_tokens),
  ];
}
