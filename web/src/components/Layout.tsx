import { ActionIcon, Anchor, AppShell, Badge, Group, Text, Tooltip, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { Link, Outlet } from "@tanstack/react-router";
import { useEffect, useState } from "react";

import { useLive } from "../api/live";
import { time, utc } from "../lib/format";
import { LoginGate } from "./Login";

/** The frame of every page: name, clock, whether what is shown is live, and the colour scheme. */
export function Layout() {
  return (
    <AppShell header={{ height: 52 }} padding="md">
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Anchor component={Link} to="/" fw={700} underline="never" c="inherit">
            Tidegate
          </Anchor>
          <Group gap="sm" wrap="nowrap">
            <ClockBadge />
            <SchemeToggle />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Main maw={1600} mx="auto" w="100%">
        <LoginGate>
          <Outlet />
        </LoginGate>
      </AppShell.Main>
    </AppShell>
  );
}

/** The controller's clock; a faster one than life says so, and silence is plain to see. */
function ClockBadge() {
  const { nowS, speed, stale } = useLive();
  const [now, setNow] = useState<number | null>(null);
  useEffect(() => {
    const timer = setInterval(() => setNow(nowS()), 500);
    return () => clearInterval(timer);
  }, [nowS]);
  if (stale) {
    return (
      <Badge color="red" variant="filled" role="status">
        stale: no word from the API
      </Badge>
    );
  }
  return (
    <Group gap={6} wrap="nowrap">
      <Tooltip label={utc(now)}>
        <Text size="sm" style={{ fontVariantNumeric: "tabular-nums", whiteSpace: "nowrap" }}>
          {time(now)}
        </Text>
      </Tooltip>
      {speed !== null && speed !== 1 && (
        <Tooltip label="The controller's clock runs faster than life: the cluster is simulated.">
          <Badge variant="light" tt="none" style={{ flex: "none" }} aria-label={`virtual time, ${speed} times as fast as life`}>
            ×{speed}
          </Badge>
        </Tooltip>
      )}
    </Group>
  );
}

function SchemeToggle() {
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme("light");
  const other = scheme === "dark" ? "light" : "dark";
  return (
    <ActionIcon variant="default" aria-label={`switch to the ${other} scheme`} onClick={() => setColorScheme(other)}>
      {scheme === "dark" ? "☀" : "☾"}
    </ActionIcon>
  );
}
