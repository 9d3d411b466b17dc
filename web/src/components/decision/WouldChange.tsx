import { Alert, Box, Group, Paper, Stack, Text, Title } from "@mantine/core";

import type { Counterfactual, Explanation } from "../../api/explain";
import { VerdictBadge } from "../bits";

/** The smallest change of each kind that would have led to another answer; those that turn the verdict first. */
export function WouldChange({ explanation }: { explanation: Explanation }) {
  const { would_change: all, reproduced, planner_version, decided_again_by } = explanation;
  const [turns, others] = [all.filter((one) => one.flips), all.filter((one) => !one.flips)];
  return (
    <Paper withBorder p="md" component="section" aria-label="What would change this">
      <Stack gap="sm">
        <div>
          <Title order={2} size="h6">
            What would change this
          </Title>
          <Text size="xs" c="dimmed">
            The recorded inputs were decided again, with one thing changed at a time: the SLO, the load, prices, GPUs, how careful the forecast is read, each rule.
          </Text>
        </div>
        {!reproduced && (
          <Alert color="yellow" title="Read this with care" p="xs">
            This version ({decided_again_by}) decides these inputs otherwise than the one that recorded them ({planner_version}).
          </Alert>
        )}
        {all.length === 0 && <Text size="sm">None of what was tried would have: the answer did not hang on one thing.</Text>}
        <Changes title="It would have decided otherwise" changes={turns} />
        <Changes title={turns.length > 0 ? "The same verdict, with other replicas" : "Nothing turns the verdict; these change the replicas"} changes={others} />
      </Stack>
    </Paper>
  );
}

function Changes({ title, changes }: { title: string; changes: Counterfactual[] }) {
  if (changes.length === 0) return null;
  return (
    <Stack gap={4} data-testid="changes">
      <Text size="sm" fw={600} component="h3" m={0}>
        {title}
      </Text>
      <Stack component="ul" gap={4} m={0} p={0} style={{ listStyle: "none" }}>
        {changes.map(({ sentence, verdict }) => (
          <Group key={sentence} component="li" gap="sm" wrap="nowrap" align="start">
            <Box flex="none" w={86}>
              <VerdictBadge verdict={verdict} />
            </Box>
            <Text size="sm">{sentence}</Text>
          </Group>
        ))}
      </Stack>
    </Stack>
  );
}
