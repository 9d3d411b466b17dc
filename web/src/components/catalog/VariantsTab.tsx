import { Anchor, Badge, Group, Select, Stack, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useState } from "react";

import { useMay } from "../../api/access";
import { useDropVariantPrice, useSetVariantPrice, useVariantPrices, type VariantPrice } from "../../api/catalog";
import { useFleet } from "../../api/hooks";
import { keyOf } from "../../lib/fleet";
import { usd } from "../../lib/catalog";
import { dollarsChange, dollarsPerHour } from "../../lib/format";
import { Moment } from "../bits";
import { DataTable } from "../DataTable";
import { MayButton } from "../MayButton";
import { Answer, Empty } from "../states";
import type { TabProps } from "./FitTab";
import { dollars, PriceDialog, TakeBackDialog } from "./PriceDialog";

const COLUMNS = [
  { key: "name", head: "Variant" },
  { key: "gpus", head: "GPUs per replica" },
  { key: "desired", head: "Replicas desired", right: true },
  { key: "usd", head: "$ / replica hour", right: true },
  { key: "by", head: "Whose word" },
  { key: "actions", head: null },
];
const SOURCES = { Catalog: "the accelerator's price", Resource: "the custom resource", Override: "override" } as const;

type Doing = { name: string; what: "set" | "drop" };

/** What a replica of each variant of one target costs, and whose word that is. */
export function VariantsTab({ search, set }: TabProps) {
  const fleet = useFleet();
  return (
    <Answer of={fleet}>
      {({ targets }) => {
        if (targets.length === 0) return <Empty title="No target yet">Prices of variants are said of targets; the controller reads them from the cluster.</Empty>;
        const keys = targets.map(keyOf).sort();
        const target = search.target !== undefined && keys.includes(search.target) ? search.target : (keys[0] as string);
        return (
          <Stack>
            <Group align="end">
              <Select label="Target" size="xs" w={260} searchable allowDeselect={false} value={target} data={keys} limit={100} onChange={(chosen) => set({ target: chosen ?? undefined })} />
              <Anchor component={Link} to={`/targets/${target}` as never} size="sm" pb={4}>
                Open {target}
              </Anchor>
            </Group>
            <Variants target={target} />
          </Stack>
        );
      }}
    </Answer>
  );
}

function Variants({ target }: { target: string }) {
  const namespace = target.split("/")[0] ?? "";
  const found = useVariantPrices(target);
  const may = useMay("Admin", namespace);
  const [doing, setDoing] = useState<Doing | null>(null);
  return (
    <Answer of={found}>
      {(variants) => {
        const meant = variants.find(({ status }) => status.name === doing?.name);
        const close = () => setDoing(null);
        return (
          <>
            <DataTable
              label="Prices of variants"
              columns={COLUMNS}
              testId="variant-row"
              minWidth={780}
              rows={variants.map((one) => ({ key: one.status.name, cells: cellsOf(one, may, `Admin of ${namespace}`, setDoing) }))}
            />
            {meant && doing?.what === "set" && <SetPrice target={target} one={meant} close={close} />}
            {meant && doing?.what === "drop" && <DropPrice target={target} one={meant} close={close} />}
          </>
        );
      }}
    </Answer>
  );
}

function cellsOf({ status, usd_per_replica_hour, price_source, price }: VariantPrice, may: boolean, needs: string, act: (doing: Doing) => void) {
  return [
    <Text key="name" size="sm" fw={600}>
      {status.name}
    </Text>,
    `${status.gpus_per_replica} × ${status.accelerator}, ${status.capacity_type === "Spot" ? "spot" : "on demand"}`,
    status.desired ?? "–",
    usd(usd_per_replica_hour),
    price === null ? (
      <Text key="by" size="sm" c="dimmed">
        {SOURCES[price_source]}
      </Text>
    ) : (
      <div key="by">
        <Group gap={6}>
          <Badge size="sm" radius="sm" variant="light" tt="none">
            override
          </Badge>
          <Text size="xs" c="dimmed" component="div">
            {price.expires_at_s === null ? "until taken back" : <>until <Moment at={price.expires_at_s} /></>}
          </Text>
        </Group>
        <Text size="xs" maw={300} style={{ overflowWrap: "anywhere" }}>
          {price.actor}: {price.reason}
        </Text>
      </div>
    ),
    <Group key="actions" gap={6} wrap="nowrap" justify="end">
      <MayButton may={may} needs={needs} size="compact-xs" aria-label={`set price: ${status.name}`} onClick={() => act({ name: status.name, what: "set" })}>
        Set price
      </MayButton>
      {price !== null && (
        <MayButton may={may} needs={needs} size="compact-xs" aria-label={`take back: ${status.name}`} onClick={() => act({ name: status.name, what: "drop" })}>
          Take back
        </MayButton>
      )}
    </Group>,
  ];
}

type Props = { target: string; one: VariantPrice; close: () => void };

/** `3 replicas: $12.00/h → $9.00/h (−$3.00/h)`. */
function words({ status, usd_per_replica_hour }: VariantPrice, to: number | null): string {
  if (to === null) return "The price is missing.";
  const replicas = status.desired ?? 0;
  const [before, after] = [replicas * Number(usd_per_replica_hour), replicas * to];
  return `${replicas} ${replicas === 1 ? "replica" : "replicas"} of ${status.name}: ${dollarsPerHour(before)} → ${dollarsPerHour(after)} (${dollarsChange(after - before)}) from the next decision on. The planner may choose other variants then.`;
}

function SetPrice({ target, one, close }: Props) {
  const set = useSetVariantPrice();
  return (
    <PriceDialog
      title={`What a replica of ${one.status.name} costs an hour`}
      fields={[{ label: "$ per replica hour", now: Number(one.usd_per_replica_hour) }]}
      consequence={([to = null]) => words(one, to)}
      send={({ amounts: [to = null], ttlS, reason }) => {
        if (to === null) return;
        set.mutate({ target, variant: one.status.name, etag: one.price_etag, body: { usd_per_replica_hour: dollars(to), ttl_s: ttlS, reason } }, { onSuccess: close });
      }}
      pending={set.isPending}
      error={set.error}
      close={close}
    />
  );
}

function DropPrice({ target, one, close }: Props) {
  const drop = useDropVariantPrice();
  return (
    <TakeBackDialog
      title={`Take back the price of ${one.status.name}?`}
      words={`From the next decision on a replica of ${one.status.name} costs what its custom resource says, or else its accelerator's price, instead of ${usd(one.usd_per_replica_hour)} an hour; ${one.status.desired ?? 0} are desired now.`}
      send={() => drop.mutate({ target, variant: one.status.name, etag: one.price_etag }, { onSuccess: close })}
      pending={drop.isPending}
      error={drop.error}
      close={close}
    />
  );
}
