import { ActionIcon, Alert, Button, Group, Modal, NumberInput, Stack, Switch, Text, Textarea, TextInput } from "@mantine/core";
import { useState } from "react";

import { type Setting, useChangeSetting } from "../../api/settings";
import { changeWords, type Line, linesOf, TITLES, valueOf } from "../../lib/setting";
import { Refused } from "../overrides/Refused";

const HEADS: Record<string, [string, string, string?]> = {
  budgets: ["Target, namespace or *", "$ a day"],
  report_baseline: ["Target", "Variant", "Replicas"],
};

/** Another value for a setting, with why; what it brings stands there before it is sent. */
export function SettingDialog({ setting, close }: { setting: Setting; close: () => void }) {
  const [value, setValue] = useState<boolean | number>(typeof setting.value === "object" ? 0 : (setting.value as boolean | number));
  const [lines, setLines] = useState<Line[]>(setting.type === "object" ? linesOf(setting) : []);
  const [reason, setReason] = useState("");
  const change = useChangeSetting();
  const to = setting.type === "object" ? valueOf(setting.name, lines) : value;
  const fine = reason.trim() !== "";
  const send = () => change.mutate({ name: setting.name, etag: setting.etag, body: { value: to, reason: reason.trim() } }, { onSuccess: close });
  return (
    <Modal opened onClose={close} title={TITLES[setting.name] ?? setting.name} size="lg" closeButtonProps={{ "aria-label": "close" }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (fine) send();
        }}
      >
        <Stack gap="sm">
          <Text size="sm">{setting.what}</Text>
          {setting.type === "boolean" && <Switch label="Required" checked={value === true} onChange={(e) => setValue(e.currentTarget.checked)} />}
          {setting.type === "integer" && <NumberInput label="Days" min={1} max={3650} allowDecimal={false} value={value as number} onChange={(given) => typeof given === "number" && setValue(given)} />}
          {setting.type === "object" && <Lines heads={HEADS[setting.name] ?? ["Name", "Value"]} lines={lines} set={setLines} />}
          <Textarea label="Reason" description="It stands in the audit." required autosize maxLength={2000} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
          <Alert color="blue" title="What will happen" role="status" data-testid="consequence">
            <Text size="sm" style={{ overflowWrap: "anywhere" }}>
              {changeWords(setting, to)}
            </Text>
          </Alert>
          <Refused error={change.error} />
          <Group justify="end">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" disabled={!fine} loading={change.isPending}>
              Change it
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

type LinesProps = { heads: [string, string, string?]; lines: Line[]; set: (lines: Line[]) => void };

/** A small table to type into. */
function Lines({ heads, lines, set }: LinesProps) {
  const edit = (i: number, what: Partial<Line>) => set(lines.map((line, j) => (i === j ? { ...line, ...what } : line)));
  return (
    <Stack gap={6}>
      {lines.map((line, i) => (
        <Group key={i} gap={6} wrap="nowrap" align="end">
          <TextInput aria-label={`${heads[0]}, line ${i + 1}`} placeholder={heads[0]} flex={2} value={line.of} onChange={(e) => edit(i, { of: e.currentTarget.value })} />
          <TextInput aria-label={`${heads[1]}, line ${i + 1}`} placeholder={heads[1]} flex={1} value={line.a} onChange={(e) => edit(i, { a: e.currentTarget.value })} />
          {heads[2] && <TextInput aria-label={`${heads[2]}, line ${i + 1}`} placeholder={heads[2]} inputMode="numeric" flex={1} value={line.b} onChange={(e) => edit(i, { b: e.currentTarget.value })} />}
          <ActionIcon variant="default" size="lg" aria-label={`take away line ${i + 1}`} onClick={() => set(lines.filter((_, j) => i !== j))}>
            ×
          </ActionIcon>
        </Group>
      ))}
      <Group>
        <Button size="xs" variant="default" onClick={() => set([...lines, { of: "", a: "", b: "" }])}>
          Add a line
        </Button>
      </Group>
    </Stack>
  );
}
