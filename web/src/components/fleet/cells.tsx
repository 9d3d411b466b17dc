import { Anchor, Badge, Group, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";

import type { TargetSummary } from "../../api/client";
import { keyOf, losesSlo, trend, troubles } from "../../lib/fleet";
import { dollarsChange, dollarsPerHour, rate, share } from "../../lib/format";
import { Sparkline } from "../bits";

export function TargetLink({ target }: { target: TargetSummary }) {
  const { namespace, name } = target;
  return (
    <Anchor component={Link} to="/targets/$namespace/$name" params={{ namespace, name } as never} fw={600} size="sm" style={{ overflowWrap: "anywhere" }}>
      {keyOf(target)}
    </Anchor>
  );
}

export const reasonOf = (target: TargetSummary) => target.reason ?? "waiting for the first decision";

/** In words and by weight, not by colour alone: below its SLO it is bold. */
export function Attainment({ target }: { target: TargetSummary }) {
  const missed = losesSlo(target);
  return (
    <div>
      <Text size="sm" fw={missed ? 700 : 400} className={missed ? "bad" : undefined}>
        {share(target.attainment)} / {share(target.attainment_day)}
      </Text>
      <Text size="xs" c="dimmed">
        {missed ? "below" : "goal"} {share(target.slo.attainment, 1)}
      </Text>
    </div>
  );
}

export function Load({ target }: { target: TargetSummary }) {
  return (
    <Group wrap="nowrap" gap="sm">
      <Sparkline values={target.sparkline_rps} label={`load of ${keyOf(target)} over the last hour`} width={100} />
      <div>
        <Text size="sm" style={{ whiteSpace: "nowrap" }}>
          {rate(target.requests_per_s)}
        </Text>
        <Text size="xs" c="dimmed" title="the quantile of the coming peak that is provisioned for" style={{ whiteSpace: "nowrap" }}>
          plan {rate(target.forecast_requests_per_s)}
        </Text>
      </div>
    </Group>
  );
}

/** What it costs now, and how that changed over the last hour. */
export function Cost({ target }: { target: TargetSummary }) {
  const change = trend(target.sparkline_usd_per_hour);
  return (
    <div>
      <Text size="sm">{dollarsPerHour(target.usd_per_hour)}</Text>
      {change !== null && (
        <Text size="xs" c="dimmed" title="against an hour ago, or the first that is known since">
          {Math.abs(change) < 0.005 ? "steady" : `${dollarsChange(change)} in 1 h`}
        </Text>
      )}
    </div>
  );
}

export function Troubles({ target, nowS }: { target: TargetSummary; nowS: number }) {
  const found = troubles(target, nowS);
  if (found.length === 0) return null;
  return (
    <Group gap={4} mt={2}>
      {found.slice(0, 3).map((word) => (
        <Badge key={word} size="sm" radius="sm" tt="none" variant="outline" className="trouble" title={word} maw="100%">
          ! {word}
        </Badge>
      ))}
      {found.length > 3 && <Text size="xs">and {found.length - 3} more</Text>}
    </Group>
  );
}
