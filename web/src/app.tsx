import "@mantine/core/styles.css";
import "./app.css";

import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, RouterProvider } from "@tanstack/react-router";

import { LiveProvider } from "./api/live";
import { Layout } from "./components/Layout";
import { NoPage, PageFailed } from "./components/states";
import { catalogSearch } from "./lib/catalogSearch";
import { fleetSearch } from "./lib/fleet";
import { policiesSearch, policySearch } from "./lib/policySearch";
import { reportsSearch } from "./lib/reportsSearch";
import { auditSearch, overridesSearch, targetSearch } from "./lib/search";
import { comparisonSearch, whatIfSearch } from "./lib/whatIfSearch";
import { readable, theme } from "./theme";

const root = createRootRoute({ component: Layout, notFoundComponent: NoPage });
const getParentRoute = () => root;
// Each page comes when it is first opened; the fleet is where people start.
const routes = [
  createRoute({
    getParentRoute,
    path: "/",
    component: lazyRouteComponent(() => import("./pages/FleetPage"), "FleetPage"),
    validateSearch: fleetSearch,
  }),
  createRoute({
    getParentRoute,
    path: "/targets/$namespace/$name",
    component: lazyRouteComponent(() => import("./pages/TargetPage"), "TargetPage"),
    validateSearch: targetSearch,
  }),
  createRoute({ getParentRoute, path: "/ticks/$id", component: lazyRouteComponent(() => import("./pages/DecisionPage"), "DecisionPage") }),
  createRoute({
    getParentRoute,
    path: "/policies",
    component: lazyRouteComponent(() => import("./pages/PoliciesPage"), "PoliciesPage"),
    validateSearch: policiesSearch,
  }),
  createRoute({
    getParentRoute,
    path: "/policies/$id",
    component: lazyRouteComponent(() => import("./pages/PolicyPage"), "PolicyPage"),
    validateSearch: policySearch,
  }),
  createRoute({
    getParentRoute,
    path: "/what-if",
    component: lazyRouteComponent(() => import("./pages/WhatIfPage"), "WhatIfPage"),
    validateSearch: whatIfSearch,
  }),
  createRoute({
    getParentRoute,
    path: "/what-if/$id",
    component: lazyRouteComponent(() => import("./pages/ComparisonPage"), "ComparisonPage"),
    validateSearch: comparisonSearch,
  }),
  createRoute({
    getParentRoute,
    path: "/catalog",
    component: lazyRouteComponent(() => import("./pages/CatalogPage"), "CatalogPage"),
    validateSearch: catalogSearch,
  }),
  createRoute({
    getParentRoute,
    path: "/reports",
    component: lazyRouteComponent(() => import("./pages/ReportsPage"), "ReportsPage"),
    validateSearch: reportsSearch,
  }),
  createRoute({
    getParentRoute,
    path: "/overrides",
    component: lazyRouteComponent(() => import("./pages/OverridesPage"), "OverridesPage"),
    validateSearch: overridesSearch,
  }),
  createRoute({
    getParentRoute,
    path: "/audit",
    component: lazyRouteComponent(() => import("./pages/AuditPage"), "AuditPage"),
    validateSearch: auditSearch,
  }),
  createRoute({ getParentRoute, path: "/settings", component: lazyRouteComponent(() => import("./pages/SettingsPage"), "SettingsPage") }),
  createRoute({ getParentRoute, path: "/health", component: lazyRouteComponent(() => import("./pages/HealthPage"), "HealthPage") }),
];
const router = createRouter({
  routeTree: root.addChildren(routes),
  defaultPreload: "intent",
  defaultErrorComponent: PageFailed,
  scrollRestoration: true,
});

const queries = new QueryClient({ defaultOptions: { queries: { retry: 1, staleTime: 1000, refetchOnWindowFocus: true } } });

export function App() {
  return (
    <MantineProvider theme={theme} cssVariablesResolver={readable} defaultColorScheme="auto">
      <QueryClientProvider client={queries}>
        <LiveProvider>
          <RouterProvider router={router} />
        </LiveProvider>
      </QueryClientProvider>
    </MantineProvider>
  );
}
