import createClient from "openapi-fetch";

import type { components, paths } from "./schema";

export type Fleet = components["schemas"]["Fleet"];
export type TargetSummary = components["schemas"]["TargetSummary"];
export type VariantStatus = components["schemas"]["VariantStatus"];
export type TickSummary = components["schemas"]["TickSummary"];
export type TickPage = components["schemas"]["TickPage"];
export type TickDetail = components["schemas"]["TickDetail"];
export type TargetSeries = components["schemas"]["TargetSeries"];
export type Verdict = components["schemas"]["Verdict"];
export type Tick = components["schemas"]["Tick"];
export type Mode = components["schemas"]["Mode"];
export type Override = components["schemas"]["OverrideOut"];
export type OverrideIn = components["schemas"]["OverrideIn"];
export type OverrideKind = components["schemas"]["OverrideKind"];
export type OverridePage = components["schemas"]["OverridePage"];
export type AuditRow = components["schemas"]["AuditRow"];
export type AuditPage = components["schemas"]["AuditPage"];
export type Me = components["schemas"]["Me"];
export type AccessRole = components["schemas"]["AccessRole"];
export type Token = components["schemas"]["TokenOut"];
export type TokenIn = components["schemas"]["TokenIn"];
export type User = components["schemas"]["UserOut"];
export type GrantTo = components["schemas"]["GrantToOut"];
export type GrantToIn = components["schemas"]["GrantToIn"];
export type Health = components["schemas"]["Health"];

export const client = createClient<paths>({
  baseUrl: window.location.origin,
  // Looked up at each call, so that what replaces it later (a test's server) is heard.
  fetch: (request) => globalThis.fetch(request),
});

/** A write shows the secret of its cookie, which no other site's page can read. */
client.use({
  onRequest({ request }) {
    const csrf = /(?:^|; )tidegate_csrf=([^;]+)/.exec(document.cookie)?.[1];
    if (csrf && request.method !== "GET") request.headers.set("X-CSRF-Token", csrf);
    return request;
  },
});

/** An answer that is not what was asked for: the problem's own words where the API sent one. */
export class ApiProblem extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

/** The data of an answer, or an `ApiProblem`. */
export function unwrap<T>(answer: { data?: T; error?: unknown; response: Response }): T {
  if (answer.data !== undefined) return answer.data;
  const detail = (answer.error as { detail?: string } | undefined)?.detail;
  throw new ApiProblem(detail ?? `the API answered ${answer.response.status}`, answer.response.status);
}
