import { Anchor, Badge, Button, Group, Modal, Paper, Stack, Table, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useState } from "react";

import { useMay } from "../../api/access";
import type { Override } from "../../api/client";
import { useEndOverride } from "../../api/overrides";
import { seconds } from "../../lib/format";
import { Moment } from "../bits";
import { useNow } from "../Clock";
import { MayButton } from "../MayButton";
import { HeardOfOverride } from "./Heard";
import { Refused } from "./Refused";

const COLOURS = { Active: "blue", Expired: "gray", Ended: "gray" } as const;

/** What an override asks for, in words. */
export const wordsOf = ({ kind, replicas, variant }: Override) =>
  `${kind}${replicas === null ? "" : ` ${replicas}`} · ${variant ?? "every variant"}`;

type Props = { overrides: Override[]; withTarget?: boolean };

export function OverrideTable({ overrides, withTarget = false }: Props) {
  const [ending, setEnding] = useState<Override | null>(null);
  const [heard, setHeard] = useState<Override | null>(null);
  return (
    <Paper withBorder style={{ overflowX: "auto" }} tabIndex={0} role="region" aria-label="Overrides">
      <Table verticalSpacing={5} horizontalSpacing="sm" miw={640} highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            {[...(withTarget ? ["Target"] : []), "Override", "State", "Until", "By and why"].map((head) => (
              <Table.Th key={head} fz="xs">
                {head}
              </Table.Th>
            ))}
            <Table.Td />
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {overrides.map((one) => (
            <Row key={one.id} one={one} withTarget={withTarget} onEnd={() => setEnding(one)} onHeard={() => setHeard(one)} />
          ))}
        </Table.Tbody>
      </Table>
      {ending && <EndDialog one={ending} close={() => setEnding(null)} />}
      {heard && <HeardOfOverride id={heard.id} title={`Decisions that heard: ${wordsOf(heard)}`} close={() => setHeard(null)} />}
    </Paper>
  );
}

type RowProps = { one: Override; withTarget: boolean; onEnd: () => void; onHeard: () => void };

function Row({ one, withTarget, onEnd, onHeard }: RowProps) {
  const now = useNow(1000);
  const mayEnd = useMay("Operator", one.namespace);
  const left = now === null ? null : one.expires_at_s - now;
  return (
    <Table.Tr data-testid="override-row">
      {withTarget && (
        <Table.Td>
          <Anchor component={Link} to="/targets/$namespace/$name" params={{ namespace: one.namespace, name: one.target } as never} size="sm">
            {one.namespace}/{one.target}
          </Anchor>
        </Table.Td>
      )}
      <Table.Td>{wordsOf(one)}</Table.Td>
      <Table.Td>
        <Badge variant="outline" radius="sm" tt="none" miw="max-content" color={COLOURS[one.state]} c="var(--mantine-color-text)">
          {one.state}
        </Badge>
      </Table.Td>
      <Table.Td>
        <Moment at={one.ended_at_s ?? one.expires_at_s} />
        <Text size="xs" c="dimmed">
          {one.state === "Active" && left !== null && left > 0 ? `${seconds(left)} left` : one.ended_by ? `ended by ${one.ended_by}` : ""}
        </Text>
      </Table.Td>
      <Table.Td maw={360} style={{ overflowWrap: "anywhere" }}>
        {one.actor}: {one.reason}
      </Table.Td>
      <Table.Td>
        <Group gap={6} wrap="nowrap" justify="end">
          <Button size="compact-xs" variant="subtle" aria-label={`decisions that heard ${wordsOf(one)}`} onClick={onHeard}>
            Decisions
          </Button>
          {one.state === "Active" && (
            <MayButton may={mayEnd} needs={`Operator of ${one.namespace}`} size="compact-xs" onClick={onEnd}>
              End
            </MayButton>
          )}
        </Group>
      </Table.Td>
    </Table.Tr>
  );
}

function EndDialog({ one, close }: { one: Override; close: () => void }) {
  const end = useEndOverride();
  return (
    <Modal opened onClose={close} title={`End ${wordsOf(one)}?`} closeButtonProps={{ "aria-label": "close" }}>
      <Stack>
        <Text size="sm">
          From its next decision on the planner sets the replicas of {one.namespace}/{one.target} again, within the policy's pace. It stays in the
          list as ended.
        </Text>
        <Refused error={end.error} />
        <Group justify="end">
          <Button variant="default" onClick={close}>
            Keep it
          </Button>
          <Button color="red.9" loading={end.isPending} onClick={() => end.mutate(one, { onSuccess: close })}>
            End it now
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
