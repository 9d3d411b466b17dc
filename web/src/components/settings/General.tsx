import { Text } from "@mantine/core";
import { useState } from "react";

import { type Setting, useSettings } from "../../api/settings";
import { TITLES, valueWords } from "../../lib/setting";
import { Moment } from "../bits";
import { DataTable } from "../DataTable";
import { MayButton } from "../MayButton";
import { Answer } from "../states";
import { Section } from "./Section";
import { SettingDialog } from "./SettingDialog";

const COLUMNS = [
  { key: "name", head: "Setting" },
  { key: "value", head: "Value" },
  { key: "changed", head: "Changed" },
  { key: "actions", head: null },
];

/** The installation's settings: everybody reads them, administrators change them. */
export function General({ may }: { may: boolean }) {
  const found = useSettings();
  const [editing, setEditing] = useState<string | null>(null);
  return (
    <Section title="General">
      <Answer of={found}>
        {(settings) => {
          // Looked up by name: after a conflict the dialog goes on with what is true now.
          const meant = settings.find(({ name }) => name === editing);
          return (
            <>
              <DataTable label="Settings" columns={COLUMNS} minWidth={720} testId="setting-row" rows={settings.map((one) => ({ key: one.name, cells: cellsOf(one, may, () => setEditing(one.name)) }))} />
              {meant && <SettingDialog setting={meant} close={() => setEditing(null)} />}
            </>
          );
        }}
      </Answer>
    </Section>
  );
}

function cellsOf(one: Setting, may: boolean, onEdit: () => void) {
  const title = TITLES[one.name] ?? one.name;
  return [
    <div key="name">
      <Text size="sm" fw={600}>
        {title}
      </Text>
      <Text size="xs" c="dimmed" maw={420}>
        {one.what}
      </Text>
    </div>,
    <Text key="value" size="sm" maw={360} style={{ overflowWrap: "anywhere" }}>
      {valueWords(one)}
    </Text>,
    one.changed_at_s === null ? (
      <Text key="changed" size="sm" c="dimmed">
        never: the default
      </Text>
    ) : (
      <div key="changed">
        <Moment at={one.changed_at_s} />
        {one.changed_by && (
          <Text size="xs" c="dimmed">
            by {one.changed_by}
          </Text>
        )}
      </div>
    ),
    <MayButton key="actions" may={may} needs="Admin of all namespaces" size="compact-xs" aria-label={`change: ${title}`} onClick={onEdit}>
      Change
    </MayButton>,
  ];
}
