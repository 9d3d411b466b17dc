import { act, screen, waitFor, within } from "@testing-library/react";
import { http, HttpResponse } from "msw";
import { setupServer } from "msw/node";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";

import { LiveProvider, STALE_AFTER_MS, useLive } from "../api/live";
import { DecisionView } from "../pages/DecisionPage";
import { FleetPage, FleetView } from "../pages/FleetPage";
import { detail, fleet, target } from "./fixtures";
import { show } from "./show";
import { explanation } from "./whatIfFixtures";

const api = setupServer();
beforeAll(() => api.listen({ onUnhandledRequest: "error" }));
afterEach(() => api.resetHandlers());
afterAll(() => api.close());

describe("fleet", () => {
  it("has a row per target with load, replicas, verdict, reason, attainment and cost", async () => {
    await show(<FleetView fleet={fleet()} />);
    const row = within(screen.getByTestId("target-row"));
    expect(row.getByRole("link", { name: "default/chat" })).toBeInTheDocument();
    expect(row.getByText("12.3 req/s")).toBeInTheDocument();
    expect(row.getByText("h100 2/3")).toBeInTheDocument();
    expect(row.getByText("up")).toBeInTheDocument();
    expect(row.getByText(/14\.20 requests\/s expected/)).toBeInTheDocument();
    expect(row.getByText("97.0 %")).toHaveClass("bad");
    expect(row.getByText("99.5 %")).not.toHaveClass("bad");
    expect(row.getByText("below 99.0 %")).toBeInTheDocument();
    expect(row.getByText("$9.90/h")).toBeInTheDocument();
  });

  it("shows a target before its first decision as unknown, not as zero", async () => {
    const fresh = target({ requests_per_s: null, attainment: null, attainment_day: null, verdict: null, reason: null, usd_per_hour: null });
    await show(<FleetView fleet={fleet([fresh])} />);
    const row = within(screen.getByTestId("target-row"));
    expect(row.getByText("waiting for the first decision")).toBeInTheDocument();
    // Load, verdict, SLO met now and of the day, cost.
    expect(row.getAllByText("–")).toHaveLength(5);
    expect(row.queryByText(/\$0/)).not.toBeInTheDocument();
  });

  it("says what to do when there is no target yet", async () => {
    await show(<FleetView fleet={fleet([])} />);
    expect(screen.getByText(/Waiting for the first decision/)).toBeInTheDocument();
  });

  it("asks the API, and shows its words when it refuses", async () => {
    api.use(
      http.get("*/api/v1/fleet", () =>
        HttpResponse.json({ title: "The ledger is away", status: 503, detail: "PostgreSQL does not answer" }, { status: 503 }),
      ),
    );
    await show(<FleetPage />);
    expect(await screen.findByRole("alert")).toHaveTextContent("PostgreSQL does not answer");
    api.use(http.get("*/api/v1/fleet", () => HttpResponse.json(fleet())));
    await act(async () => screen.getByRole("button", { name: "Try again" }).click());
    expect(await screen.findByTestId("target-row")).toBeInTheDocument();
  });
});

describe("decision", () => {
  it("tells its trail in words, its rules, what was not chosen and what became of it", async () => {
    api.use(
      http.get("*/api/v1/ticks/t1/neighbours", () => HttpResponse.json({ previous_id: "t0", next_id: null })),
      http.get("*/api/v1/ticks/t1/explain", () => HttpResponse.json(explanation)),
      http.get("*/api/v1/me", () => HttpResponse.json({ id: "user:v", name: "v", grants: [{ role: "Viewer", namespace: null }] })),
      http.get("*/api/v1/targets/default/chat/why-not", ({ request }) => {
        const verdict = new URL(request.url).searchParams.get("verdict");
        return HttpResponse.json({ sentence: `The last scale-${verdict} was not done.`, explanation: { tick_id: "t0", at_s: 5 } });
      }),
    );
    await show(<DecisionView detail={detail} />);
    await waitFor(() => expect(screen.getByRole("link", { name: "‹ Previous" })).toHaveAttribute("href", "/ticks/t0"));
    expect(screen.getByRole("button", { name: "Next ›" })).toBeDisabled();
    const trail = within(screen.getByTestId("trail"));
    expect(trail.getAllByRole("listitem").map((item) => item.textContent)).toEqual(detail.sentences);
    expect(within(screen.getByLabelText("Rules, in order")).getByText("9 h100 → 3 h100")).toBeInTheDocument();
    expect(within(screen.getByLabelText("What was planned, and what was not chosen")).getByText(/maxReplicas 3/)).toBeInTheDocument();
    expect(within(screen.getByLabelText("What was done")).getByText("conflict")).toBeInTheDocument();
    expect(within(screen.getByLabelText("What was seen")).getAllByText("–").length).toBeGreaterThan(0);
    expect(screen.getByTestId("lead")).toHaveTextContent("More replicas: h100 2 → 3, but h100 was not changed (conflict)");
    const change = within(await screen.findByLabelText("What would change this"));
    expect(change.getByText("Read this with care")).toBeInTheDocument();
    expect(change.getAllByTestId("changes")[0]).toHaveTextContent(/otherwise.*no change at 08:00/);
    const came = within(screen.getByLabelText("What came of it"));
    expect(came.getByText(/more came than was planned for/)).toBeInTheDocument();
    expect(came.getByText(/the SLO was met/)).toBeInTheDocument();
    const fleets = within(screen.getByLabelText("What was planned, and what was not chosen"));
    expect([fleets.getByText("98.7 %"), fleets.getByText("42.0 %")]).toHaveLength(2);
    await act(async () => screen.getByRole("button", { name: "Why are there not fewer replicas?" }).click());
    expect(await screen.findByText("The last scale-down was not done.")).toBeInTheDocument();
    expect(screen.getByRole("link", { name: "open that decision" })).toHaveAttribute("href", "/ticks/t0");
    // A viewer may read all of it, and ask for no work.
    const replay = screen.getByRole("button", { name: "Replay ▾" });
    expect(replay).toBeDisabled();
    expect(replay).toHaveAttribute("title", "This needs the role Operator");
  });
});

describe("live", () => {
  class Feed extends EventTarget {
    static made: Feed;
    constructor() {
      super();
      Feed.made = this;
    }
    close() {}
    beat() {
      this.dispatchEvent(new MessageEvent("heartbeat", { data: JSON.stringify({ now_s: 100, speed: 30 }) }));
    }
  }
  beforeEach(() => vi.stubGlobal("EventSource", Feed));
  afterEach(() => vi.unstubAllGlobals());

  function Probe() {
    const { stale, speed } = useLive();
    return <p>{stale ? "stale" : `live ×${speed}`}</p>;
  }

  it("knows the clock's speed, and when it has heard nothing for too long", async () => {
    vi.useFakeTimers({ shouldAdvanceTime: true, toFake: ["setInterval", "setTimeout", "clearInterval", "clearTimeout", "performance"] });
    await show(
      <LiveProvider>
        <Probe />
      </LiveProvider>,
    );
    act(() => Feed.made.beat());
    await waitFor(() => expect(screen.getByText("live ×30")).toBeInTheDocument());
    act(() => void vi.advanceTimersByTime(STALE_AFTER_MS + 2000));
    expect(screen.getByText("stale")).toBeInTheDocument();
    act(() => Feed.made.beat());
    act(() => void vi.advanceTimersByTime(1000));
    expect(screen.getByText("live ×30")).toBeInTheDocument();
  });
});
