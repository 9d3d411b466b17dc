import { Group, SegmentedControl, Stack, Tabs, Title } from "@mantine/core";
import { useNavigate, useSearch } from "@tanstack/react-router";

import type { Override } from "../api/client";
import { useOverrides } from "../api/overrides";
import { Freezes } from "../components/freezes/Section";
import { Older } from "../components/Older";
import { OverrideTable } from "../components/overrides/Table";
import { SearchInput } from "../components/SearchInput";
import { Answer, Empty } from "../components/states";
import { type OverridesSearch, overridesSearch } from "../lib/search";

const matches = (one: Override, q: string) =>
  `${one.namespace}/${one.target} ${one.variant ?? ""} ${one.kind} ${one.actor} ${one.reason}`.toLowerCase().includes(q.toLowerCase());

/** What people say over the planner, for a time. */
export function OverridesPage() {
  const raw: Record<string, unknown> = useSearch({ strict: false });
  const search = overridesSearch(raw);
  const navigate = useNavigate();
  const set = (change: Partial<OverridesSearch>) => void navigate({ to: "/overrides", search: { ...search, ...change }, replace: true } as never);
  const active = search.show === "active";
  return (
    <Stack>
      <Title order={1} size="h3">
        Overrides and freezes
      </Title>
      <Tabs value={search.what ?? "overrides"} onChange={(what) => set({ what: what === "freezes" ? what : undefined })} keepMounted={false}>
        <Tabs.List mb="md">
          <Tabs.Tab value="overrides">Overrides</Tabs.Tab>
          <Tabs.Tab value="freezes">Freezes</Tabs.Tab>
        </Tabs.List>
        <Filters search={search} set={set} />
        <Tabs.Panel value="overrides">
          <OverrideList active={active} q={search.q ?? ""} />
        </Tabs.Panel>
        <Tabs.Panel value="freezes">
          <Freezes active={active} q={search.q ?? ""} />
        </Tabs.Panel>
      </Tabs>
    </Stack>
  );
}

function Filters({ search, set }: { search: OverridesSearch; set: (change: Partial<OverridesSearch>) => void }) {
  return (
    <Group mb="md">
      <SegmentedControl
        aria-label="which"
        size="xs"
        value={search.show}
        data={[
          { value: "active", label: search.what === "freezes" ? "Active and planned" : "Active" },
          { value: "all", label: "Expired and ended too" },
        ]}
        onChange={(show) => set({ show: show as OverridesSearch["show"] })}
      />
      <SearchInput
        aria-label={`search ${search.what ?? "overrides"}`}
        placeholder="Target, variant, person, reason"
        w={240}
        value={search.q ?? ""}
        onSearch={(q) => set({ q: q || undefined })}
      />
    </Group>
  );
}

function OverrideList({ active, q }: { active: boolean; q: string }) {
  const found = useOverrides({ active });
  return (
    <Answer of={found}>
      {(data) => {
        const items = data.pages.flatMap((page) => page.items).filter((one) => matches(one, q));
        return (
          <Stack>
            {items.length === 0 ? (
              <Empty title={active ? "No override holds now" : "No override is like that"}>
                The planner alone decides. To pin a target, open it from the fleet and press “Pin or override”.
              </Empty>
            ) : (
              <OverrideTable overrides={items} withTarget />
            )}
            <Older of={found} />
          </Stack>
        );
      }}
    </Answer>
  );
}
