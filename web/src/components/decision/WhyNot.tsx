import { Anchor, Button, Group, Loader, Paper, Stack, Text, Title } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useState } from "react";

import { ApiProblem, type Tick } from "../../api/client";
import { type Direction, useWhyNot } from "../../api/explain";
import { Moment } from "../bits";
import { Problem } from "../states";

const ASKED: { direction: Direction; words: string }[] = [
  { direction: "down", words: "Why are there not fewer replicas?" },
  { direction: "up", words: "Why are there not more?" },
];

/** Up to this decision: what the planner last wanted and did not get, and what stood in its way. */
export function WhyNot({ tick }: { tick: Tick }) {
  const [asked, ask] = useState<Direction | null>(null);
  return (
    <Paper withBorder p="md" component="section" aria-label="Why not otherwise">
      <Stack gap="sm">
        <Group gap="xs">
          <Title order={2} size="h6">
            Why not otherwise?
          </Title>
          {ASKED.map(({ direction, words }) => (
            <Button key={direction} size="compact-sm" variant={asked === direction ? "light" : "default"} aria-pressed={asked === direction} onClick={() => ask(direction)}>
              {words}
            </Button>
          ))}
        </Group>
        {asked && <WhyNotAnswer key={asked} tick={tick} direction={asked} />}
      </Stack>
    </Paper>
  );
}

function WhyNotAnswer({ tick, direction }: { tick: Tick; direction: Direction }) {
  // This decision itself counts: it is looked back from just after it.
  const found = useWhyNot(tick.inputs.target, direction, tick.at_s + 0.001, true);
  if (found.isPending) return <Loader size="sm" role="status" aria-label="looking back" />;
  if (found.error instanceof ApiProblem && found.error.status === 404) return <Text size="sm">Nobody stood in its way: {found.error.message}.</Text>;
  if (found.error) return <Problem error={found.error} retry={found.refetch} />;
  const { sentence, explanation } = found.data;
  return (
    <Stack gap={4} role="status">
      <Text size="sm">{sentence}</Text>
      {explanation.tick_id === tick.id ? (
        <Text size="xs" c="dimmed">
          That is this decision.
        </Text>
      ) : (
        <Text size="xs" c="dimmed" component="div">
          Decided <Moment at={explanation.at_s} />:{" "}
          <Anchor component={Link} to="/ticks/$id" params={{ id: explanation.tick_id } as never} size="xs" underline="always">
            open that decision
          </Anchor>
        </Text>
      )}
    </Stack>
  );
}
