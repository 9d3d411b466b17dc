import { useSyncExternalStore } from "react";

/** Times are shown in the viewer's zone or in UTC; the choice outlives the page. */
export type Zone = "local" | "utc";

const KEY = "tidegate-zone";
const heard = new Set<() => void>();

export function zone(): Zone {
  return localStorage.getItem(KEY) === "utc" ? "utc" : "local";
}

export function setZone(chosen: Zone): void {
  localStorage.setItem(KEY, chosen);
  heard.forEach((tell) => tell());
}

/** The choice, and a new one as soon as it is made. */
export function useZone(): Zone {
  return useSyncExternalStore((tell) => {
    heard.add(tell);
    return () => heard.delete(tell);
  }, zone);
}
