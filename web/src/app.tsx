import "@mantine/core/styles.css";

import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createRootRoute, createRoute, createRouter, RouterProvider } from "@tanstack/react-router";

import { LiveProvider } from "./api/live";
import { Layout } from "./components/Layout";
import { targetSearch } from "./lib/search";
import { DecisionPage } from "./pages/DecisionPage";
import { FleetPage } from "./pages/FleetPage";
import { TargetPage } from "./pages/TargetPage";
import { theme } from "./theme";

const root = createRootRoute({ component: Layout });
const routes = [
  createRoute({ getParentRoute: () => root, path: "/", component: FleetPage }),
  createRoute({
    getParentRoute: () => root,
    path: "/targets/$namespace/$name",
    component: TargetPage,
    validateSearch: targetSearch,
  }),
  createRoute({ getParentRoute: () => root, path: "/ticks/$id", component: DecisionPage }),
];
const router = createRouter({ routeTree: root.addChildren(routes), defaultPreload: "intent" });

const queries = new QueryClient({ defaultOptions: { queries: { retry: 1, staleTime: 1000, refetchOnWindowFocus: true } } });

export function App() {
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto">
      <QueryClientProvider client={queries}>
        <LiveProvider>
          <RouterProvider router={router} />
        </LiveProvider>
      </QueryClientProvider>
    </MantineProvider>
  );
}
