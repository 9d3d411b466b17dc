import { createRootRoute, createRoute } from "@tanstack/react-router";
import { act, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { http, HttpResponse } from "msw";
import { setupServer } from "msw/node";
import type { ReactNode } from "react";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";

import { ChangeForm } from "../components/whatif/ChangeForm";
import { marksOf, Plot } from "../components/whatif/Pareto";
import { WayTable } from "../components/whatif/WayTable";
import { type Group, groupsOf } from "../lib/comparison";
import { comparisonSearch } from "../lib/whatIfSearch";
import { ComparisonPage } from "../pages/ComparisonPage";
import { ReportView } from "../pages/ReportsPage";
import { target } from "./fixtures";
import { showRoutes } from "./show";
import { replay, row, underWay } from "./whatIfFixtures";

// jsdom has no canvas: what a chart is given is tested where it is made.
vi.mock("../components/target/Chart", () => ({ default: ({ title }: { title: string }) => <p>chart: {title}</p> }));

const me = { id: "user:admin", name: "admin", grants: [{ role: "Admin", namespace: null }] };
const api = setupServer();
beforeAll(() => api.listen({ onUnhandledRequest: "error" }));
beforeEach(() =>
  api.use(
    http.get("*/api/v1/me", () => HttpResponse.json(me)),
    http.get("*/api/v1/targets/default/chat", () => HttpResponse.json(target())),
  ),
);
afterEach(() => api.resetHandlers());
afterAll(() => api.close());

async function show(page: ReactNode, path = "/", at = "/") {
  const root = createRootRoute();
  const route = createRoute({ getParentRoute: () => root, path, component: () => page, validateSearch: comparisonSearch });
  await showRoutes(root.addChildren([route]), at);
}

describe("comparison", () => {
  it("shows how far a job is, lets it be cancelled on the version that was seen, and shows the others' results", async () => {
    const ended: string[] = [];
    api.use(
      http.get("*/api/v1/jobs/r", () => HttpResponse.json(underWay)),
      http.get("*/api/v1/jobs/a", () => HttpResponse.json(replay("a", "hpa-queue", { cost_usd: "12.00", attainment: 0.97 }))),
      http.delete("*/api/v1/jobs/r", ({ request }) => {
        ended.push(request.headers.get("if-match") ?? "");
        return HttpResponse.json({ ...underWay, status: "Cancelled" });
      }),
    );
    await show(<ComparisonPage />, "/what-if/$id", "/what-if/r?with=a");
    const play = within(await screen.findByTestId("play"));
    expect(play.getByText("Knative KPA")).toBeInTheDocument();
    expect(play.getByText("42 %")).toBeInTheDocument();
    expect(await screen.findByText(/HPA on the queue costs \$2\.00 more/)).toBeInTheDocument();
    expect(await screen.findByText("chart: Replicas: HPA on the queue")).toBeInTheDocument();
    const cancel = play.getByRole("button", { name: "cancel Knative KPA" });
    await waitFor(() => expect(cancel).toBeEnabled());
    await act(async () => cancel.click());
    await waitFor(() => expect(ended).toEqual(['"1"']));
  });

  it("says why a job failed", async () => {
    api.use(http.get("*/api/v1/jobs/f", () => HttpResponse.json({ ...underWay, id: "f", status: "Failed", error: "the window has no recorded decisions" })));
    await show(<ComparisonPage />, "/what-if/$id", "/what-if/f");
    expect(await screen.findByText("the window has no recorded decisions")).toBeInTheDocument();
    expect(screen.getByText("Nothing to compare")).toBeInTheDocument();
  });

  it("has a mark for each policy with a known attainment, in colour, shape and words", async () => {
    const [group] = groupsOf([replay("a", "kpa", { cost_usd: "12.00", attainment: 0.97 })]);
    await show(<Plot ways={marksOf(group as Group)} width={800} palette={["#000", "#111", "#222"]} goal={0.99} />);
    const marks = screen.getAllByTestId("pareto-point");
    expect(marks).toHaveLength(3);
    expect(new Set(marks.map((mark) => mark.querySelector("path")?.getAttribute("d"))).size).toBe(3);
    expect(screen.getByText("Knative KPA")).toBeInTheDocument();
    expect(screen.getByText("goal 99.0 %")).toBeInTheDocument();
    expect(screen.getByRole("img").getAttribute("aria-label")).toContain("Knative KPA: $12.00, 97.00 % met the SLO");
  });

  it("has a row a way, with its difference from the live policy", async () => {
    const [group] = groupsOf([replay("a", "kpa", { cost_usd: "12.00", attainment: 0.97 })]);
    await show(<WayTable group={group as never} />);
    const rows = screen.getAllByTestId("way-row");
    expect(rows).toHaveLength(3);
    expect(rows[2]).toHaveTextContent("+$2.00 (+20.0 %)");
    expect(rows[2]).toHaveTextContent("−2.00 points");
    expect(rows[0]).not.toHaveTextContent("points");
  });
});

describe("the form of changes", () => {
  it("shows what is, and tells what is typed in the API's units", async () => {
    const set = vi.fn();
    await show(<ChangeForm target={target()} change={{}} set={set} />);
    const tpot = screen.getByLabelText("TPOT SLO");
    expect(tpot).toHaveAttribute("placeholder", "100 ms");
    fireEvent.change(tpot, { target: { value: "50" } });
    expect(set).toHaveBeenLastCalledWith({ tpot: 0.05 });
    fireEvent.change(screen.getByLabelText("Price of h100"), { target: { value: "3.5" } });
    expect(set).toHaveBeenLastCalledWith({ prices: { h100: 3.5 } });
    fireEvent.change(tpot, { target: { value: "" } });
    expect(set).toHaveBeenLastCalledWith({});
  });
});

describe("report", () => {
  const report = (rows = [row()], total = row({ key: "total" })) => ({ from_s: 0, to_s: 86_400, by: "target" as const, rows, total, notes: ["A note."] });
  const search = { period: "month", by: "target" } as const;

  it("begins with what it cost, and against what it saved", async () => {
    await show(<ReportView report={report()} days={undefined} search={search} set={() => undefined} />);
    const figures = screen.getAllByTestId("figure").map((figure) => figure.textContent);
    expect(figures[0]).toBe("Cost$1,3103 GPU-hours");
    expect(figures[1]).toBe("Saved$89.786.4 % of the $1,400 that default/chat would have cost");
    expect(screen.getByTestId("baselines")).toHaveTextContent("default/chat: HPA on the queue would cost 1.07 times as much");
    expect(screen.getByRole("link", { name: "its newest replay" })).toHaveAttribute("href", "/what-if/22f84330-2821-4291-8b95-906576c3d6ad");
  });

  it("has a row of each and their sum; what is not known is a dash", async () => {
    const rows = [row(), row({ key: "default/assistant", savings_usd: null, attainment: null })];
    await show(<ReportView report={report(rows)} days={undefined} search={search} set={() => undefined} />);
    const shown = screen.getAllByTestId("report-row");
    expect(shown.map((one) => one.textContent?.slice(0, 12))).toEqual(["default/chat", "default/assi", "All$1,310.22"]);
    expect(within(shown[1] as HTMLElement).getAllByText("–")).toHaveLength(2);
  });

  it("says what to do where nothing is compared yet", async () => {
    await show(<ReportView report={report([row()], row({ savings_usd: null, baseline_usd: null, baseline: "" }))} days={undefined} search={search} set={() => undefined} />);
    expect(screen.getByText("nothing to compare with yet")).toBeInTheDocument();
    expect(screen.getByRole("link", { name: /play a stretch of the past/ })).toBeInTheDocument();
  });
});
