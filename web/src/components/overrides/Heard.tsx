import { Anchor, Group, Modal, Stack, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";

import type { TickSummary } from "../../api/client";
import { useFreezeHeard } from "../../api/freezes";
import { useHeard } from "../../api/overrides";
import { Moment, VerdictBadge } from "../bits";
import { Older } from "../Older";
import { Answer } from "../states";

type Props = { id: string; title: string; close: () => void };

export function HeardOfOverride({ id, ...rest }: Props) {
  return <Heard of={useHeard(id)} {...rest} />;
}

export function HeardOfFreeze({ id, ...rest }: Props) {
  return <Heard of={useFreezeHeard(id)} {...rest} />;
}

/** The decisions that somebody's word was part of, each with the way to its page. */
function Heard({ of: found, title, close }: { of: ReturnType<typeof useHeard>; title: string; close: () => void }) {
  return (
    <Modal opened onClose={close} title={title} size="lg" closeButtonProps={{ "aria-label": "close" }}>
      <Answer of={found}>
        {(data) => {
          const ticks = data.pages.flatMap((page) => page.items);
          if (ticks.length === 0) return <Text size="sm">None yet: the next decision hears it.</Text>;
          return (
            <Stack gap="xs">
              {ticks.map((tick) => (
                <Line key={tick.id} tick={tick} />
              ))}
              <Older of={found} />
            </Stack>
          );
        }}
      </Answer>
    </Modal>
  );
}

function Line({ tick }: { tick: TickSummary }) {
  return (
    <Group gap="sm" wrap="nowrap" align="start" data-testid="heard-row">
      <Anchor component={Link} to="/ticks/$id" params={{ id: tick.id } as never} size="sm" style={{ whiteSpace: "nowrap" }}>
        <Moment at={tick.at_s} />
      </Anchor>
      <VerdictBadge verdict={tick.verdict} />
      <Text size="sm" style={{ overflowWrap: "anywhere" }}>
        {tick.reason}
      </Text>
    </Group>
  );
}
