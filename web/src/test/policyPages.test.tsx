import { createRootRoute, createRoute } from "@tanstack/react-router";
import { act, configure, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { http, HttpResponse } from "msw";
import { setupServer } from "msw/node";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";

import type { Approval, Policy, StageRow, Version } from "../api/policies";
import { policiesSearch, policySearch } from "../lib/policySearch";
import { PoliciesPage } from "../pages/PoliciesPage";
import { PolicyPage } from "../pages/PolicyPage";
import { fleet } from "./fixtures";
import { approval, AT, ID, me, policy, row, spec, version } from "./policyFixtures";
import { showRoutes } from "./show";

const api = setupServer();
beforeAll(() => {
  // jsdom has no layout; the editor asks where its text is.
  Range.prototype.getClientRects = () => [] as unknown as DOMRectList;
  api.listen({ onUnhandledRequest: "error" });
});
afterEach(() => api.resetHandlers());
afterAll(() => api.close());

type World = { policy: Policy; versions: Version[]; history: StageRow[]; approvals: Approval[]; who: string; role: string; required: boolean; sent: { path: string; body: unknown; etag: string | null }[] };
let world: World;

beforeEach(() => {
  const versions = [version(1, { stage: "Live", allowed: ["Superseded"] }), version(2, { stage: "Shadow", spec: spec(8), allowed: ["Canary", "Live", "Superseded"] })];
  const history = [row(1, "Draft"), row(1, "Shadow"), row(1, "Live"), row(2, "Draft"), row(2, "Shadow")];
  world = { policy: policy(versions), versions, history, approvals: [], who: "bob", role: "Operator", required: false, sent: [] };
  const write = async ({ request }: { request: Request }) => {
    world.sent.push({ path: new URL(request.url).pathname, body: await request.json(), etag: request.headers.get("if-match") });
    return HttpResponse.json(world.policy);
  };
  api.use(
    http.get("*/api/v1/me", () => HttpResponse.json(me(world.who, world.role))),
    http.get("*/api/v1/fleet", () => HttpResponse.json(fleet())),
    http.get("*/api/v1/settings/approval_required", () => HttpResponse.json({ value: world.required })),
    http.get("*/api/v1/approvals", () => HttpResponse.json(world.approvals)),
    http.get("*/api/v1/policies", () => HttpResponse.json({ items: [world.policy, GITOPS], next_cursor: null })),
    http.get(`*/api/v1/policies/${ID}`, () => HttpResponse.json(world.policy)),
    http.get(`*/api/v1/policies/${ID}/versions`, () => HttpResponse.json(world.versions)),
    http.get(`*/api/v1/policies/${ID}/stages`, () => HttpResponse.json(world.history)),
    http.get(`*/api/v1/policies/${ID}/versions/:number/shadow-ticks`, () => HttpResponse.json({ items: [], next_cursor: null })),
    http.get(`*/api/v1/policies/${ID}/versions/:number/regret`, () => HttpResponse.json([])),
    http.post(`*/api/v1/policies/${ID}/versions/:number/:step`, write),
    http.post("*/api/v1/approvals/:id/:word", write),
  );
});

const GITOPS: Policy = { ...policy([version(1, { stage: "Live", author: "custom resource" })]), id: "9ee4fad1-cef4-5ba9-8f7b-27ffe074630c", name: "assistant", origin: "CustomResource", read_only: true, named_by_resources: ["default/assistant"] };

async function show(path: string) {
  const root = createRootRoute();
  const routes = [
    createRoute({ getParentRoute: () => root, path: "/policies", component: PoliciesPage, validateSearch: policiesSearch }),
    createRoute({ getParentRoute: () => root, path: "/policies/$id", component: PolicyPage, validateSearch: policySearch }),
  ];
  return showRoutes(root.addChildren(routes), path);
}

/** By its words: to ask for roles takes jsdom a second on a page as large as these. */
const button = (name: string) => screen.getByText(name, { selector: "button *" }).closest("button") as HTMLButtonElement;

async function press(name: string) {
  await screen.findByText(name, { selector: "button *" });
  await act(async () => void fireEvent.click(button(name)));
}
const write = (label: string | RegExp, text: string) => fireEvent.change(screen.getByLabelText(label), { target: { value: text } });

// A machine that is busy draws these pages slowly.
vi.setConfig({ testTimeout: 60_000 });
configure({ asyncUtilTimeout: 15_000 });

describe("policies", () => {
  it("lists each with its versions' stages, its origin and what waits for one's word", async () => {
    world.approvals = [approval()];
    await show("/policies");
    const [first, second] = await screen.findAllByTestId("policy-row");
    expect(within(first!).getByText("Live v1")).toBeInTheDocument();
    expect(within(first!).getByText("Shadow v2")).toBeInTheDocument();
    expect(await within(first!).findByText("waits for you")).toBeInTheDocument();
    expect(within(second!).getByText("GitOps · read-only")).toBeInTheDocument();
    expect(screen.getByTestId("waiting")).toHaveTextContent("1 version waits for your approval.");
  });

  it("leads from a custom resource to the change that is drafted beside it, else to a new one", async () => {
    api.use(
      http.get(`*/api/v1/policies/${GITOPS.id}`, () => HttpResponse.json(GITOPS)),
      http.get(`*/api/v1/policies/${GITOPS.id}/versions`, () => HttpResponse.json(GITOPS.versions.map((one) => ({ ...version(one.number), ...one })))),
      http.get("*/api/v1/policies", () => HttpResponse.json({ items: [GITOPS], next_cursor: null })),
    );
    await show(`/policies/${GITOPS.id}`);
    await waitFor(() => expect(screen.getByText("Draft a change beside it").closest("a")?.getAttribute("href")).toContain("draft=default%2Fassistant"));
    expect(screen.queryByText("New version")).not.toBeInTheDocument();
  });

  it("has nothing waiting for the one who asked", async () => {
    world.approvals = [approval()];
    world.who = "alice";
    await show("/policies?show=waiting");
    expect(await screen.findByText("Nothing waits for you")).toBeInTheDocument();
  });

  it("lets a viewer draft nothing, and says why", async () => {
    world.role = "Viewer";
    await show("/policies");
    await screen.findAllByTestId("policy-row");
    expect(button("New policy")).toBeDisabled();
    expect(button("New policy")).toHaveAttribute("title", "This needs the role Operator");
  });
});

describe("policy", () => {
  it("shows the newest version on its way beside the one it was made from", async () => {
    await show(`/policies/${ID}`);
    const diff = await screen.findByTestId("diff");
    expect([...diff.querySelectorAll("mark")].map((mark) => mark.textContent)).toEqual(["12", "8"]);
    expect(within(screen.getByRole("list", { name: "Life of the version" })).getByText("Shadow").closest("li")).toHaveAttribute("aria-current", "step");
    expect(screen.getAllByTestId("version-row")).toHaveLength(2);
  });

  it("promotes with a reason and the guard, on the version of the policy that was read", async () => {
    await show(`/policies/${ID}`);
    await press("Promote");
    expect(screen.getByTestId("consequence")).toHaveTextContent("Version 2 decides for 1 target (default/chat). Version 1 is superseded");
    expect(screen.getByTestId("consequence")).toHaveTextContent("variants[0].maxReplicas 12 → 8");
    expect(button("Promote version 2")).toBeDisabled();
    write(/^Reason/, "no regret");
    await press("Promote version 2");
    await waitFor(() => expect(world.sent).toHaveLength(1));
    expect(world.sent[0]).toEqual({ path: `/api/v1/policies/${ID}/versions/2/promote`, etag: '"7"', body: { reason: "no regret", guard: { attainment: 0.01, cost: 0.15, over_s: 1800 } } });
  });

  it("shows the API's word where somebody was faster, and keeps the dialog", async () => {
    api.use(http.post(`*/api/v1/policies/${ID}/versions/2/archive`, () => HttpResponse.json({ detail: "it is version 8 now" }, { status: 412 })));
    await show(`/policies/${ID}`);
    await press("Put away");
    write(/^Reason/, "not worth it");
    await press("Put away version 2");
    expect(await screen.findByText("Somebody changed it meanwhile")).toBeInTheDocument();
    expect(screen.getByText("it is version 8 now")).toBeInTheDocument();
  });

  it("asks for a second person's word first, where the setting wants one", async () => {
    world.required = true;
    await show(`/policies/${ID}`);
    await press("Ask to promote");
    expect(screen.getByTestId("consequence")).toHaveTextContent("you may not approve it yourself");
    write(/^Reason/, "less cost");
    await press("Ask for approval");
    await waitFor(() => expect(world.sent[0]).toMatchObject({ path: `/api/v1/policies/${ID}/versions/2/approvals`, body: { stage: "Live", reason: "less cost" } }));
  });

  it("lets nobody approve what they asked for", async () => {
    world.approvals = [approval()];
    world.who = "alice";
    world.required = true;
    await show(`/policies/${ID}`);
    const waiting = within(await screen.findByTestId("approval"));
    expect(await waiting.findByText(/You asked for this yourself/)).toBeInTheDocument();
    expect(waiting.getByRole("button", { name: "Approve" })).toBeDisabled();
  });

  it("lets another approve, with a reason, and then promote", async () => {
    world.approvals = [approval()];
    world.required = true;
    await show(`/policies/${ID}`);
    expect(await screen.findByText("It waits for a second person's word.")).toBeInTheDocument();
    await press("Approve");
    write(/^Reason/, "I read the diff");
    world.approvals = [approval({ decision: "Approved", decided_by: "user:bob", decided_at_s: AT + 20, decision_reason: "I read the diff" })];
    await press("Approve it");
    expect(world.sent[0]).toMatchObject({ path: `/api/v1/approvals/${approval().id}/approve`, etag: '"1"', body: { reason: "I read the diff" } });
    expect(await screen.findByTestId("word")).toHaveTextContent("✓ Approved for Live by you: I read the diff");
    expect(button("Promote")).toBeEnabled();
  });

  it("shows what to commit where a custom resource decides, and promotes nothing", async () => {
    world.policy = { ...world.policy, live: null, named_by_resources: ["default/chat"] };
    api.use(
      http.get(`*/api/v1/policies/${ID}/patch`, () =>
        HttpResponse.json([{ target: "default/chat", yaml: "kind: InferenceAutoscaler\nspec: {model: m}\n", json_patch: [{ op: "replace", path: "/spec", value: {} }], merge_patch: { spec: {} }, command: "kubectl apply" }]),
      ),
    );
    await show(`/policies/${ID}`);
    expect(await screen.findByText(/commit what is below instead of promoting/)).toBeInTheDocument();
    expect(button("Promote")).toBeDisabled();
    expect(await screen.findByText(/kind: InferenceAutoscaler/)).toBeInTheDocument();
  });
});

describe("editor", () => {
  const validated = (answer: object) => api.use(http.post("*/api/v1/policies/validate", () => HttpResponse.json({ valid: true, field: null, message: null, targets: ["default/chat"], named_by_resources: [], ...answer })));

  it("shows at which line the API would refuse it, and saves nothing then", async () => {
    validated({ valid: false, field: "spec.variants[1].maxReplicas", message: "Input should be a valid integer", targets: [] });
    await show(`/policies/${ID}?edit=2`);
    const faults = await screen.findByTestId("faults");
    expect(faults).toHaveTextContent("Line 21: spec.variants[1].maxReplicas: Input should be a valid integer");
    write(/^Reason/, "more");
    expect(button("Save as a draft")).toBeDisabled();
  });

  it("saves a change that the form made to the YAML as a new version", async () => {
    validated({});
    let body: { spec?: { forecast?: unknown }; parent?: number } = {};
    api.use(
      http.post(`*/api/v1/policies/${ID}/versions`, async ({ request }) => {
        body = (await request.json()) as typeof body;
        return HttpResponse.json(version(3), { status: 201 });
      }),
    );
    const router = await show(`/policies/${ID}?edit=2`);
    await screen.findByTestId("taken");
    expect(screen.getByText("Nothing is changed yet")).toBeInTheDocument();
    write("Forecast quantile", "0.8");
    expect(await screen.findByText("1 field changes")).toBeInTheDocument();
    expect(await screen.findByTestId("yaml-editor")).toHaveTextContent("quantile: 0.8");
    write(/^Reason/, "calmer");
    await waitFor(() => expect(button("Save as a draft")).toBeEnabled());
    await press("Save as a draft");
    await waitFor(() => expect(body).toMatchObject({ parent: 2, reason: "calmer", spec: { forecast: { quantile: 0.8 } } }));
    await waitFor(() => expect(router.state.location.search).toEqual({ tab: "changes", v: 3 }));
  });

  it("puts a pasted HPA in the editor, with what was not carried over", async () => {
    validated({});
    api.use(
      http.post("*/api/v1/policies/import", async ({ request }) => {
        expect(await request.json()).toMatchObject({ manifest: "kind: HorizontalPodAutoscaler", namespace: "default", model: "qwen3-8b" });
        return HttpResponse.json({ kind: "HorizontalPodAutoscaler", policy: { name: "chat", namespaces: ["default"], spec: { model: "qwen3-8b", maxReplicas: 5 }, reason: "imported" }, notes: ["cpu is replaced by the SLO"], valid: true, field: null, message: null });
      }),
    );
    await show(`/policies/${ID}?edit=2`);
    await screen.findByTestId("yaml-editor");
    await press("Import from HPA");
    write(/^HorizontalPodAutoscaler/, "kind: HorizontalPodAutoscaler");
    fireEvent.change(within(screen.getByRole("dialog")).getByLabelText("Model"), { target: { value: "qwen3-8b" } });
    await press("Read it");
    expect(await screen.findByText("cpu is replaced by the SLO")).toBeInTheDocument();
    await press("Put it in the editor");
    await waitFor(() => expect(screen.getByTestId("yaml-editor")).toHaveTextContent("model: qwen3-8b"));
  });
});
