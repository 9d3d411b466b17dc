import { Link } from "@tanstack/react-router";

import type { TargetSummary, VariantStatus, Verdict } from "../../api/client";
import { keyOf, losesSlo, trend, troubles } from "../../lib/fleet";
import { dollarsChange, dollarsPerHour, rate, share, UNKNOWN } from "../../lib/format";
import { VERDICT_COLOURS, VERDICT_SIGNS } from "../../theme";
import { Sparkline } from "../bits";

// Plain elements: many rows come into the page while one scrolls, and each of a library's components has its price.

export function TargetLink({ target }: { target: TargetSummary }) {
  const { namespace, name } = target;
  return (
    <Link to="/targets/$namespace/$name" params={{ namespace, name } as never} className="cell-link">
      {keyOf(target)}
    </Link>
  );
}

export const reasonOf = (target: TargetSummary) => target.reason ?? "waiting for the first decision";

/** By its sign and word; the tint comes on top. */
export function VerdictPill({ verdict }: { verdict: Verdict | null }) {
  if (verdict === null) return <div className="dim">{UNKNOWN}</div>;
  return (
    <span className="pill verdict" style={{ background: `var(--mantine-color-${VERDICT_COLOURS[verdict]}-light)` }}>
      <span aria-hidden>{VERDICT_SIGNS[verdict]}</span> {verdict}
    </span>
  );
}

const about = (v: VariantStatus) => `${v.name}: ${v.gpus_per_replica} × ${v.accelerator}, ${v.role}, ${v.pending ?? UNKNOWN} pending`;

/** Ready of desired by variant; a variant that neither has nor wants replicas is left out. */
export function Replicas({ variants }: { variants: VariantStatus[] }) {
  const shown = variants.filter((v) => v.desired !== 0 || v.ready !== 0);
  return (
    <div className="pills">
      {shown.map((v) => (
        <span key={v.name} className={v.ready === v.desired ? "pill plain" : "pill plain moving"} title={about(v)}>
          {v.name} {v.ready ?? UNKNOWN}/{v.desired ?? UNKNOWN}
        </span>
      ))}
    </div>
  );
}

/** Now and of the last day. In words and by weight, not by colour alone: below its SLO it is bold. */
export function Attainment({ target }: { target: TargetSummary }) {
  const { attainment: now, attainment_day: day, slo } = target;
  const missed = losesSlo(target);
  const dayMissed = day !== null && day < slo.attainment;
  return (
    <div>
      <span className={missed ? "bad strong" : undefined}>{share(now)}</span> / <span className={dayMissed ? "bad strong" : undefined}>{share(day)}</span>
      <div className="dim">
        {missed ? "below" : dayMissed ? "day below" : "goal"} {share(slo.attainment, 1)}
      </div>
    </div>
  );
}

export function Load({ target }: { target: TargetSummary }) {
  return (
    <div className="cell-load">
      <Sparkline values={target.sparkline_rps} label={`load of ${keyOf(target)} over the last hour`} width={100} />
      <div>
        <div>{rate(target.requests_per_s)}</div>
        <div className="dim" title="the quantile of the coming peak that is provisioned for">
          plan {rate(target.forecast_requests_per_s)}
        </div>
      </div>
    </div>
  );
}

/** What it costs now, and how that changed over the last hour. */
export function Cost({ target }: { target: TargetSummary }) {
  const change = trend(target.sparkline_usd_per_hour);
  return (
    <div className="cell">
      <div>{dollarsPerHour(target.usd_per_hour)}</div>
      {change !== null && (
        <div className="dim" title="against an hour ago, or the first that is known since">
          {Math.abs(change) < 0.005 ? "steady" : `${dollarsChange(change)} in 1 h`}
        </div>
      )}
    </div>
  );
}

export function Troubles({ target, nowS }: { target: TargetSummary; nowS: number }) {
  const found = troubles(target, nowS);
  if (found.length === 0) return null;
  return (
    <div className="pills troubles">
      {found.slice(0, 3).map((word) => (
        <span key={word} className="pill trouble" title={word}>
          ! {word}
        </span>
      ))}
      {found.length > 3 && <span className="dim">and {found.length - 3} more</span>}
    </div>
  );
}
