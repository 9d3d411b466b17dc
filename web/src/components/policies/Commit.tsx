import { Button, Code, CopyButton, Group, Paper, SegmentedControl, Stack, Text, Title } from "@mantine/core";
import { useState } from "react";

import { type Patch, type Policy, usePatch, type Version } from "../../api/policies";
import { tidied, toYaml } from "../../lib/specYaml";
import { Answer } from "../states";

type Form = "yaml" | "merge" | "json";

/** Where a custom resource names the target it decides: what to commit so that this version does. */
export function Commit({ policy, version }: { policy: Policy; version: Version }) {
  const named = policy.named_by_resources;
  const patches = usePatch(policy.id, version.number, named.length > 0);
  if (named.length === 0) return null;
  return (
    <Paper withBorder p="md" data-testid="commit">
      <details open={version.stage === "Shadow" || version.stage === "Draft"}>
        <summary style={{ cursor: "pointer" }}>
          <Title order={3} size="h5" display="inline">
            To have version {version.number} decide, commit this
          </Title>
        </summary>
        <Stack gap="xs" mt="xs">
        <Text size="sm">
          A custom resource (GitOps) decides {named.join(", ")}. Here the version can be drafted and shadowed; it decides once it stands in your
          repository.
        </Text>
        <Answer of={patches}>{(data) => <>{data.filter(({ target }) => named.includes(target)).map((patch) => <OnePatch key={patch.target} patch={patch} />)}</>}</Answer>
        </Stack>
      </details>
    </Paper>
  );
}

function OnePatch({ patch }: { patch: Patch }) {
  const [form, setForm] = useState<Form>("yaml");
  const text = { yaml: tidied(patch.yaml), merge: toYaml(patch.merge_patch), json: JSON.stringify(patch.json_patch, null, 2) }[form];
  return (
    <Stack gap={6}>
      <Group justify="space-between" gap="xs">
        <Group gap="xs">
          <Text size="sm" fw={600}>
            {patch.target}
          </Text>
          <SegmentedControl
            aria-label={`form of the patch of ${patch.target}`}
            size="xs"
            value={form}
            onChange={(value) => setForm(value as Form)}
            data={[
              { value: "yaml", label: "Whole resource" },
              { value: "merge", label: "Merge patch" },
              { value: "json", label: "JSON patch" },
            ]}
          />
        </Group>
        <CopyButton value={text}>
          {({ copied, copy }) => (
            <Button size="compact-xs" variant="default" onClick={copy}>
              {copied ? "Copied" : "Copy"}
            </Button>
          )}
        </CopyButton>
      </Group>
      <Code block mah={220} style={{ overflow: "auto" }} tabIndex={0} role="region" aria-label={`what to commit for ${patch.target}`}>
        {text}
      </Code>
      <Text size="xs" c="dimmed">
        Or by hand: <Code>{patch.command}</Code>
      </Text>
    </Stack>
  );
}
