import type { JobIn } from "../api/jobs";
import { changeBody, isChange } from "./change";
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
