import type { RegretOf, Side } from "../api/policies";
import { seconds, share, UNKNOWN } from "./format";

type Regret = NonNullable<RegretOf["regret"]>;

const usd = (side: Side) => Number(side.cost_usd);
const signed = (value: number, words: string) => (value === 0 ? words : `${value < 0 ? "−" : "+"}${words}`);

/** `0.30 points` of attainment. */
const points = (value: number) => `${(Math.abs(value) * 100).toFixed(2)} points`;

/** How the version compares, in one sentence. */
export function sentence(number: number, against: string, one: Regret): string {
  const money = Number(one.usd);
  const relative = usd(one.other) > 0 ? ` (${signed(money, share(Math.abs(money) / usd(one.other)))})` : "";
  const cost = Math.abs(money) < 0.005 ? "cost the same" : `cost $${Math.abs(money).toFixed(2)} ${money < 0 ? "less" : "more"}${relative}`;
  const met = one.attainment === null ? "" : Math.abs(one.attainment) < 0.00005 ? "attained the same and " : `attained ${points(one.attainment)} ${one.attainment < 0 ? "less" : "more"} and `;
  return `Over ${seconds(one.until_s - one.since_s)}, version ${number} would have ${met}${cost} than ${against}.`.replace("the same than", "the same as");
}

/** Whether the difference is more than what the simulation is known to be wrong by; null where that is not known. */
export function credible(one: Regret): boolean | null {
  const { attainment, cost } = one.error;
  if (attainment === null || cost === null || usd(one.other) === 0) return null;
  const costly = Math.abs(Number(one.usd)) / usd(one.other) > Math.abs(cost);
  return costly || (one.attainment !== null && Math.abs(one.attainment) > Math.abs(attainment));
}

export type Figure = { label: string; mine: string; other: string; difference: string; recorded: string; error: string };

/** The table: both simulations, their difference, what really happened, and how far the simulation is from it. */
export function figures(one: Regret): Figure[] {
  const percent = (value: number | null) => (value === null ? UNKNOWN : signed(value, share(Math.abs(value))));
  const row = (label: string, of: (side: Side) => number | null, words: (value: number) => string, error: string): Figure => {
    const [mine, other, recorded] = [of(one.candidate), of(one.other), of(one.recorded)];
    const said = (value: number | null) => (value === null ? UNKNOWN : words(value));
    const difference = mine === null || other === null ? UNKNOWN : signed(mine - other, words(Math.abs(mine - other)));
    return { label, mine: said(mine), other: said(other), difference, recorded: said(recorded), error };
  };
  const attained = row("Attainment", (side) => side.attainment, (value) => share(value, 2), one.error.attainment === null ? UNKNOWN : signed(one.error.attainment, points(one.error.attainment)));
  return [
    { ...attained, difference: one.attainment === null ? UNKNOWN : signed(one.attainment, points(one.attainment)) },
    row("Cost", usd, (value) => `$${value.toFixed(2)}`, percent(one.error.cost)),
    row("GPU-hours", (side) => side.gpu_hours, (value) => value.toFixed(2), percent(one.error.gpu_hours)),
    row("Requests", (side) => side.requests, (value) => value.toLocaleString("en"), percent(one.error.requests)),
    row("Scale-ups", (side) => side.scale_ups, String, UNKNOWN),
    row("Scale-downs", (side) => side.scale_downs, String, UNKNOWN),
  ];
}
