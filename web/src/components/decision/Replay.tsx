import { Button, Menu, Text } from "@mantine/core";
import { Link, useNavigate } from "@tanstack/react-router";

import { useMay } from "../../api/access";
import type { Tick } from "../../api/client";
import { useSeries } from "../../api/hooks";
import { useStartJobs } from "../../api/jobs";
import { useLive } from "../../api/live";
import { around } from "../../lib/decision";
import { keyOf } from "../../lib/fleet";
import { RIVALS } from "../../lib/rivals";
import type { TargetSearch } from "../../lib/search";
import { recordedWithin } from "../../lib/window";

/** Plays the hours around a decision under another policy, and opens what comes of it. */
export function Replay({ tick }: { tick: Tick }) {
  const may = useMay("Operator", tick.inputs.target.namespace);
  return (
    <Menu position="bottom-end" withinPortal width={280}>
      <Menu.Target>
        <Button size="xs" disabled={!may} title={may ? undefined : "This needs the role Operator"}>
          Replay ▾
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Choices tick={tick} />
      </Menu.Dropdown>
    </Menu>
  );
}

function Choices({ tick }: { tick: Tick }) {
  const { namespace, name } = tick.inputs.target;
  const { nowS } = useLive();
  const navigate = useNavigate();
  const start = useStartJobs();
  const wanted = around(tick.at_s, nowS());
  const asked: TargetSearch = { range: "1h", ...wanted, verdict: "all" };
  const series = useSeries(namespace, name, asked, nowS);
  const found = series.data ? recordedWithin(series.data.at_s, wanted) : null;
  const target = keyOf(tick.inputs.target);
  const play = (policy: string) => {
    if (found === null) return;
    const body = { kind: "Replay", target, since: found.from, until: found.to, policy, version_id: null, spec: null, seed: 1 } as const;
    start.mutate([body], { onSuccess: ([id]) => void navigate({ to: "/what-if/$id", params: { id } } as never) });
  };
  const ready = found !== null && !start.isPending;
  return (
    <>
      <Menu.Label>The hour before and after, under</Menu.Label>
      {RIVALS.filter((one) => !one.more).map(({ id, label }) => (
        <Menu.Item key={id} disabled={!ready} onClick={() => play(id)}>
          {label}
        </Menu.Item>
      ))}
      <Menu.Item disabled={!ready} onClick={() => play("live")}>
        The live policy, simulated
      </Menu.Item>
      <Menu.Divider />
      <Menu.Item component={Link} to="/what-if" search={{ target, ...wanted } as never}>
        Choose several, or change something…
      </Menu.Item>
      {(start.error ?? series.error) && (
        <Text size="xs" p="xs" role="alert">
          {(start.error ?? series.error)?.message}
        </Text>
      )}
    </>
  );
}
