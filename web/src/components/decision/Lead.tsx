import { Group, Paper, Stack, Text, Title } from "@mantine/core";

import type { Tick } from "../../api/client";
import { costOf, leadWords } from "../../lib/decision";
import { dollarsChange, dollarsPerHour, rate, share } from "../../lib/format";
import { Stat } from "../bits";

/** The decision in one line, and the four numbers that it was about. */
export function Lead({ tick }: { tick: Tick }) {
  const { observation, forecast } = tick.inputs;
  const [before, after] = [costOf(tick, tick.decision.current), costOf(tick, tick.decision.desired)];
  const moved = before !== null && after !== null && Math.abs(after - before) > 0.005;
  const rates = forecast?.requests_per_s;
  const middle = rates?.peak[rates.levels.indexOf(0.5)];
  return (
    <Paper withBorder p="md" component="section" aria-label="In short">
      <Stack gap="sm">
        <Title order={2} size="h4" data-testid="lead">
          {leadWords(tick)}
        </Title>
        <Text size="sm">{tick.decision.reason}</Text>
        <Group wrap="wrap" style={{ columnGap: 26, rowGap: 10 }}>
          <Stat label="Load then">{rate(observation.load?.requests_per_s)}</Stat>
          <Stat label="Expected peak (median)" hint="the highest load until more replicas could be ready">
            {rate(middle)}
          </Stat>
          <Stat label="Planned for" hint="the quantile of the peak that is provided for, and what drains the queue">
            {rate(tick.plan.demand?.requests_per_s)}
          </Stat>
          <Stat label="Met the SLO then">{share(observation.attainment)}</Stat>
          <Stat label="Cost">
            {dollarsPerHour(after)}
            {moved && (
              <Text span size="sm" c="dimmed" ml={6}>
                {dollarsChange(after - before)}
              </Text>
            )}
          </Stat>
        </Group>
      </Stack>
    </Paper>
  );
}
