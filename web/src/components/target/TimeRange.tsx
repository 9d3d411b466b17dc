import { ActionIcon, Button, Group, Popover, Select, Stack, Text, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useState } from "react";

import { useLive } from "../../api/live";
import { time } from "../../lib/format";
import { type Range, RANGES, shifted, type Stretch, stretchOf, type TargetSearch, wider } from "../../lib/search";
import { useZone, type Zone } from "../../lib/zone";

type Props = { search: TargetSearch; set: (change: Partial<TargetSearch>) => void };

const LAST: Record<Range, string> = {
  "15m": "last 15 minutes",
  "1h": "last hour",
  "3h": "last 3 hours",
  "6h": "last 6 hours",
  "12h": "last 12 hours",
  "24h": "last 24 hours",
  "2d": "last 2 days",
  "7d": "last 7 days",
  "30d": "last 30 days",
};

/** Which stretch of time is looked at, with Grafana's habits; the browser's back button takes a zoom back. */
export function TimeRange({ search, set }: Props) {
  const { nowS } = useLive();
  const zone = useZone();
  const move = (how: (stretch: Stretch) => Stretch) => {
    const stretch = stretchOf(search, nowS());
    if (stretch) set(how(stretch));
  };
  const absolute = search.from !== undefined && search.to !== undefined;
  return (
    <Group gap={4} role="group" aria-label="time range">
      <ActionIcon variant="default" aria-label="earlier" onClick={() => move((stretch) => shifted(stretch, -1))}>
        ‹
      </ActionIcon>
      <Select
        aria-label="range"
        size="xs"
        w={150}
        allowDeselect={false}
        value={absolute ? null : search.range}
        placeholder="a stretch of time"
        data={Object.keys(RANGES).map((value) => ({ value, label: LAST[value as Range] }))}
        onChange={(value) => value && set({ range: value as Range, from: undefined, to: undefined })}
      />
      <Absolute key={`${search.from} ${search.to} ${zone}`} stretch={absolute ? (search as Stretch) : null} now={nowS} zone={zone} set={set} />
      <ActionIcon variant="default" aria-label="later" disabled={!absolute} onClick={() => move((stretch) => shifted(stretch, 1))}>
        ›
      </ActionIcon>
      <Button size="xs" variant="default" onClick={() => move(wider)}>
        Zoom out
      </Button>
      {absolute && (
        <Button size="xs" variant="subtle" onClick={() => set({ from: undefined, to: undefined })}>
          Back to live
        </Button>
      )}
    </Group>
  );
}

type AbsoluteProps = { stretch: Stretch | null; now: () => number | null; zone: Zone; set: (stretch: Stretch) => void };

/** Two times in the chosen zone. */
export function Absolute({ stretch, now, zone, set }: AbsoluteProps) {
  const [opened, { toggle, close }] = useDisclosure(false);
  const [from, setFrom] = useState(stretch ? toField(stretch.from, zone) : "");
  const [to, setTo] = useState(stretch ? toField(stretch.to, zone) : "");
  const open = () => {
    const nowS = now();
    if (!stretch && nowS !== null) {
      setFrom(toField(nowS - 3600, zone));
      setTo(toField(nowS, zone));
    }
    toggle();
  };
  const asked = { from: fromField(from, zone), to: fromField(to, zone) };
  const fine = asked.from < asked.to;
  return (
    <Popover opened={opened} onDismiss={close} trapFocus withinPortal>
      <Popover.Target>
        <Button size="xs" variant="default" onClick={open} aria-expanded={opened}>
          {stretch ? `${time(stretch.from, zone)} to ${time(stretch.to, zone)}` : "From, to"}
        </Button>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap="xs">
          <TextInput type="datetime-local" step={1} size="xs" label={`From (${zoneWord(zone)})`} value={from} onChange={(e) => setFrom(e.currentTarget.value)} />
          <TextInput type="datetime-local" step={1} size="xs" label={`To (${zoneWord(zone)})`} value={to} onChange={(e) => setTo(e.currentTarget.value)} />
          {from && to && !fine && <Text size="xs">The end must be after the beginning.</Text>}
          <Button
            size="xs"
            disabled={!fine}
            onClick={() => {
              set(asked);
              close();
            }}
          >
            Show
          </Button>
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}

const zoneWord = (zone: Zone) => (zone === "utc" ? "UTC" : "your time zone");

/** Unix seconds as a date field has them: no zone, in the one that is meant. */
export function toField(atS: number, zone: Zone): string {
  const offsetS = zone === "utc" ? 0 : new Date(atS * 1000).getTimezoneOffset() * 60;
  return new Date((atS - offsetS) * 1000).toISOString().slice(0, 19);
}

export const fromField = (field: string, zone: Zone) => Math.round(new Date(zone === "utc" ? `${field}Z` : field).getTime() / 1000);
