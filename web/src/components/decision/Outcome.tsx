import { Badge, Group, Paper, Stack, Text, Title } from "@mantine/core";

import type { Outcome } from "../../api/explain";
import { time } from "../../lib/format";
import { useZone } from "../../lib/zone";

/** What later decisions saw: did the forecast hold, and was the SLO met? */
export function OutcomeView({ outcome }: { outcome: Outcome }) {
  const zone = useZone();
  return (
    <Paper withBorder p="md" component="section" aria-label="What came of it">
      <Stack gap={6}>
        <Group gap="xs">
          <Title order={2} size="h6">
            What came of it
          </Title>
          <Said what="forecast" is={outcome.forecast?.held ?? null} yes="the plan was enough" no="more came than was planned for" />
          <Said what="SLO" is={outcome.slo_met} yes="the SLO was met" no="the SLO was missed" />
        </Group>
        <Text size="sm">{outcome.sentence}</Text>
        <Text size="xs" c="dimmed">
          {outcome.complete ? "Looked at until " : "It is still to be seen until "}
          {time(outcome.until_s, zone)}: that is how far the decision had to look ahead.
        </Text>
      </Stack>
    </Paper>
  );
}

/** Yes, no, or not known yet: by its sign and words, not by colour alone. */
function Said({ what, is, yes, no }: { what: string; is: boolean | null; yes: string; no: string }) {
  if (is === null) {
    return (
      <Badge variant="light" color="gray" radius="sm" tt="none">
        ? {what}: not known yet
      </Badge>
    );
  }
  return (
    <Badge variant="light" color={is ? "teal" : "orange"} radius="sm" tt="none">
      {is ? "✓" : "✗"} {is ? yes : no}
    </Badge>
  );
}
