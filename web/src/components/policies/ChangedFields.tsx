import { Code, List, Text } from "@mantine/core";

import { brief, type Changed } from "../../lib/spec";

const SHOWN = 12;

/** `forecast.quantile 0.9 → 0.8`, one a line. */
export function ChangedFields({ changed }: { changed: Changed[] }) {
  if (changed.length === 0) return null;
  return (
    <List size="sm" spacing={2} listStyleType="none">
      {changed.slice(0, SHOWN).map(({ path, before, after }) => (
        <List.Item key={path}>
          <Code>{path.replace(/^spec\./, "")}</Code> {brief(before)} → <b>{brief(after)}</b>
        </List.Item>
      ))}
      {changed.length > SHOWN && (
        <Text size="sm" c="dimmed">
          and {changed.length - SHOWN} more
        </Text>
      )}
    </List>
  );
}
