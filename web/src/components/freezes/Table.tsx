import { Badge, Button, Group, Modal, Stack, Text } from "@mantine/core";
import { useState } from "react";

import { useMay } from "../../api/access";
import { useEndFreeze } from "../../api/freezes";
import { useFleet } from "../../api/hooks";
import { DIRECTIONS, type Freeze, letGo, scopeOf } from "../../lib/freeze";
import { seconds } from "../../lib/format";
import { Moment } from "../bits";
import { useNow } from "../Clock";
import { DataTable } from "../DataTable";
import { MayButton } from "../MayButton";
import { HeardOfFreeze } from "../overrides/Heard";
import { Refused } from "../overrides/Refused";

const COLOURS = { Planned: "yellow", Active: "blue", Over: "gray", Ended: "gray" } as const;
const COLUMNS = [
  { key: "scope", head: "Of" },
  { key: "what", head: "What it stops" },
  { key: "state", head: "State" },
  { key: "from", head: "From" },
  { key: "to", head: "Until" },
  { key: "why", head: "By and why" },
  { key: "actions", head: null },
];

/** Those that hold, that are to begin, and that are over. */
export function FreezeTable({ freezes }: { freezes: Freeze[] }) {
  const [ending, setEnding] = useState<Freeze | null>(null);
  const [heard, setHeard] = useState<Freeze | null>(null);
  const now = useNow(1000);
  return (
    <>
      <DataTable
        label="Freezes"
        columns={COLUMNS}
        minWidth={860}
        testId="freeze-row"
        rows={freezes.map((one) => ({ key: one.id, cells: cellsOf(one, now, () => setEnding(one), () => setHeard(one)) }))}
      />
      {heard && <HeardOfFreeze id={heard.id} title={`Decisions that heard the freeze of ${scopeOf(heard)}`} close={() => setHeard(null)} />}
      {ending && <EndDialog freeze={ending} close={() => setEnding(null)} />}
    </>
  );
}

const open = ({ state }: Freeze) => state === "Active" || state === "Planned";

function cellsOf(one: Freeze, now: number | null, onEnd: () => void, onHeard: () => void) {
  return [
    <Text key="scope" size="sm" fw={600} style={{ overflowWrap: "anywhere" }}>
      {scopeOf(one)}
    </Text>,
    DIRECTIONS.find(({ value }) => value === one.direction)?.label,
    <Badge key="state" variant="outline" radius="sm" tt="none" miw="max-content" color={COLOURS[one.state]} c="var(--mantine-color-text)">
      {one.state}
    </Badge>,
    <div key="from">
      <Moment at={one.starts_at_s} />
      {one.state === "Planned" && now !== null && (
        <Text size="xs" c="dimmed">
          in {seconds(Math.max(0, Math.round(one.starts_at_s - now)))}
        </Text>
      )}
    </div>,
    <div key="to">
      <Moment at={one.ended_at_s ?? one.ends_at_s} />
      <Text size="xs" c="dimmed">
        {one.state === "Active" && now !== null && now < one.ends_at_s ? `${seconds(Math.round(one.ends_at_s - now))} left` : one.ended_by ? `ended by ${one.ended_by}` : ""}
      </Text>
    </div>,
    <Text key="why" size="sm" maw={340} style={{ overflowWrap: "anywhere" }}>
      {one.actor}: {one.reason}
    </Text>,
    <Group key="actions" gap={8} wrap="nowrap" justify="end">
      {one.state !== "Planned" && (
        <Button size="compact-xs" variant="subtle" aria-label={`decisions that heard the freeze of ${scopeOf(one)}`} onClick={onHeard}>
          Decisions
        </Button>
      )}
      {open(one) && <EndButton freeze={one} onEnd={onEnd} />}
    </Group>,
  ];
}

function EndButton({ freeze, onEnd }: { freeze: Freeze; onEnd: () => void }) {
  const role = freeze.namespace === null ? "Admin" : "Operator";
  const may = useMay(role, freeze.namespace);
  return (
    <MayButton may={may} needs={`${role} of ${freeze.namespace ?? "all namespaces"}`} size="compact-xs" onClick={onEnd}>
      {freeze.state === "Planned" ? "Call off" : "End"}
    </MayButton>
  );
}

function EndDialog({ freeze, close }: { freeze: Freeze; close: () => void }) {
  const end = useEndFreeze();
  const fleet = useFleet();
  return (
    <Modal opened onClose={close} title={`${freeze.state === "Planned" ? "Call off" : "End"} the freeze of ${scopeOf(freeze)}?`} closeButtonProps={{ "aria-label": "close" }}>
      <Stack>
        <Text size="sm" data-testid="consequence">
          {letGo(freeze, fleet.data?.targets)} It stays in the list, ended.
        </Text>
        <Refused error={end.error} />
        <Group justify="end">
          <Button variant="default" onClick={close}>
            Keep it
          </Button>
          <Button color="red.9" loading={end.isPending} onClick={() => end.mutate(freeze, { onSuccess: close })}>
            {freeze.state === "Planned" ? "Call it off" : "End it now"}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
