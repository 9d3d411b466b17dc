import { Badge, Button, Group, Modal, Stack, Text } from "@mantine/core";
import { useState } from "react";

import { type Channel, useChannels, useDeleteChannel, useTestChannel } from "../../api/settings";
import { toldWords } from "../../lib/channels";
import { DataTable } from "../DataTable";
import { MayButton } from "../MayButton";
import { Refused } from "../overrides/Refused";
import { Answer, Empty } from "../states";
import { ChannelDialog } from "./ChannelDialog";
import { Deliveries } from "./Deliveries";
import { Section } from "./Section";

const COLUMNS = [
  { key: "name", head: "Name" },
  { key: "where", head: "Where" },
  { key: "what", head: "Is told of" },
  { key: "state", head: "State" },
  { key: "actions", head: null },
];

type Doing = { id: string | null; what: "new" | "edit" | "delete" | "deliveries" };

/** Whom to tell what. Only administrators of everything may see it. */
export function Channels({ may }: { may: boolean }) {
  const [doing, setDoing] = useState<Doing | null>(null);
  const action = (
    <MayButton may={may} needs="Admin of all namespaces" size="xs" onClick={() => setDoing({ id: null, what: "new" })}>
      New channel
    </MayButton>
  );
  return (
    <Section title="Notifications" action={action}>
      {may ? <List doing={doing} act={setDoing} /> : <Text size="sm">Channels hold secrets: only an administrator of all namespaces sees them.</Text>}
    </Section>
  );
}

function List({ doing, act }: { doing: Doing | null; act: (doing: Doing | null) => void }) {
  const found = useChannels();
  const close = () => act(null);
  return (
    <Answer of={found}>
      {(channels) => {
        const meant = channels.find(({ id }) => id === doing?.id);
        return (
          <>
            {channels.length === 0 ? (
              <Empty title="Nobody is told anything yet">A channel tells Slack, a mailbox or a webhook when targets conflict, GPUs run out, metrics fail, a policy is taken back or a day costs too much.</Empty>
            ) : (
              <DataTable label="Notification channels" columns={COLUMNS} minWidth={860} testId="channel-row" rows={channels.map((one) => ({ key: one.id, dimmed: !one.enabled, cells: cellsOf(one, act) }))} />
            )}
            {doing?.what === "new" && <ChannelDialog close={close} />}
            {meant && doing?.what === "edit" && <ChannelDialog channel={meant} close={close} />}
            {meant && doing?.what === "delete" && <DeleteDialog channel={meant} close={close} />}
            {meant && doing?.what === "deliveries" && <Deliveries channel={meant} close={close} />}
          </>
        );
      }}
    </Answer>
  );
}

function cellsOf(one: Channel, act: (doing: Doing) => void) {
  const button = (what: Doing["what"], word: string) => (
    <Button key={what} size="compact-xs" variant="default" aria-label={`${word} ${one.name}`} onClick={() => act({ id: one.id, what })}>
      {word}
    </Button>
  );
  return [
    <Text key="name" size="sm" fw={600} style={{ overflowWrap: "anywhere" }}>
      {one.name}
    </Text>,
    one.url,
    toldWords(one),
    <Badge key="state" variant="outline" radius="sm" tt="none" miw="max-content" color={one.enabled ? "blue" : "gray"} c="var(--mantine-color-text)">
      {one.enabled ? "On" : "Off"}
    </Badge>,
    <Group key="actions" gap={6} wrap="nowrap" justify="end">
      <Test channel={one} act={act} />
      {button("deliveries", "Messages")}
      {button("edit", "Edit")}
      {button("delete", "Delete")}
    </Group>,
  ];
}

/** Sends a test message, and shows what became of it. */
function Test({ channel, act }: { channel: Channel; act: (doing: Doing) => void }) {
  const test = useTestChannel();
  const send = () => test.mutate(channel, { onSuccess: () => act({ id: channel.id, what: "deliveries" }) });
  return (
    <>
      <Button size="compact-xs" variant="default" aria-label={`Test ${channel.name}`} loading={test.isPending} onClick={send}>
        Test
      </Button>
      {test.error && (
        <Modal opened onClose={() => test.reset()} title="The test was not sent" closeButtonProps={{ "aria-label": "close" }}>
          <Refused error={test.error} />
        </Modal>
      )}
    </>
  );
}

function DeleteDialog({ channel, close }: { channel: Channel; close: () => void }) {
  const remove = useDeleteChannel();
  return (
    <Modal opened onClose={close} title={`Delete ${channel.name}?`} closeButtonProps={{ "aria-label": "close" }}>
      <Stack>
        <Text size="sm" data-testid="consequence">
          It is told no longer of {channel.events.length} {channel.events.length === 1 ? "kind of event" : "kinds of events"}, and what it was still owed is dropped with its list of messages. Its URL has to be given anew to
          bring it back. To keep it, switch it off by “Edit”.
        </Text>
        <Refused error={remove.error} />
        <Group justify="end">
          <Button variant="default" onClick={close}>
            Keep it
          </Button>
          <Button color="red.9" loading={remove.isPending} onClick={() => remove.mutate(channel, { onSuccess: close })}>
            Delete it
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
