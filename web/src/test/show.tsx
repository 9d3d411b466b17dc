import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { type AnyRoute, createMemoryHistory, createRootRoute, createRouter, RouterProvider } from "@tanstack/react-router";
import { act, render } from "@testing-library/react";
import type { ReactNode } from "react";

/** A page within everything that it needs but the network. */
export function show(page: ReactNode, path = "/") {
  return showRoutes(createRootRoute({ component: () => page }), path);
}

/** Routes, at a path, within everything that they need but the network. Transitions are off: what is closed is gone at once. */
export async function showRoutes(routeTree: AnyRoute, path: string) {
  const router = createRouter({ routeTree, history: createMemoryHistory({ initialEntries: [path] }) });
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  await act(async () => {
    render(
      <MantineProvider env="test">
        <QueryClientProvider client={queries}>
          <RouterProvider router={router as never} />
        </QueryClientProvider>
      </MantineProvider>,
    );
  });
  return router;
}
