import { Alert, Button, Center, Group, Loader, Stack, Text } from "@mantine/core";
import type { ReactNode } from "react";

import { ApiProblem } from "../api/client";

type Asked<T> = { data: T | undefined; error: Error | null; isPending: boolean; refetch: () => unknown };

/** What is shown of a question: its answer, that it is on its way, or why there is none. Old answers stay beside an error. */
export function Answer<T>({ of, children }: { of: Asked<T>; children: (data: T) => ReactNode }) {
  if (of.isPending) {
    return (
      <Center mih={200}>
        <Loader aria-label="loading" />
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
