import { Anchor, Badge, Group, Stack, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";

import { useDirectives } from "../../api/freezes";
import { DIRECTIONS, scopeOf } from "../../lib/freeze";
import { Moment } from "../bits";

/** What else is said of a target now: freezes that concern it, and its custom resource's own overrides. */
export function InForce({ namespace, name }: { namespace: string; name: string }) {
  const said = useDirectives(namespace, name).data;
  const own = (said?.overrides ?? []).filter(({ id }) => id === null);
  if (said === undefined || said.freezes.length + own.length === 0) return null;
  return (
    <Stack gap={4}>
      {said.freezes.map((one) => (
        <Group key={one.id} gap="xs" data-testid="freeze-in-force">
          <Badge variant="outline" radius="sm" tt="none" miw="max-content" color={one.begun ? "blue" : "yellow"} c="var(--mantine-color-text)">
            {one.begun ? "Frozen" : "To be frozen"}
          </Badge>
          <Text size="sm">
            {scopeOf({ namespace: one.namespace, target: one.target })}: {DIRECTIONS.find(({ value }) => value === one.direction)?.label.toLowerCase()}{" "}
            {!one.begun && (
              <>
                from <Moment at={one.starts_at_s} />{" "}
              </>
            )}
            until <Moment at={one.ends_at_s} />, by {one.actor}: {one.reason}
          </Text>
          <Anchor component={Link} to="/overrides" search={{ show: "active", what: "freezes" } as never} size="sm">
            To the freezes
          </Anchor>
        </Group>
      ))}
      {own.map((one) => (
        <Text key={one.words} size="sm">
          From its custom resource: {one.words}
          {one.holds.length === 0 && " (outranked)"}
        </Text>
      ))}
    </Stack>
  );
}
