import { Anchor, Group, Paper, SegmentedControl, Stack, Text, Title } from "@mantine/core";
import { Link } from "@tanstack/react-router";

import type { TickSummary } from "../../api/client";
import { useTicks } from "../../api/hooks";
import { dollarsPerHour, moves, rate } from "../../lib/format";
import { type TargetSearch, VERDICTS } from "../../lib/search";
import { Moment, VerdictBadge } from "../bits";
import { Older } from "../Older";
import { Answer } from "../states";

type Props = { namespace: string; name: string; search: TargetSearch; onVerdict: (v: TargetSearch["verdict"]) => void };

/** A target's decisions, newest first; each opens into its trail. */
export function Decisions({ namespace, name, search, onVerdict }: Props) {
  const ticks = useTicks(namespace, name, search);
  return (
    <Stack gap="sm">
      <Group justify="space-between">
        <Title order={2} size="h5">
          Decisions
        </Title>
        <SegmentedControl
          aria-label="verdict"
          size="xs"
          value={search.verdict}
          onChange={(value) => onVerdict(value as TargetSearch["verdict"])}
          data={["all", "changes", ...VERDICTS]}
        />
      </Group>
      <Answer of={ticks}>
        {(data) => {
          const items = data.pages.flatMap((page) => page.items);
          if (items.length === 0) return <Text c="dimmed">No such decision yet.</Text>;
          return (
            <>
              <Paper withBorder>
                {items.map((tick) => (
                  <DecisionRow key={tick.id} tick={tick} />
                ))}
              </Paper>
              <Older of={ticks} />
            </>
          );
        }}
      </Answer>
    </Stack>
  );
}

function DecisionRow({ tick }: { tick: TickSummary }) {
  const moved = moves(tick.current, tick.desired);
  return (
    <Anchor
      component={Link}
      to="/ticks/$id"
      params={{ id: tick.id } as never}
      underline="never"
      c="inherit"
      display="block"
      px="md"
      py={8}
      data-testid="decision-row"
      style={{ borderBottom: "1px solid var(--mantine-color-default-border)" }}
    >
      <Group gap="md" wrap="wrap">
        <Moment at={tick.at_s} />
        <VerdictBadge verdict={tick.verdict} />
        <Text size="sm" style={{ flex: "1 1 260px" }}>
          {tick.reason}
        </Text>
        <Text size="xs" c="dimmed">
          {rate(tick.requests_per_s)} · {dollarsPerHour(tick.usd_per_hour)}
          {moved && !tick.applied ? " · not applied" : ""}
        </Text>
      </Group>
    </Anchor>
  );
}
