import { Paper, Text } from "@mantine/core";
import { useEffect, useRef, useState } from "react";

import { useLive } from "../api/live";

/** Milliseconds for which "it is back" stays. */
const BACK_MS = 5000;

type State = "fine" | "away" | "back";

/** An API that is away is said on every page, and that it is back; nobody has to reload. It covers nothing that moves. */
export function Outage() {
  const { stale, heardAt } = useLive();
  const [state, setState] = useState<State>("fine");
  const was = useRef(false);
  useEffect(() => {
    if (stale) {
      was.current = true;
      setState("away");
      return;
    }
    if (!was.current) return;
    was.current = false;
    setState("back");
    const timer = setTimeout(() => setState("fine"), BACK_MS);
    return () => clearTimeout(timer);
  }, [stale]);
  return (
    <div className="outage" role="status" data-testid="outage">
      {state === "away" && <Words title="The API does not answer" text={`${since(heardAt())} What you see may be old; it is asked again by itself.`} />}
      {state === "back" && <Words title="The API is back" text="Everything on this page was asked anew." />}
    </div>
  );
}

const since = (heardAt: number | null) => (heardAt === null ? "No word has come yet." : `The last word came at ${new Date(heardAt).toLocaleTimeString()}.`);

function Words({ title, text }: { title: string; text: string }) {
  return (
    <Paper withBorder shadow="md" px="md" py="xs">
      <Text size="sm" fw={700}>
        {title}
      </Text>
      <Text size="sm">{text}</Text>
    </Paper>
  );
}
