import { act, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { http, HttpResponse } from "msw";
import { setupServer } from "msw/node";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { OverrideDialog } from "../components/overrides/Dialog";
import { AcceleratorsTab } from "../components/catalog/AcceleratorsTab";
import { FreezeDialog } from "../components/freezes/Dialog";
import { Freezes } from "../components/freezes/Section";
import { Channels } from "../components/settings/Channels";
import { General } from "../components/settings/General";
import { CatalogPage } from "../pages/CatalogPage";
import { fleet, target } from "./fixtures";
import { accelerator, channel, delivery, fit, freeze, me, setting } from "./governanceFixtures";
import { show } from "./show";

type Sent = { method: string; path: string; body: unknown; match: string | null; key: string | null };
const sent: Sent[] = [];
const api = setupServer();
beforeAll(() => api.listen({ onUnhandledRequest: "error" }));
afterEach(() => {
  api.resetHandlers();
  sent.length = 0;
});
afterAll(() => api.close());

const gets = (answers: Record<string, unknown>) => api.use(...Object.entries(answers).map(([path, answer]) => http.get(`*${path}`, () => HttpResponse.json(answer as object))));

/** Remembers a write, and answers it. */
function writes(method: "post" | "put" | "delete", path: string, answer: object, status = 200) {
  api.use(
    http[method](`*${path}`, async ({ request }) => {
      const text = await request.text();
      sent.push({ method, path: new URL(request.url).pathname, body: text ? JSON.parse(text) : null, match: request.headers.get("if-match"), key: request.headers.get("idempotency-key") });
      return HttpResponse.json(answer, { status });
    }),
  );
}

const type = (label: string | RegExp, value: string) => fireEvent.change(screen.getByRole("textbox", { name: label }), { target: { value } });
const press = async (name: string | RegExp) => act(async () => screen.getByRole("button", { name }).click());

describe("the override dialog", () => {
  it("sends what it said, with a key, and closes", async () => {
    let closed = 0;
    writes("post", "/api/v1/targets/default/chat/overrides", {}, 201);
    await show(<OverrideDialog target={target()} close={() => (closed += 1)} />);
    type("Replicas", "5");
    expect(screen.getByTestId("consequence")).toHaveTextContent("+2 h100 (3 → 5) = +$8.00/h");
    expect(screen.getByRole("button", { name: /^Pin for/ })).toBeDisabled();
    type(/Reason/, "load test");
    await press(/^Pin for/);
    await waitFor(() => expect(closed).toBe(1));
    expect(sent[0]?.body).toEqual({ kind: "Pin", variant: "h100", replicas: 5, ttl_s: 1800, reason: "load test" });
    expect(sent[0]?.key).toMatch(/^[0-9a-f]{32}$/);
  });

  it("stays open with the API's words where it is refused, and sends the same key again", async () => {
    writes("post", "/api/v1/targets/default/chat/overrides", { detail: "Operator of default is needed" }, 403);
    await show(<OverrideDialog target={target()} close={() => expect.unreachable()} />);
    type(/Reason/, "load test");
    await press(/^Pin for/);
    expect(await screen.findByRole("alert")).toHaveTextContent("Your role does not allow thisOperator of default is needed");
    await press(/^Pin for/);
    await waitFor(() => expect(sent).toHaveLength(2));
    expect(sent[0]?.key).toBe(sent[1]?.key);
  });
});

describe("freezes", () => {
  it("are made for a namespace, from now on, and say what they hold", async () => {
    let closed = 0;
    gets({ "/api/v1/fleet": fleet(), "/api/v1/me": me("Operator", "default") });
    writes("post", "/api/v1/freezes", freeze(), 201);
    await show(<FreezeDialog close={() => (closed += 1)} />);
    await waitFor(() => expect(screen.getByTestId("consequence")).toHaveTextContent("Of default/chat it keeps at least 3 h100 at $9.90/h: $19.80 in 2.0 h or more."));
    type(/Reason/, "launch");
    await press("Freeze namespace default for 2 hours");
    await waitFor(() => expect(closed).toBe(1));
    expect(sent[0]?.body).toEqual({ namespace: "default", target: null, direction: "Down", starts_at_s: null, ttl_s: 7200, reason: "launch" });
  });

  it("are listed with what holds first, and ended in the version that was seen", async () => {
    const items = [freeze({ id: "f3", state: "Over" }), freeze({ id: "f2", state: "Planned", starts_at_s: 1_767_700_000 }), freeze()];
    gets({ "/api/v1/freezes": { items, next_cursor: null }, "/api/v1/fleet": fleet(), "/api/v1/me": me("Operator", "default") });
    writes("delete", "/api/v1/freezes/f1", freeze({ state: "Ended" }));
    await show(<Freezes active={false} q="" />);
    const rows = await screen.findAllByTestId("freeze-row");
    expect(rows.map((row) => within(row).getByText(/^(Active|Planned|Over)$/).textContent)).toEqual(["Active", "Planned", "Over"]);
    await press("End");
    await waitFor(() => expect(screen.getByTestId("consequence")).toHaveTextContent("1 target may shrink again"));
    await press("End it now");
    await waitFor(() => expect(sent[0]).toMatchObject({ path: "/api/v1/freezes/f1", match: '"1"' }));
  });

  it("cannot be made or ended by a viewer, who reads why", async () => {
    gets({ "/api/v1/freezes": { items: [freeze()], next_cursor: null }, "/api/v1/fleet": fleet(), "/api/v1/me": me("Viewer") });
    await show(<Freezes active q="" />);
    const end = await screen.findByRole("button", { name: "End" });
    expect(end).toHaveAttribute("aria-disabled", "true");
    expect(end).toHaveAttribute("title", "This needs the role Operator of default");
    await press("New freeze");
    expect(screen.queryByRole("dialog")).not.toBeInTheDocument();
  });
});

describe("the catalog", () => {
  it("shows where a model fits and what its tokens cost", async () => {
    const model = { name: "llama-3.1-8b", parameters: 8e9, layers: 32, hidden_size: 4096, attention_heads: 32, kv_heads: 8, head_dim: 128, max_context_tokens: 131_072, weight_bytes: 16.06e9, kv_bytes_per_token: 131_072 };
    const rows = [fit({ cheapest: true }), fit({ accelerator: "T4", fits: false, why: "16 GiB hold no 15 GiB of weights", goodput_rps: null, usd_per_million_tokens: null })];
    gets({ "/api/v1/catalog/models": [model], "/api/v1/catalog/models/llama-3.1-8b/fit": rows, "/api/v1/fleet": fleet() });
    await show(<CatalogPage />, "/?isl=500");
    const [first, second] = await screen.findAllByTestId("fit-row");
    expect(first).toHaveTextContent(/H100.*cheapest.*14\.9 req\/s.*TPOT.*\$4\.00.*\$0\.37.*\$0\.0620/);
    expect(second).toHaveTextContent(/T4.*hold no.*–/);
    expect(screen.getByTestId("model-shape")).toHaveTextContent("15 GiB of weights, 128 KiB of KV cache per token, up to 131,072 tokens");
    expect(screen.getByRole("textbox", { name: "Input tokens" })).toHaveValue("500");
  });

  it("sets a price on the version that was seen, and goes on with a newer one after a conflict", async () => {
    gets({ "/api/v1/catalog/accelerators": [accelerator()], "/api/v1/fleet": fleet(), "/api/v1/me": me("Admin") });
    writes("put", "/api/v1/catalog/accelerators/H100/price", { detail: "it is version 3 now" }, 412);
    await show(<AcceleratorsTab />);
    await screen.findByText("H100");
    await waitFor(() => expect(screen.getByRole("button", { name: "set price: H100" })).not.toHaveAttribute("aria-disabled"));
    await press("set price: H100");
    type("On demand, $/h", "3.5");
    await waitFor(() => expect(screen.getByTestId("consequence")).toHaveTextContent("$12.00/h → $10.50/h (−$1.50/h)"));
    type(/Reason/, "new contract");
    gets({ "/api/v1/catalog/accelerators": [accelerator({ etag: '"3"' })] });
    await press("Set the price");
    expect(await screen.findByRole("alert")).toHaveTextContent("Somebody changed it meanwhile");
    expect(sent[0]).toMatchObject({ match: '"0"', body: { usd_per_hour: "3.5", spot_usd_per_hour: "1.9", ttl_s: null, reason: "new contract" } });
    writes("put", "/api/v1/catalog/accelerators/H100/price", accelerator());
    await press("Set the price");
    await waitFor(() => expect(sent[1]?.match).toBe('"3"'));
  });

  it("lets nobody but administrators of everything set a price, and says so", async () => {
    gets({ "/api/v1/catalog/accelerators": [accelerator()], "/api/v1/me": me("Admin", "default") });
    await show(<AcceleratorsTab />);
    expect(await screen.findByRole("button", { name: "set price: H100" })).toHaveAttribute("title", "This needs the role Admin of all namespaces");
  });
});

describe("settings", () => {
  it("are changed with a reason, on the version that was seen", async () => {
    gets({ "/api/v1/settings": [setting({ name: "retention_ticks_days", type: "integer", value: 90, etag: '"7"' })] });
    writes("put", "/api/v1/settings/retention_ticks_days", setting());
    await show(<General may />);
    await screen.findByText("Decisions are kept");
    await press("change: Decisions are kept");
    type("Days", "30");
    expect(screen.getByTestId("consequence")).toHaveTextContent("oldest 60 of 90 days");
    type(/Reason/, "disk");
    await press("Change it");
    await waitFor(() => expect(sent[0]).toMatchObject({ match: '"7"', body: { value: 30, reason: "disk" } }));
  });

  it("keep channels from who is no administrator, and ask nothing", async () => {
    await show(<Channels may={false} />);
    expect(screen.getByText(/only an administrator of all namespaces sees them/)).toBeInTheDocument();
  });

  it("make a channel of the URL that Slack shows", async () => {
    gets({ "/api/v1/notification-channels": [] });
    writes("post", "/api/v1/notification-channels", channel(), 201);
    await show(<Channels may />);
    await screen.findByText("Nobody is told anything yet");
    await press("New channel");
    type(/^Name/, "on-call");
    type(/Incoming webhook/, "https://hooks.slack.com/services/T1/B2/c3");
    await press("Make the channel");
    await waitFor(() => expect(sent[0]?.body).toEqual({ name: "on-call", url: "slack://T1/B2/c3", events: ["StockOut", "Rollback", "MetricFault"], namespaces: null, enabled: true }));
  });

  it("test a channel and show what became of the message", async () => {
    gets({ "/api/v1/notification-channels": [channel()], "/api/v1/notification-channels/c1/deliveries": [delivery({ error: "404 of the service", attempts: 1 })] });
    writes("post", "/api/v1/notification-channels/c1/test", channel(), 202);
    await show(<Channels may />);
    await screen.findByText("on-call");
    await press("Test on-call");
    expect(await screen.findByTestId("delivery-row")).toHaveTextContent("failed 1 time, and is tried again: 404 of the service");
    expect(sent[0]?.path).toBe("/api/v1/notification-channels/c1/test");
  });
});
