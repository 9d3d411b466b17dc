import { Badge, Box, Group, Paper, Text, Tooltip } from "@mantine/core";
import type { ReactNode } from "react";

import type { VariantStatus, Verdict } from "../api/client";
import { time, UNKNOWN, utc } from "../lib/format";
import { type Column, sparkline } from "../lib/series";
import { useZone } from "../lib/zone";
import { VERDICT_COLOURS, VERDICT_SIGNS } from "../theme";

export function VerdictBadge({ verdict }: { verdict: Verdict | null }) {
  if (verdict === null) return <Text c="dimmed">{UNKNOWN}</Text>;
  return (
    <Badge variant="light" color={VERDICT_COLOURS[verdict]} leftSection={VERDICT_SIGNS[verdict]} radius="sm">
      {verdict}
    </Badge>
  );
}

/** A time in the zone that the viewer chose, with UTC on hover. */
export function Moment({ at }: { at: number | null }) {
  const zone = useZone();
  return (
    <Tooltip label={utc(at)} disabled={at === null}>
      <Text span size="sm" style={{ whiteSpace: "nowrap" }}>
        {time(at, zone)}
      </Text>
    </Tooltip>
  );
}

/** One number with its name. */
export function Stat({ label, children, hint }: { label: string; children: ReactNode; hint?: string }) {
  return (
    <Box miw={88}>
      <Text size="xs" c="dimmed" title={hint}>
        {label}
      </Text>
      <Text fw={600} component="div" style={{ whiteSpace: "nowrap" }}>
        {children}
      </Text>
    </Box>
  );
}

export function Stats({ children }: { children: ReactNode }) {
  return (
    <Paper withBorder p="md">
      <Group wrap="wrap" style={{ columnGap: 26, rowGap: 10 }}>
        {children}
      </Group>
    </Paper>
  );
}

export function Sparkline({ values, label, width = 120 }: { values: Column; label: string; width?: number }) {
  const lines = sparkline(values, width, 28);
  return (
    <svg width={width} height={28} role="img" aria-label={label} style={{ display: "block", flex: "none" }}>
      {lines.map((points) => (
        <polyline key={points} points={points} fill="none" stroke="var(--mantine-primary-color-filled)" strokeWidth={1.5} />
      ))}
    </svg>
  );
}

/** Ready of desired by variant; a variant that neither has nor wants replicas is left out. */
export function Variants({ variants }: { variants: VariantStatus[] }) {
  const shown = variants.filter((v) => v.desired !== 0 || v.ready !== 0);
  return (
    <Group gap={6}>
      {shown.map((v) => (
        <Tooltip
          key={v.name}
          label={`${v.name}: ${v.gpus_per_replica} × ${v.accelerator}, ${v.role}, ${v.pending ?? UNKNOWN} pending`}
        >
          <Badge variant="default" radius="sm" tt="none" fw={500} color={v.ready === v.desired ? undefined : "orange"}>
            {v.name} {v.ready ?? UNKNOWN}/{v.desired ?? UNKNOWN}
          </Badge>
        </Tooltip>
      ))}
    </Group>
  );
}
