import { Box } from "@mantine/core";

import "./policies.css";
import type { Stage, StageRow } from "../../api/policies";
import { STAGE_SIGNS, STAGE_WORDS } from "../../lib/policy";
import { Moment } from "../bits";

const WAY: Stage[] = ["Draft", "Shadow", "Canary", "Live"];

/** The life of a version from left to right: where it was, where it is, where it may go. */
export function Stepper({ stage, history }: { stage: Stage; history: StageRow[] }) {
  const since = new Map(history.map((row) => [row.stage, row.at_s]));
  const last: Stage = stage === "RolledBack" ? "RolledBack" : "Superseded";
  const over = stage === "RolledBack" || stage === "Superseded";
  return (
    <Box component="ol" className="stepper" aria-label="Life of the version">
      {[...WAY, last].map((one) => {
        const state = one === stage ? "now" : since.has(one) ? "was" : "not";
        const label = one === last && !over ? "RolledBack or Superseded" : one;
        return (
          <li key={one} className={`step ${state}`} aria-current={state === "now" ? "step" : undefined} title={STAGE_WORDS[one]}>
            <span className="sign" aria-hidden>
              {state === "was" ? "✓" : one === last && !over ? "○" : STAGE_SIGNS[one]}
            </span>
            <span className="word">
              {label}
              <span className="when">{state === "not" ? "" : since.has(one) ? <Moment at={since.get(one) ?? null} /> : ""}</span>
            </span>
          </li>
        );
      })}
    </Box>
  );
}
