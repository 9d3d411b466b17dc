import { Alert, Grid, List, Stack, Text } from "@mantine/core";
import { lazy, Suspense } from "react";

import type { Checked } from "../../api/checked";
import { withField } from "../../lib/specYaml";
import { SpecForm } from "./SpecForm";

const YamlEditor = lazy(() => import("./YamlEditor").then(({ YamlEditor }) => ({ default: YamlEditor })));

type Props = { text: string; setText: (text: string) => void; checked: Checked; children?: React.ReactNode };

/** A spec as YAML and as a form, which are one text; and what is wrong with it, by line. */
export function SpecEditor({ text, setText, checked, children }: Props) {
  return (
    <Grid gutter="md">
      <Grid.Col span={{ base: 12, lg: 7 }}>
        <Stack gap="xs">
          <Suspense fallback={<div style={{ minHeight: 282 }} />}>
            <YamlEditor value={text} onChange={setText} faults={checked.faults} label="spec as YAML" />
          </Suspense>
          <Said checked={checked} />
        </Stack>
      </Grid.Col>
      <Grid.Col span={{ base: 12, lg: 5 }}>
        <Stack gap="md">
          <SpecForm spec={checked.spec} set={(path, value) => setText(withField(text, path, value))} />
          {children}
        </Stack>
      </Grid.Col>
    </Grid>
  );
}

/** What the API says of it; the place is kept, so that nothing jumps while one types. */
function Said({ checked }: { checked: Checked }) {
  const { faults, elsewhere, answer, fresh, error } = checked;
  if (error) return <Alert color="red" title="It could not be checked" role="alert" mih={76}>{error.message}</Alert>;
  if (faults.length > 0 || elsewhere !== null) {
    return (
      <Alert color="red" title="It would not be taken" role="status" data-testid="faults" mih={76}>
        <List size="sm" listStyleType="none">
          {faults.map(({ from, line, message }) => (
            <List.Item key={`${from} ${message}`}>
              <b>Line {line}:</b> {message}
            </List.Item>
          ))}
          {elsewhere !== null && <List.Item>{elsewhere}</List.Item>}
        </List>
      </Alert>
    );
  }
  if (!fresh || answer === null) return <Alert color="gray" title="Being checked" role="status" mih={76}><Text size="sm">What is written is looked at once you pause.</Text></Alert>;
  return (
    <Alert color="teal" title="It would be taken" role="status" data-testid="taken" mih={76}>
      <Text size="sm">
        It makes {answer.targets?.length ?? 0} {answer.targets?.length === 1 ? "target" : "targets"}: {answer.targets?.join(", ")}.
        {(answer.named_by_resources?.length ?? 0) > 0 && ` A custom resource decides ${answer.named_by_resources?.join(", ")}: here it can be drafted and shadowed.`}
      </Text>
    </Alert>
  );
}
