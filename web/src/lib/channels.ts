import type { Channel, ChannelIn, Delivery, EventKind } from "../api/settings";

export const EVENTS: { value: EventKind; label: string; hint: string }[] = [
  { value: "Conflict", label: "Conflict", hint: "another controller scales a target too" },
  { value: "StockOut", label: "Stock-out", hint: "replicas that were asked for cannot be had" },
  { value: "MetricFault", label: "Metric fault", hint: "a target's metrics cannot be read or believed" },
  { value: "Rollback", label: "Rollback", hint: "a policy's version was taken back" },
  { value: "Budget", label: "Budget", hint: "a day costs more than was set" },
];

export const WAYS = {
  slack: { label: "Slack", field: "Incoming webhook's URL", example: "https://hooks.slack.com/services/T…/B…/…" },
  email: { label: "E-mail", field: "URL", example: "mailtos://user:password@smtp.example.com?to=oncall@example.com" },
  webhook: { label: "Webhook", field: "URL", example: "https://alerts.example.com/tidegate" },
  other: { label: "Another (Discord, PagerDuty, Opsgenie)", field: "URL, as the library Apprise writes it", example: "pagerduty://IntegrationKey@ApiKey" },
} as const;
export type Way = keyof typeof WAYS;

const HOOK = /^https:\/\/hooks\.slack\.com\/services\/([^/]+)\/([^/]+)\/([^/?]+)\/?$/;

/** The URL as the API takes it: what Slack shows for a webhook is written as Apprise's own. */
export function urlOf(way: Way, given: string): string {
  const parts = way === "slack" ? HOOK.exec(given.trim()) : null;
  return parts ? `slack://${parts[1]}/${parts[2]}/${parts[3]}` : given.trim();
}

/** Why a URL cannot be right; null where it may be. The API judges by itself. */
export function urlFault(way: Way, given: string): string | null {
  const url = urlOf(way, given);
  if (url === "") return null;
  const schemes = { slack: ["slack"], email: ["mailto", "mailtos"], webhook: ["http", "https", "json", "jsons"], other: ["discord", "pagerduty", "opsgenie"] }[way];
  if (schemes.some((scheme) => url.toLowerCase().startsWith(`${scheme}://`))) return null;
  return way === "slack" ? `It is like ${WAYS.slack.example}, or slack://TokenA/TokenB/TokenC/#channel.` : `It begins with ${schemes.map((one) => `${one}://`).join(" or ")}`;
}

/** Which way a masked URL goes. */
export function wayOf(url: string): Way {
  if (url.startsWith("slack:")) return "slack";
  if (url.startsWith("mailto")) return "email";
  return /^(http|json)s?:/.test(url) ? "webhook" : "other";
}

export function channelBody(form: { name: string; way: Way; url: string; events: EventKind[]; namespaces: string; enabled: boolean }): ChannelIn {
  const namespaces = form.namespaces.split(/[\s,]+/).filter(Boolean);
  return { name: form.name.trim(), url: urlOf(form.way, form.url), events: form.events, namespaces: namespaces.length ? namespaces : null, enabled: form.enabled };
}

/** After so many a message is given up. */
const MOST_ATTEMPTS = 6;

/** What became of a message, in a word. */
export function fateOf({ sent_at_s, error, attempts }: Delivery): { fine: boolean | null; word: string } {
  if (sent_at_s !== null) return { fine: true, word: "sent" };
  const times = `${attempts} ${attempts === 1 ? "time" : "times"}`;
  if (error !== null) return { fine: false, word: attempts < MOST_ATTEMPTS ? `failed ${times}, and is tried again: ${error}` : `given up after ${times}: ${error}` };
  return { fine: null, word: "on its way" };
}

export const toldWords = ({ events, namespaces }: Channel) =>
  `${events.map((event) => EVENTS.find(({ value }) => value === event)?.label ?? event).join(", ")} · ${namespaces?.join(", ") ?? "every namespace"}`;
