import { Group, Stack, Text, Title } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";

import { useMay } from "../../api/access";
import type { TargetSummary } from "../../api/client";
import { useOverrides } from "../../api/overrides";
import { MayButton } from "../MayButton";
import { Answer } from "../states";
import { OverrideDialog } from "./Dialog";
import { InForce } from "./InForce";
import { OverrideTable } from "./Table";

/** The overrides that hold for one target, and the way to another. */
export function OverridesOfTarget({ target }: { target: TargetSummary }) {
  const [opened, { open, close }] = useDisclosure(false);
  const may = useMay("Operator", target.namespace);
  const active = useOverrides({ namespace: target.namespace, target: target.name, active: true });
  return (
    <Stack gap="xs">
      <Group justify="space-between">
        <Title order={2} size="h5">
          Overrides
        </Title>
        <MayButton may={may} needs={`Operator of ${target.namespace}`} size="xs" onClick={open}>
          Pin or override
        </MayButton>
      </Group>
      <InForce namespace={target.namespace} name={target.name} />
      <Answer of={active}>
        {(data) => {
          const items = data.pages.flatMap((page) => page.items);
          if (items.length > 0) return <OverrideTable overrides={items} />;
          return (
            <Text size="sm" c="dimmed">
              No override holds.
            </Text>
          );
        }}
      </Answer>
      {opened && <OverrideDialog target={target} close={close} />}
    </Stack>
  );
}
