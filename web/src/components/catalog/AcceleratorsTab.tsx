import { Badge, Group, Text } from "@mantine/core";
import { useState } from "react";

import { useMay } from "../../api/access";
import { useAccelerators, useDropAcceleratorPrice, useSetAcceleratorPrice } from "../../api/catalog";
import { useFleet } from "../../api/hooks";
import { type Accelerator, gib, priceConsequence, usd } from "../../lib/catalog";
import { number } from "../../lib/format";
import { Moment } from "../bits";
import { DataTable } from "../DataTable";
import { MayButton } from "../MayButton";
import { Answer } from "../states";
import { dollars, PriceDialog, TakeBackDialog } from "./PriceDialog";

const COLUMNS = [
  { key: "name", head: "Accelerator" },
  { key: "memory", head: "Memory", right: true },
  { key: "bandwidth", head: "Bandwidth", right: true, hint: "of its memory" },
  { key: "flops", head: "BF16", right: true, hint: "dense, with FP32 sums" },
  { key: "usd", head: "$ / GPU hour", right: true },
  { key: "spot", head: "Spot $ / hour", right: true },
  { key: "by", head: "Whose word" },
  { key: "actions", head: null },
];
const NEEDS = "Admin of all namespaces";

type Doing = { name: string; what: "set" | "drop" };

/** What each GPU is and costs, and whose word the price is. */
export function AcceleratorsTab() {
  const found = useAccelerators();
  const may = useMay("Admin", null);
  const [doing, setDoing] = useState<Doing | null>(null);
  return (
    <Answer of={found}>
      {(gpus) => {
        // Looked up by name: after a conflict the dialog goes on with what is true now.
        const meant = gpus.find(({ name }) => name === doing?.name);
        return (
          <>
            <DataTable label="Accelerators" columns={COLUMNS} testId="accelerator-row" minWidth={900} rows={gpus.map((gpu) => ({ key: gpu.name, cells: cellsOf(gpu, may, setDoing) }))} />
            {meant && doing?.what === "set" && <SetPrice gpu={meant} close={() => setDoing(null)} />}
            {meant && doing?.what === "drop" && <DropPrice gpu={meant} close={() => setDoing(null)} />}
          </>
        );
      }}
    </Answer>
  );
}

function cellsOf(gpu: Accelerator, may: boolean, act: (doing: Doing) => void) {
  return [
    <Text key="name" size="sm" fw={600}>
      {gpu.name}
    </Text>,
    gib(gpu.memory_bytes),
    `${number(gpu.bandwidth_bytes_per_s / 1e12, 2)} TB/s`,
    `${number(gpu.bf16_flops_per_s / 1e12, 0)} TFLOP/s`,
    <Price key="usd" now={gpu.usd_per_hour} catalog={gpu.catalog_usd_per_hour} />,
    <Price key="spot" now={gpu.spot_usd_per_hour} catalog={gpu.catalog_spot_usd_per_hour} />,
    gpu.override === null ? (
      <Text key="by" size="sm" c="dimmed">
        the catalog
      </Text>
    ) : (
      <div key="by">
        <Group gap={6}>
          <Badge size="sm" radius="sm" variant="light" tt="none">
            override
          </Badge>
          <Text size="xs" c="dimmed" component="div">
            {gpu.override.expires_at_s === null ? "until taken back" : <>until <Moment at={gpu.override.expires_at_s} /></>}
          </Text>
        </Group>
        <Text size="xs" maw={300} style={{ overflowWrap: "anywhere" }}>
          {gpu.override.actor}: {gpu.override.reason}
        </Text>
      </div>
    ),
    <Group key="actions" gap={6} wrap="nowrap" justify="end">
      <MayButton may={may} needs={NEEDS} size="compact-xs" aria-label={`set price: ${gpu.name}`} onClick={() => act({ name: gpu.name, what: "set" })}>
        Set price
      </MayButton>
      {gpu.override !== null && (
        <MayButton may={may} needs={NEEDS} size="compact-xs" aria-label={`take back: ${gpu.name}`} onClick={() => act({ name: gpu.name, what: "drop" })}>
          Take back
        </MayButton>
      )}
    </Group>,
  ];
}

function Price({ now, catalog }: { now: string; catalog: string }) {
  const changed = Number(now) !== Number(catalog);
  return (
    <>
      <Text size="sm" fw={changed ? 700 : 400}>
        {usd(now)}
      </Text>
      {changed && (
        <Text size="xs" c="dimmed">
          catalog {usd(catalog)}
        </Text>
      )}
    </>
  );
}

function SetPrice({ gpu, close }: { gpu: Accelerator; close: () => void }) {
  const fleet = useFleet();
  const set = useSetAcceleratorPrice();
  return (
    <PriceDialog
      title={`What an hour of one ${gpu.name} costs`}
      fields={[
        { label: "On demand, $/h", now: Number(gpu.usd_per_hour), hint: `catalog: ${usd(gpu.catalog_usd_per_hour)}` },
        { label: "Spot, $/h", now: Number(gpu.spot_usd_per_hour), hint: `catalog: ${usd(gpu.catalog_spot_usd_per_hour)}` },
      ]}
      consequence={([onDemand = null, spot = null]) => priceConsequence(fleet.data?.targets, gpu, { onDemand, spot })}
      send={({ amounts: [onDemand = null, spot = null], ttlS, reason }) =>
        set.mutate(
          {
            accelerator: gpu.name,
            etag: gpu.etag,
            body: { usd_per_hour: onDemand === null ? null : dollars(onDemand), spot_usd_per_hour: spot === null ? null : dollars(spot), ttl_s: ttlS, reason },
          },
          { onSuccess: close },
        )
      }
      pending={set.isPending}
      error={set.error}
      close={close}
    />
  );
}

function DropPrice({ gpu, close }: { gpu: Accelerator; close: () => void }) {
  const fleet = useFleet();
  const drop = useDropAcceleratorPrice();
  const words = `${gpu.name} costs what the catalog says again: ${usd(gpu.catalog_usd_per_hour)} an hour on demand, ${usd(gpu.catalog_spot_usd_per_hour)} spot. `;
  return (
    <TakeBackDialog
      title={`Take back the price of ${gpu.name}?`}
      words={words + priceConsequence(fleet.data?.targets, gpu, { onDemand: null, spot: null })}
      send={() => drop.mutate({ accelerator: gpu.name, etag: gpu.etag }, { onSuccess: close })}
      pending={drop.isPending}
      error={drop.error}
      close={close}
    />
  );
}
