import type { ReportRow } from "../api/reports";
import { policyWords } from "./rivals";

/** What a target's savings are counted against: a replay (`job`), or a fleet that somebody stated. */
export type Baseline = { target: string; words: string; job?: string };

const REPLAY = /^replay ([0-9a-f-]{36}): (\S+) cost ([\d.]+) x the live policy$/;

/** The report's word on its baselines, `ns/name: source; ns/name: source`, taken apart. */
export function baselinesOf(total: Pick<ReportRow, "baseline">): Baseline[] {
  return total.baseline
    .split(/; (?=[^/;\s]+\/[^:;\s]+: )/)
    .filter((part) => part !== "")
    .map((part) => {
      const colon = part.indexOf(": ");
      const [target, source] = [part.slice(0, colon), part.slice(colon + 2)];
      const replay = REPLAY.exec(source);
      if (replay === null) return { target, words: source };
      const [, job, policy, times] = replay as unknown as [string, string, string, string];
      return { target, job, words: `${policyWords(policy)} would cost ${Number(times).toFixed(2)} times as much` };
    });
}
