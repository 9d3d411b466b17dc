import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import type { CatalogSearch } from "../lib/catalogSearch";
import { freshKey } from "../lib/key";
import { client, unwrap } from "./client";
import { LIVE } from "./hooks";
import type { components } from "./schema";

export type VariantPrice = components["schemas"]["VariantOut"];
export type PriceIn = components["schemas"]["AcceleratorPriceIn"];
export type VariantPriceIn = components["schemas"]["VariantPriceIn"];

const CATALOG = "catalog";

export function useAccelerators() {
  return useQuery({
    queryKey: [CATALOG, "accelerators"],
    refetchInterval: 30_000,
    queryFn: async ({ signal }) => unwrap(await client.GET("/api/v1/catalog/accelerators", { signal })),
  });
}

/** The models are those that this version of Tidegate ships. */
export function useModels() {
  return useQuery({
    queryKey: [CATALOG, "models"],
    staleTime: Infinity,
    queryFn: async ({ signal }) => unwrap(await client.GET("/api/v1/catalog/models", { signal })),
  });
}

type Asked = Pick<CatalogSearch, "isl" | "osl" | "ttft" | "tpot">;

/** Where a model fits, and what it carries there. The last answer stays while another is on its way. */
export function useFit(model: string | undefined, { isl, osl, ttft, tpot }: Asked) {
  return useQuery({
    queryKey: [CATALOG, "fit", model, isl, osl, ttft, tpot],
    enabled: model !== undefined,
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => {
      const params = { path: { model: model as string }, query: { isl, osl, ttft, tpot } };
      return unwrap(await client.GET("/api/v1/catalog/models/{model}/fit", { params, signal }));
    },
  });
}

export function useVariantPrices(target: string | undefined) {
  const [namespace = "", name = ""] = (target ?? "").split("/");
  return useQuery({
    queryKey: [CATALOG, "variants", target],
    enabled: target !== undefined,
    queryFn: async ({ signal }) =>
      unwrap(await client.GET("/api/v1/targets/{namespace}/{name}/variants", { params: { path: { namespace, name } }, signal })),
  });
}

/** A write after which prices, and what goes by them, are asked again. */
function useWrite<In, Out>(write: (asked: In) => Promise<Out>) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: write,
    onSettled: () => Promise.all([queries.invalidateQueries({ queryKey: [CATALOG] }), queries.invalidateQueries({ queryKey: [LIVE] })]),
  });
}

const headers = (etag: string) => ({ "if-match": etag, "idempotency-key": freshKey() });

export function useSetAcceleratorPrice() {
  return useWrite(async ({ accelerator, etag, body }: { accelerator: string; etag: string; body: PriceIn }) =>
    unwrap(await client.PUT("/api/v1/catalog/accelerators/{accelerator}/price", { params: { path: { accelerator }, header: headers(etag) }, body })),
  );
}

export function useDropAcceleratorPrice() {
  return useWrite(async ({ accelerator, etag }: { accelerator: string; etag: string }) =>
    unwrap(await client.DELETE("/api/v1/catalog/accelerators/{accelerator}/price", { params: { path: { accelerator }, header: headers(etag) } })),
  );
}

type OfVariant = { target: string; variant: string; etag: string };

const pathOf = ({ target, variant }: OfVariant) => {
  const [namespace = "", name = ""] = target.split("/");
  return { namespace, name, variant };
};

export function useSetVariantPrice() {
  return useWrite(async ({ body, ...one }: OfVariant & { body: VariantPriceIn }) =>
    unwrap(
      await client.PUT("/api/v1/targets/{namespace}/{name}/variants/{variant}/price", {
        params: { path: pathOf(one), header: headers(one.etag) },
        body,
      }),
    ),
  );
}

export function useDropVariantPrice() {
  return useWrite(async (one: OfVariant) =>
    unwrap(
      await client.DELETE("/api/v1/targets/{namespace}/{name}/variants/{variant}/price", { params: { path: pathOf(one), header: headers(one.etag) } }),
    ),
  );
}
