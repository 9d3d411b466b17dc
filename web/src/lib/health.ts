import type { ProcessHealth, ScrapeHealth } from "../api/health";
import { seconds } from "./format";

/** Bytes in the unit that reads best. */
export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log(value) / Math.log(1024)));
  return `${(value / 1024 ** power).toFixed(power > 1 ? 1 : 0)} ${units[power]}`;
}

const ORDER = { Controller: 0, Worker: 1, Beat: 2 };

/** Controllers first, of them the one that leads. */
export const ordered = (processes: ProcessHealth[]) =>
  [...processes].sort((a, b) => ORDER[a.kind] - ORDER[b.kind] || Number(b.leads ?? false) - Number(a.leads ?? false) || a.name.localeCompare(b.name));

/** What a process does now, in words. */
export function doing({ kind, leads, busy, spooled }: ProcessHealth): string {
  if (kind === "Worker") return busy === null ? "–" : busy === 0 ? "idle" : `${busy} ${busy === 1 ? "task" : "tasks"}`;
  if (kind === "Beat") return "sends tasks on time";
  const role = leads === null ? "–" : leads ? "leads: it holds the lease" : "stands by";
  return spooled ? `${role}; ${spooled} ${spooled === 1 ? "decision" : "decisions"} in its spool` : role;
}

export const lifeWords = ({ alive, silent_s, age_s }: ProcessHealth) => (alive ? `up for ${seconds(age_s)}` : `silent for ${seconds(silent_s)}`);

const faultsOf = ({ faults }: ScrapeHealth) => faults.reduce((sum, { count }) => sum + count, 0);

/** What is late comes first, then what has most faults. */
export const worstFirst = (targets: ScrapeHealth[]) =>
  [...targets].sort((a, b) => Number(b.late) - Number(a.late) || faultsOf(b) - faultsOf(a) || a.target.localeCompare(b.target));
