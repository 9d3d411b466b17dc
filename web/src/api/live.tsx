import { useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useMemo, useRef, useState } from "react";

import { LIVE } from "./hooks";

/** Heartbeats come every two seconds; three missed ones are silence. */
export const STALE_AFTER_MS = 6000;
/** Queries are asked again at most this often, however fast ticks come. */
export const REFRESH_MS = 1000;

type Beat = { now_s: number; speed: number };

export type Live = {
  /** What the controller's clock shows now, unix seconds; null before the first heartbeat. */
  nowS: () => number | null;
  speed: number | null;
  stale: boolean;
};

const LiveContext = createContext<Live>({ nowS: () => null, speed: null, stale: false });

export const useLive = () => useContext(LiveContext);

/** Listens to the API's events: keeps the clock, asks queries again after ticks, and knows when it hears nothing. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const beat = useRef<{ beat: Beat; heardMs: number } | null>(null);
  const [speed, setSpeed] = useState<number | null>(null);
  const [stale, setStale] = useState(false);

  useEffect(() => {
    const source = new EventSource("/api/v1/events");
    let timer: ReturnType<typeof setTimeout> | undefined;
    const refresh = () => {
      timer ??= setTimeout(() => {
        timer = undefined;
        void queries.invalidateQueries({ queryKey: [LIVE] });
      }, REFRESH_MS);
    };
    source.addEventListener("heartbeat", (event) => {
      const heard = JSON.parse((event as MessageEvent<string>).data) as Beat;
      beat.current = { beat: heard, heardMs: performance.now() };
      setSpeed(heard.speed);
    });
    source.addEventListener("tick", refresh);
    // After a silence ticks may have been missed, whatever the feed says.
    source.addEventListener("open", refresh);
    const watch = setInterval(() => {
      const heardMs = beat.current?.heardMs ?? 0;
      setStale(performance.now() - heardMs > STALE_AFTER_MS);
    }, 1000);
    return () => {
      source.close();
      clearInterval(watch);
      clearTimeout(timer);
    };
  }, [queries]);

  const value = useMemo<Live>(
    () => ({
      nowS: () => {
        if (beat.current === null) return null;
        const { beat: heard, heardMs } = beat.current;
        return heard.now_s + ((performance.now() - heardMs) / 1000) * heard.speed;
      },
      speed,
      stale,
    }),
    [speed, stale],
  );
  return <LiveContext.Provider value={value}>{children}</LiveContext.Provider>;
}
