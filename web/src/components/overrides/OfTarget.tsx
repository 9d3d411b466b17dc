import { Button, Group, Stack, Text, Title } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";

import { useMay } from "../../api/access";
import type { TargetSummary } from "../../api/client";
import { useOverrides } from "../../api/overrides";
import { Answer } from "../states";
import { OverrideDialog } from "./Dialog";
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
        <Button size="xs" variant="default" onClick={open} disabled={!may} title={may ? undefined : "This needs the role Operator"}>
          Pin or override
        </Button>
      </Group>
      <Answer of={active}>
        {(data) => {
          const items = data.pages.flatMap((page) => page.items);
          if (items.length > 0) return <OverrideTable overrides={items} />;
          return (
            <Text size="sm" c="dimmed">
              None: the planner alone decides.
            </Text>
          );
        }}
      </Answer>
      {opened && <OverrideDialog target={target} close={close} />}
    </Stack>
  );
}
