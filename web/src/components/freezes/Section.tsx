import { Group, Stack } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";

import { may } from "../../api/access";
import { useFreezes } from "../../api/freezes";
import { useMe } from "../../api/hooks";
import { type Freeze, scopeOf } from "../../lib/freeze";
import { MayButton } from "../MayButton";
import { Older } from "../Older";
import { Answer, Empty } from "../states";
import { FreezeDialog } from "./Dialog";
import { FreezeTable } from "./Table";

const matches = (one: Freeze, q: string) => `${scopeOf(one)} ${one.direction} ${one.actor} ${one.reason}`.toLowerCase().includes(q.toLowerCase());

/** What holds first, then what is to come, then what is over. */
const RANK = { Active: 0, Planned: 1, Over: 2, Ended: 2 } as const;

/** Freezes of targets, namespaces and everything, and the way to another. */
export function Freezes({ active, q }: { active: boolean; q: string }) {
  const found = useFreezes({ active });
  const [opened, { open, close }] = useDisclosure(false);
  const me = useMe().data;
  const somewhere = (me?.grants ?? []).some(({ namespace }) => may(me, "Operator", namespace));
  return (
    <Stack>
      <Group>
        <MayButton may={somewhere} needs="Operator" size="xs" onClick={open}>
          New freeze
        </MayButton>
      </Group>
      <Answer of={found}>
        {(data) => {
          const items = data.pages.flatMap((page) => page.items).filter((one) => matches(one, q)).sort((a, b) => RANK[a.state] - RANK[b.state]);
          return (
            <>
              {items.length === 0 ? (
                <Empty title={active ? "Nothing is frozen now, or planned to be" : "No freeze is like that"}>
                  A freeze holds a target, a namespace or everything for a time: for a launch, or while a database moves.
                </Empty>
              ) : (
                <FreezeTable freezes={items} />
              )}
              <Older of={found} />
            </>
          );
        }}
      </Answer>
      {opened && <FreezeDialog close={close} />}
    </Stack>
  );
}
