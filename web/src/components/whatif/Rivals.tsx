import { Button, Checkbox, Group, MultiSelect, NumberInput, SimpleGrid, Stack, Text } from "@mantine/core";
import { useState } from "react";

import { usePlayable } from "../../api/jobs";
import { RIVALS } from "../../lib/rivals";
import { joined, listed, NO_PEERS, type WhatIfSearch } from "../../lib/whatIfSearch";

type Props = { search: WhatIfSearch; namespace: string; set: (change: Partial<WhatIfSearch>) => void };

/** Which policies are to play the window: other people's, versions of ours, or a fleet that stays as it is. */
export function Rivals({ search, namespace, set }: Props) {
  const chosen = listed(search.peers);
  const [more, setMore] = useState(() => RIVALS.some((one) => one.more && chosen.includes(one.id)));
  return (
    <Stack gap="sm">
      <Checkbox.Group
        label="Other autoscalers"
        description="Each with its documented settings, on the same requests."
        value={chosen}
        onChange={(peers) => set({ peers: joined(peers) ?? NO_PEERS })}
      >
        <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="xs" mt="xs">
          {RIVALS.filter((one) => more || !one.more).map(({ id, label, hint }) => (
            <Checkbox key={id} value={id} label={label} description={hint} size="sm" />
          ))}
        </SimpleGrid>
      </Checkbox.Group>
      {!more && (
        <Group>
          <Button size="compact-sm" variant="subtle" onClick={() => setMore(true)}>
            {RIVALS.filter((one) => one.more).length} more
          </Button>
        </Group>
      )}
      <Versions search={search} namespace={namespace} set={set} />
      <NumberInput
        label="A fleet that stays as it is"
        description="So many replicas of each variant, always; empty: not played."
        min={1}
        max={10_000}
        allowDecimal={false}
        maw={360}
        value={search.fixed ?? ""}
        onChange={(value) => set({ fixed: typeof value === "number" && value > 0 ? value : undefined })}
      />
      <Text size="sm" c="dimmed">
        The live policy is always played too, to compare with, and held against what really happened.
      </Text>
    </Stack>
  );
}

function Versions({ search, namespace, set }: Props) {
  const policies = usePlayable(namespace);
  const data = (policies.data?.items ?? []).flatMap((policy) =>
    policy.versions.filter((version) => version.id !== null).map((version) => ({
      value: version.id as string,
      label: `${policy.name} v${version.number} (${version.stage}): ${version.reason}`,
    })),
  );
  const none = policies.isSuccess && data.length === 0;
  return (
    <MultiSelect
      label="Versions of our policies"
      description={none ? "No policy of this namespace has versions yet: they are made on the page Policies." : undefined}
      placeholder={none ? undefined : "Pick versions"}
      disabled={none}
      data={data}
      value={listed(search.versions)}
      onChange={(versions) => set({ versions: joined(versions) })}
      searchable
      clearable
      clearButtonProps={{ "aria-label": "pick no version" }}
    />
  );
}
