import { Stack, Title } from "@mantine/core";

import { useReady } from "../api/access";
import { useHealth } from "../api/health";
import { useLive } from "../api/live";
import { Stat, Stats } from "../components/bits";
import { Parts, Problems, Processes, Word } from "../components/health/Parts";
import { Targets } from "../components/health/Targets";
import { Answer } from "../components/states";

const CHECKS: Record<string, string> = { ledger: "Database", schema: "Database schema" };

/** Whether Tidegate itself is well. Where the database is away, the API's own checks still answer. */
export function HealthPage() {
  const health = useHealth();
  const { stale } = useLive();
  return (
    <Stack>
      <Title order={1} size="h3">
        Health
      </Title>
      {health.error && <Checks />}
      <Answer of={health}>
        {(data) => (
          <>
            <Problems health={data} />
            <Parts health={data} stale={stale} />
            <Processes health={data} />
            <Targets targets={data.targets} nowS={data.now_s} />
          </>
        )}
      </Answer>
    </Stack>
  );
}

function Checks() {
  const checks = useReady().data?.checks;
  if (checks === undefined) return null;
  return (
    <Stats>
      {Object.entries(checks).map(([name, word]) => (
        <Stat key={name} label={CHECKS[name] ?? name}>
          <Word fine={word === "ok"} text={word} />
        </Stat>
      ))}
    </Stats>
  );
}
