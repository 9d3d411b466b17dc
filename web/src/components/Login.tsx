import { Button, Code, Paper, Stack, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";

import { useLoginWays, useMe } from "../api/hooks";
import { ApiProblem } from "../api/client";

/** What is within, for those who are logged in; for others, how to come in. An API that is away lets pages say so. */
export function LoginGate({ children }: { children: ReactNode }) {
  const me = useMe();
  if (me.error instanceof ApiProblem && me.error.status === 401) return <Login />;
  return <>{children}</>;
}

function Login() {
  const ways = useLoginWays();
  const then = encodeURIComponent(window.location.pathname + window.location.search);
  return (
    <Paper withBorder p="xl" maw={560} mx="auto" mt="xl" component="section" aria-labelledby="login">
      <Stack>
        <Title order={1} size="h2" id="login">
          Log in
        </Title>
        {ways.data?.oidc && (
          <Button component="a" href={`/auth/login?then=${then}`}>
            Log in with {new URL(ways.data.issuer ?? window.location.origin).host}
          </Button>
        )}
        <Text>
          Open the one-time link that Tidegate printed when it started. For another one, run this where Tidegate runs:
        </Text>
        <Code block>tidegate login-link --url {window.location.origin}</Code>
      </Stack>
    </Paper>
  );
}
