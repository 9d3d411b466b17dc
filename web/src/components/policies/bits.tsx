import { Badge, Text, Tooltip } from "@mantine/core";

import { useMe } from "../../api/hooks";
import type { Stage } from "../../api/policies";
import { person, STAGE_COLOURS, STAGE_SIGNS, STAGE_WORDS } from "../../lib/policy";

/** Where a version is, by colour, sign and word. */
export function StageBadge({ stage, number }: { stage: Stage; number?: number }) {
  return (
    <Tooltip label={STAGE_WORDS[stage]} multiline maw={320}>
      <Badge variant="light" color={STAGE_COLOURS[stage]} leftSection={<span aria-hidden>{STAGE_SIGNS[stage]}</span>} radius="sm" tt="none" miw="max-content">
        {stage}
        {number === undefined ? "" : ` v${number}`}
      </Badge>
    </Tooltip>
  );
}

export function GitOpsBadge() {
  return (
    <Tooltip label="A custom resource in the cluster: it is changed where it is kept (Git), and read-only here." multiline maw={320}>
      <Badge variant="outline" color="gray" radius="sm" tt="none" c="var(--mantine-color-text)" miw="max-content">
        GitOps · read-only
      </Badge>
    </Tooltip>
  );
}

/** Who did something: one's own doing is told as such, and the whole id is on hover. */
export function Person({ id }: { id: string }) {
  const me = useMe().data;
  return (
    <Text span inherit title={id}>
      {person(id, me)}
    </Text>
  );
}
