import { Group, Paper, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";

import type { Policy } from "../../api/policies";
import type { PolicySearch } from "../../lib/policySearch";
import { Moment } from "../bits";
import { Person, StageBadge } from "./bits";

/** Every version, the newest first; the one that is looked at is marked. */
export function Versions({ policy, chosen, search }: { policy: Policy; chosen: number; search: PolicySearch }) {
  return (
    <Paper withBorder component="nav" aria-label="Versions" mah={640} style={{ overflowY: "auto" }}>
      {[...policy.versions].reverse().map((one) => (
        <Link
          key={one.number}
          className="version-row"
          to="/policies/$id"
          params={{ id: policy.id } as never}
          search={{ ...search, v: one.number, against: undefined } as never}
          aria-current={one.number === chosen ? "true" : undefined}
          resetScroll={false}
          data-testid="version-row"
        >
          <Group justify="space-between" wrap="nowrap" gap="xs">
            <Text size="sm" fw={600}>
              Version {one.number}
            </Text>
            <StageBadge stage={one.stage} />
          </Group>
          <Text size="xs" c="dimmed" component="div" className="small">
            <Person id={one.author} />
            {one.parent !== null && `, from v${one.parent}`} · <Moment at={one.since_s} />
          </Text>
          <Text size="xs" lineClamp={2}>
            {one.reason}
          </Text>
        </Link>
      ))}
    </Paper>
  );
}
