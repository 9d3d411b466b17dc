import { Anchor, AppShell, Box, Burger, Group, Menu, NavLink, Stack, Text, UnstyledButton, useComputedColorScheme, useMantineColorScheme, VisuallyHidden } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import { useEffect } from "react";

import { useLogout } from "../api/access";
import { useMe } from "../api/hooks";
import { setZone, useZone } from "../lib/zone";
import { ClockBadge } from "./Clock";
import { LoginGate } from "./Login";

const PAGES = [
  { to: "/", label: "Fleet" },
  { to: "/policies", label: "Policies" },
  { to: "/what-if", label: "What-if" },
  { to: "/overrides", label: "Overrides" },
  { to: "/catalog", label: "Catalog" },
  { to: "/reports", label: "Reports" },
  { to: "/audit", label: "Audit" },
  { to: "/settings", label: "Settings" },
  { to: "/health", label: "Health" },
];

/** The frame of every page: where one is, who one is, the clock, and whether what is shown is live. */
export function Layout() {
  const [opened, menu] = useDisclosure(false);
  const path = useRouterState({ select: (state) => state.location.pathname });
  useEffect(() => {
    menu.close();
    document.title = titleOf(path);
    // The handlers are made anew on every render; the path alone counts.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [path]);
  return (
    <AppShell header={{ height: 52 }} navbar={{ width: 168, breakpoint: "sm", collapsed: { mobile: !opened } }} padding="md">
      <a className="skip" href="#main">
        Skip to the page
      </a>
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap" gap="xs">
          <Group gap="xs" wrap="nowrap">
            <Burger opened={opened} onClick={menu.toggle} hiddenFrom="sm" size="sm" aria-label="navigation" aria-expanded={opened} />
            <Anchor component={Link} to="/" fw={700} underline="never" c="inherit">
              Tidegate
            </Anchor>
          </Group>
          <Group gap="sm" wrap="nowrap">
            <ClockBadge />
            <UserMenu />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label="Pages">
        <Stack gap={2}>
          {PAGES.map(({ to, label }) => (
            <NavLink key={to} component={Link} to={to} label={label} active={isAt(path, to)} aria-current={isAt(path, to) ? "page" : undefined} />
          ))}
        </Stack>
      </AppShell.Navbar>
      <AppShell.Main id="main" tabIndex={-1}>
        <Box maw={1800} mx="auto" w="100%">
          <LoginGate>
            <Outlet />
          </LoginGate>
        </Box>
      </AppShell.Main>
    </AppShell>
  );
}

/** Targets and their decisions are opened from the fleet. */
const isAt = (path: string, to: string) => (to === "/" ? path === "/" || path.startsWith("/targets/") || path.startsWith("/ticks/") : path.startsWith(to));

function titleOf(path: string): string {
  if (path.startsWith("/targets/")) return `${decodeURIComponent(path.slice("/targets/".length))} · Tidegate`;
  if (path.startsWith("/ticks/")) return "Decision · Tidegate";
  return `${PAGES.find(({ to }) => isAt(path, to))?.label ?? "Not found"} · Tidegate`;
}

/** Who is here, and how they like to read. */
function UserMenu() {
  const me = useMe();
  const logout = useLogout();
  const zone = useZone();
  const { setColorScheme } = useMantineColorScheme();
  const other = useComputedColorScheme("light") === "dark" ? "light" : "dark";
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <UnstyledButton className="user">
          <Text size="sm" truncate maw={140}>
            {me.data?.name ?? "Menu"} <span aria-hidden>▾</span>
            <VisuallyHidden>: user menu</VisuallyHidden>
          </Text>
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        {me.data && (
          <Menu.Label>
            {me.data.name}: {me.data.grants.map((grant) => `${grant.role} of ${grant.namespace ?? "all"}`).join(", ") || "no role"}
          </Menu.Label>
        )}
        <Menu.Item onClick={() => setColorScheme(other)}>Switch to the {other} scheme</Menu.Item>
        <Menu.Item onClick={() => setZone(zone === "utc" ? "local" : "utc")}>Show times in {zone === "utc" ? "your time zone" : "UTC"}</Menu.Item>
        <Menu.Item component="a" href="/docs">
          API documentation
        </Menu.Item>
        {me.data && (
          <>
            <Menu.Divider />
            <Menu.Item onClick={() => logout.mutate()}>Log out</Menu.Item>
          </>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}
