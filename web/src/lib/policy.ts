import type { Me } from "../api/client";
import { may } from "../api/access";
import type { Approval, Policy, Stage, StageRow, StepTo, VersionSummary } from "../api/policies";

/** Versions of one policy that may be in Shadow at once; the API holds the same. */
export const MOST_SHADOWS = 3;

export const STAGE_COLOURS: Record<Stage, string> = { Draft: "gray", Shadow: "grape", Canary: "orange", Live: "teal", RolledBack: "red", Superseded: "gray" };
/** A sign beside the colour, so that no colour has to be told apart. */
export const STAGE_SIGNS: Record<Stage, string> = { Draft: "✎", Shadow: "◐", Canary: "◔", Live: "●", RolledBack: "↩", Superseded: "○" };
export const STAGE_WORDS: Record<Stage, string> = {
  Draft: "Written down; does nothing.",
  Shadow: "Decides beside the one that decides, on the same observations; touches nothing.",
  Canary: "Decides for some variants, or in some namespaces, until a time.",
  Live: "Decides.",
  RolledBack: "Was taken back. Make a new version from it to try again.",
  Superseded: "Another version took its place, or it was put away. Make a new version from it to try again.",
};

/** What a step is called on its button, from where it starts. */
export function stepLabel(from: Stage, to: Stage): string {
  if (to === "Shadow") return from === "Canary" ? "End the canary" : "Start shadow";
  if (to === "Canary") return "Start a canary";
  if (to === "Live") return "Promote";
  if (to === "RolledBack") return "Roll back";
  return from === "Live" ? "Let go of the target" : "Put away";
}

/** Steps in the order of their buttons: onwards first, what undoes last. */
export const STEP_ORDER: StepTo[] = ["Live", "Canary", "Shadow", "RolledBack", "Superseded"];

export const keysOf = (policy: Policy) => policy.namespaces.map((namespace) => `${namespace}/${policy.name}`);

/** The version that says most about a policy: what decides, else what is nearest to it. */
export function leading(policy: Policy): VersionSummary | undefined {
  const order: Stage[] = ["Live", "Canary", "Shadow", "Draft"];
  for (const stage of order) {
    const found = [...policy.versions].reverse().find((one) => one.stage === stage);
    if (found) return found;
  }
  return policy.versions.at(-1);
}

/** The version that one most likely came to look at: the newest that is still on its way, else the one that decides. */
export function interesting(policy: Policy): number {
  const onItsWay = [...policy.versions].reverse().find((one) => one.stage === "Canary" || one.stage === "Shadow" || one.stage === "Draft");
  return (onItsWay ?? leading(policy))?.number ?? 1;
}

/** The version that is Live again when the one that is now is rolled back. `history` is oldest first. */
export function previousLive(history: StageRow[]): number | null {
  let lives: number[] = [];
  let live: number | null = null;
  for (const { number, stage, by } of history) {
    if (stage === "Live") {
      if (!lives.includes(number)) lives = [...lives, number];
      live = number;
      continue;
    }
    if (live === number) live = null;
    if (stage === "RolledBack" || (stage === "Superseded" && by === null)) lives = lives.filter((one) => one !== number);
  }
  return live === null ? null : (lives.filter((one) => one !== live).at(-1) ?? null);
}

/** Why a step needs more than a click, or null where it may be done now. */
export type Standing = { approved: boolean; open: Approval | null; last: Approval | null };

/** What was said of a version and a stage: the last word counts, and who approves Live approves a Canary too. */
export function standing(approvals: Approval[], policyId: string, number: number, to: "Canary" | "Live"): Standing {
  const stages = to === "Live" ? ["Live"] : ["Canary", "Live"];
  const about = approvals.filter((one) => one.policy_id === policyId && one.number === number && stages.includes(one.stage));
  const ruled = about
    .filter((one) => one.decision !== null)
    .sort((a, b) => (b.decided_at_s ?? 0) - (a.decided_at_s ?? 0) || b.requested_at_s - a.requested_at_s);
  const last = ruled[0] ?? null;
  return { approved: last?.decision === "Approved", open: about.find((one) => one.decision === null) ?? null, last };
}

/** Whether somebody could approve: they did not ask themselves, and are operators in all of the policy's namespaces. */
export function whyNotApprove(approval: Approval, me: Me | undefined, namespaces: string[]): string | null {
  if (me?.id === approval.requested_by) return "You asked for this yourself: a second person has to look at it.";
  return whyNotWrite(me, namespaces);
}

/** Why somebody may not write a policy of these namespaces, or null where they may. */
export function whyNotWrite(me: Me | undefined, namespaces: string[]): string | null {
  const missing = namespaces.filter((namespace) => !may(me, "Operator", namespace));
  return missing.length === 0 ? null : `This needs the role Operator in ${missing.join(", ")}.`;
}

/** Who did something, in few words: ids say `user:…` or `token:…`. */
export function person(id: string, me: Me | undefined): string {
  if (id === me?.id) return "you";
  if (id === "system") return "Tidegate";
  if (id.startsWith("token:")) return `token ${id.slice("token:".length, "token:".length + 8)}`;
  return id.replace(/^user:/, "");
}
