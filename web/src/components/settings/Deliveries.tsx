import { Group, Modal, Stack, Text } from "@mantine/core";

import { type Channel, type Delivery, useDeliveries } from "../../api/settings";
import { EVENTS, fateOf } from "../../lib/channels";
import { Moment } from "../bits";
import { Answer } from "../states";

const SIGNS = { true: "✓", false: "✗", null: "…" };

/** A channel's newest messages, and what became of each. */
export function Deliveries({ channel, close }: { channel: Channel; close: () => void }) {
  const found = useDeliveries(channel.id);
  return (
    <Modal opened onClose={close} title={`Messages to ${channel.name}`} size="lg" closeButtonProps={{ "aria-label": "close" }}>
      <Answer of={found}>
        {(deliveries) => (
          <Stack gap="sm" aria-live="polite">
            {deliveries.length === 0 && <Text size="sm">None was sent yet.</Text>}
            {deliveries.map((one) => (
              <Message key={one.id} one={one} />
            ))}
          </Stack>
        )}
      </Answer>
    </Modal>
  );
}

function Message({ one }: { one: Delivery }) {
  const { fine, word } = fateOf(one);
  return (
    <div data-testid="delivery-row">
      <Group gap="xs">
        <Text size="sm" fw={600} className={fine === false ? "bad" : undefined} style={{ overflowWrap: "anywhere" }}>
          {SIGNS[`${fine}`]} {word}
        </Text>
        <Text size="xs" c="dimmed" component="div">
          {EVENTS.find(({ value }) => value === one.event)?.label ?? one.event}, <Moment at={one.at_s} />
        </Text>
      </Group>
      <Text size="sm" style={{ overflowWrap: "anywhere" }}>
        {one.message}
      </Text>
    </div>
  );
}
