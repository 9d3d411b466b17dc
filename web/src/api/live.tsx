import { useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useMemo, useRef, useState } from "react";

import { LIVE } from "./hooks";

/** Heartbeats come every two seconds; three missed ones are silence. */
export const STALE_AFTER_MS = 6000;
/** An answer that is no stream (a proxy's error, a login that ended) closes it for good: it is opened anew. */
export const REOPEN_MS = 4000;
/** Queries are asked again at most this often, however fast ticks come. */
export const REFRESH_MS = 1000;

type Beat = { now_s: number; speed: number };

export type Live = {
  /** What the controller's clock shows now, unix seconds; null before the first heartbeat. */
  nowS: () => number | null;
  speed: number | null;
  stale: boolean;
  /** The last word, unix milliseconds of this machine; null before the first. */
  heardAt: () => number | null;
};

const LiveContext = createContext<Live>({ nowS: () => null, speed: null, stale: false, heardAt: () => null });

export const useLive = () => useContext(LiveContext);

/** Listens to the API's events: keeps the clock, asks queries again after ticks, and knows when it hears nothing. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const beat = useRef<{ beat: Beat; heardMs: number } | null>(null);
  const [speed, setSpeed] = useState<number | null>(null);
  const [stale, setStale] = useState(false);

  useEffect(() => {
    const stream = new Stream({
      heartbeat: (heard) => {
        beat.current = { beat: heard, heardMs: performance.now() };
        setSpeed(heard.speed);
      },
      tick: () => void queries.invalidateQueries({ queryKey: [LIVE] }),
      // After a silence ticks may have been missed, and questions may have failed.
      open: () => void queries.invalidateQueries({ predicate: ({ queryKey, state }) => queryKey[0] === LIVE || state.status === "error" }),
    });
    // A page that is slow to start has not waited for a word yet.
    const beganMs = performance.now();
    const watch = setInterval(() => {
      const heardMs = beat.current?.heardMs ?? beganMs;
      setStale(performance.now() - heardMs > STALE_AFTER_MS);
    }, 1000);
    return () => {
      stream.close();
      clearInterval(watch);
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
      heardAt: () => (beat.current === null ? null : Date.now() - (performance.now() - beat.current.heardMs)),
    }),
    [speed, stale],
  );
  return <LiveContext.Provider value={value}>{children}</LiveContext.Provider>;
}

type Ears = { heartbeat: (beat: Beat) => void; tick: () => void; open: () => void };

/** The API's events, opened anew whenever the browser gives them up. */
class Stream {
  private source!: EventSource;
  private refreshing: ReturnType<typeof setTimeout> | undefined;
  private reopening: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly ears: Ears) {
    this.connect();
  }

  close(): void {
    this.source.close();
    clearTimeout(this.refreshing);
    clearTimeout(this.reopening);
  }

  private connect(): void {
    this.source = new EventSource("/api/v1/events");
    this.source.addEventListener("heartbeat", (event) => this.ears.heartbeat(JSON.parse((event as MessageEvent<string>).data) as Beat));
    this.source.addEventListener("tick", () => this.soon(this.ears.tick));
    this.source.addEventListener("open", () => this.ears.open());
    this.source.addEventListener("error", () => {
      if (this.source.readyState === EventSource.CLOSED) this.reopening = setTimeout(() => this.connect(), REOPEN_MS);
    });
  }

  private soon(tell: () => void): void {
    this.refreshing ??= setTimeout(() => {
      this.refreshing = undefined;
      tell();
    }, REFRESH_MS);
  }
}
