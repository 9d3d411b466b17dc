import type { JobIn } from "../api/jobs";
import { changeBody, changeWords, isChange } from "./change";
import { policyWords } from "./rivals";
import type { Stretch } from "./search";
import { listed, type WhatIfSearch } from "./whatIfSearch";

/** The jobs that a filled-in form asks for: one for each policy, and one for the change. */
export function jobsOf(search: WhatIfSearch, target: string, { from, to }: Stretch): JobIn[] {
  const at = { target, since: from, until: to, seed: 1 };
  const replay = (policy: string, version_id: string | null = null): JobIn => ({ kind: "Replay", ...at, policy, version_id, spec: null });
  return [
    ...listed(search.peers).map((peer) => replay(peer)),
    ...listed(search.versions).map((id) => replay("version", id)),
    ...(search.fixed === undefined ? [] : [replay(`static:${search.fixed}`)]),
    ...(isChange(search.change) ? [{ kind: "WhatIf", target, ...changeBody(search.change, from, to) } satisfies JobIn] : []),
  ];
}

/** What a job will play, before it is asked for: of the SLO only what was filled in. */
export function jobInWords(job: JobIn): string {
  if (job.kind === "Replay") return policyWords(job.policy, job.version_id ? "A version of ours" : null);
  const { slo, prices, cold_start_factor, load_factor, stock_outs } = job;
  return `The live policy, if ${changeWords({ slo, prices, cold_start_factor, load_factor, stock_outs })}`;
}
