import { Alert, Anchor, Button, Center, Group, Loader, Paper, Stack, Text, Title } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

import { ApiProblem } from "../api/client";

type Asked<T> = { data: T | undefined; error: Error | null; isPending: boolean; refetch: () => unknown };

/** What is shown of a question: its answer, that it is on its way, or why there is none. Old answers stay beside an error. */
export function Answer<T>({ of, children }: { of: Asked<T>; children: (data: T) => ReactNode }) {
  if (of.isPending) {
    return (
      <Center mih={200}>
        <Loader role="status" aria-label="loading" />
      </Center>
    );
  }
  return (
    <Stack gap="md">
      {of.error && <Problem error={of.error} retry={of.refetch} />}
      {of.data !== undefined && children(of.data)}
    </Stack>
  );
}

export function Problem({ error, retry }: { error: Error; retry: () => unknown }) {
  const missing = error instanceof ApiProblem && error.status === 404;
  return (
    <Alert color={missing ? "gray" : "red"} title={missing ? "Not found" : "The API did not answer as expected"} role="alert">
      <Group justify="space-between">
        <Text size="sm">{error.message}</Text>
        <Button size="xs" variant="default" onClick={() => retry()}>
          Try again
        </Button>
      </Group>
    </Alert>
  );
}

/** What is shown where there is nothing yet: what that means, and what one could do. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <Paper withBorder p="xl">
      <Title order={2} size="h4">
        {title}
      </Title>
      {children && (
        <Text mt="xs" component="div">
          {children}
        </Text>
      )}
    </Paper>
  );
}

export function NoPage() {
  return (
    <Stack>
      <Title order={1} size="h3">
        There is no such page
      </Title>
      <Anchor component={Link} to="/">
        To the fleet
      </Anchor>
    </Stack>
  );
}

/** A page that could not be shown: after an update its files may have other names, which a reload finds. */
export function PageFailed({ error }: { error: unknown }) {
  return (
    <Alert color="red" title="This page could not be shown" role="alert">
      <Group justify="space-between">
        <Text size="sm">{error instanceof Error ? error.message : String(error)}</Text>
        <Button size="xs" variant="default" onClick={() => window.location.reload()}>
          Reload
        </Button>
      </Group>
    </Alert>
  );
}
