import { Button, Menu, Text } from "@mantine/core";
import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import { useMay } from "../../api/access";
import type { Tick } from "../../api/client";
import { useSeries } from "../../api/hooks";
import { useStartJobs } from "../../api/jobs";
import { useLive } from "../../api/live";
import { around } from "../../lib/decision";
import { keyOf } from "../../lib/fleet";
import { RIVALS } from "../../lib/rivals";
import type { Stretch, TargetSearch } from "../../lib/search";
import { recordedWithin } from "../../lib/window";
import { Refused } from "../overrides/Refused";

/** Plays the hours around a decision under another policy, and opens what comes of it. */
export function Replay({ tick }: { tick: Tick }) {
  const may = useMay("Operator", tick.inputs.target.namespace);
  const navigate = useNavigate();
  // Asked here, and not in the menu: that is gone as soon as something in it is chosen.
  const start = useStartJobs();
  const play = (policy: string, { from, to }: Stretch) => {
    const body = { kind: "Replay", target: keyOf(tick.inputs.target), since: from, until: to, policy, version_id: null, spec: null, seed: 1 } as const;
    start.mutate([body], { onSuccess: ([id]) => void navigate({ to: "/what-if/$id", params: { id } } as never) });
  };
  return (
    <>
      <Menu position="bottom-end" withinPortal width={280}>
        <Menu.Target>
          <Button size="xs" disabled={!may} loading={start.isPending} title={may ? undefined : "This needs the role Operator"}>
            Replay ▾
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Choices tick={tick} play={play} />
        </Menu.Dropdown>
      </Menu>
      <Refused error={start.error} />
    </>
  );
}

function Choices({ tick, play }: { tick: Tick; play: (policy: string, window: Stretch) => void }) {
  const { namespace, name } = tick.inputs.target;
  const { nowS } = useLive();
  // The clock as the menu was opened: with each of its ticks another stretch would be another question.
  const [wanted] = useState(() => around(tick.at_s, nowS()));
  const asked: TargetSearch = { range: "1h", ...wanted, verdict: "all" };
  const series = useSeries(namespace, name, asked, nowS);
  const found = series.data ? recordedWithin(series.data.at_s, wanted) : null;
  return (
    <>
      <Menu.Label>The hour before and after, under</Menu.Label>
      {[...RIVALS.filter((one) => !one.more), { id: "live", label: "The live policy, simulated" }].map(({ id, label }) => (
        <Menu.Item key={id} disabled={found === null} onClick={() => found && play(id, found)}>
          {label}
        </Menu.Item>
      ))}
      <Menu.Divider />
      <Menu.Item component={Link} to="/what-if" search={{ target: keyOf(tick.inputs.target), ...wanted } as never}>
        Choose several, or change something…
      </Menu.Item>
      {series.error && (
        <Text size="xs" p="xs" role="alert">
          {series.error.message}
        </Text>
      )}
    </>
  );
}
