import { Group, SegmentedControl, Stack, TextInput, Title } from "@mantine/core";
import { useNavigate, useSearch } from "@tanstack/react-router";

import type { Override } from "../api/client";
import { useOverrides } from "../api/overrides";
import { Older } from "../components/Older";
import { OverrideTable } from "../components/overrides/Table";
import { Answer, Empty } from "../components/states";
import type { OverridesSearch } from "../lib/search";

const matches = (one: Override, q: string) =>
  `${one.namespace}/${one.target} ${one.variant ?? ""} ${one.kind} ${one.actor} ${one.reason}`.toLowerCase().includes(q.toLowerCase());

export function OverridesPage() {
  const search = useSearch({ strict: false }) as OverridesSearch;
  const navigate = useNavigate();
  const set = (change: Partial<OverridesSearch>) => void navigate({ to: "/overrides", search: { ...search, ...change }, replace: true } as never);
  const found = useOverrides({ active: search.show === "active" });
  return (
    <Stack>
      <Title order={1} size="h3">
        Overrides
      </Title>
      <Group>
        <SegmentedControl
          aria-label="which"
          size="xs"
          value={search.show}
          data={[
            { value: "active", label: "Active" },
            { value: "all", label: "Expired and ended too" },
          ]}
          onChange={(show) => set({ show: show as OverridesSearch["show"] })}
        />
        <TextInput
          aria-label="search overrides"
          placeholder="Target, variant, person, reason"
          size="xs"
          w={240}
          value={search.q ?? ""}
          onChange={(event) => set({ q: event.currentTarget.value || undefined })}
        />
      </Group>
      <Answer of={found}>
        {(data) => {
          const items = data.pages.flatMap((page) => page.items).filter((one) => matches(one, search.q ?? ""));
          return (
            <>
              {items.length === 0 ? (
                <Empty title={search.show === "active" ? "No override holds now" : "No override is like that"}>
                  The planner alone decides. To pin a target, open it from the fleet and press “Pin or override”.
                </Empty>
              ) : (
                <OverrideTable overrides={items} withTarget />
              )}
              <Older of={found} />
            </>
          );
        }}
      </Answer>
    </Stack>
  );
}
