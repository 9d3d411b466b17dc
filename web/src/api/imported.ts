import { useMutation } from "@tanstack/react-query";

import { ApiProblem, client, unwrap } from "./client";
import type { Spec } from "./policies";

export type ImportIn = { manifest: string; namespace: string; model?: string; accelerator?: string };
export type Imported = {
  kind: string;
  policy: { name: string; namespaces: string[]; spec: Spec; reason: string };
  notes: string[];
  valid: boolean;
  field: string | null;
  message: string | null;
};

const PATH = "/api/v1/policies/import";

/** Another autoscaler's object as a policy; the API keeps nothing of it. */
export function useImport() {
  return useMutation({
    mutationFn: async (body: ImportIn): Promise<Imported> => {
      // The document that our types come from may be older than the API.
      const post = client.POST as unknown as (path: string, asked: { body: ImportIn }) => Promise<{ data?: Imported; error?: unknown; response: Response }>;
      const answer = await post(PATH, { body });
      if (answer.response.status === 405) throw new ApiProblem("This Tidegate's API cannot import yet; `tidegate import hpa` can.", 405);
      return unwrap(answer);
    },
  });
}
