import { Badge, Group, Text, Tooltip } from "@mantine/core";
import { useEffect, useState } from "react";

import { useLive } from "../api/live";
import { time, utc } from "../lib/format";
import { useZone } from "../lib/zone";

/** What the controller's clock shows, looked at twice a second. */
export function useNow(everyMs = 500): number | null {
  const { nowS } = useLive();
  const [now, setNow] = useState<number | null>(nowS);
  useEffect(() => {
    const timer = setInterval(() => setNow(nowS()), everyMs);
    return () => clearInterval(timer);
  }, [nowS, everyMs]);
  return now;
}

/** Real seconds that news may take to come here: over a fast clock they are many of its own. */
const UNDERWAY_S = 5;

/** The newest time that one could have heard of by now: what is late is late by this, not by the clock. */
export function useHeardBy(otherwise: number): number {
  const { speed } = useLive();
  return (useNow(2000) ?? otherwise) - UNDERWAY_S * (speed ?? 1);
}

/** The controller's clock; a faster one than life says so, and silence is plain to see. */
export function ClockBadge() {
  const { speed, stale } = useLive();
  const zone = useZone();
  const now = useNow();
  if (stale) {
    return (
      <Badge color="red.9" variant="filled" role="status" tt="none">
        stale: no word from the API
      </Badge>
    );
  }
  return (
    <Group gap={6} wrap="nowrap">
      <Tooltip label={utc(now)}>
        <Text size="sm" style={{ fontVariantNumeric: "tabular-nums", whiteSpace: "nowrap" }} data-testid="clock">
          {time(now, zone)}
        </Text>
      </Tooltip>
      {speed !== null && speed !== 1 && (
        <Tooltip label="The controller's clock runs faster than life: the cluster is simulated.">
          <Badge variant="light" tt="none" visibleFrom="xs" style={{ flex: "none" }} role="img" aria-label={`virtual time, ${speed} times as fast as life`}>
            ×{speed}
          </Badge>
        </Tooltip>
      )}
    </Group>
  );
}
