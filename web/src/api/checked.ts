import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";

import { type Fault, faultAt, read } from "../lib/specYaml";
import { type DryRun, type Spec, validate } from "./policies";

/** What is known of a text: its faults with their lines; `fresh` once the API has looked at just this text. */
export type Checked = { spec: Spec | null; faults: Fault[]; elsewhere: string | null; answer: DryRun | null; fresh: boolean; error: Error | null };

const SETTLED_MS = 400;

/** The text is read here, and what it means is looked at by the API once nobody types any more. */
export function useChecked(text: string, name: string, namespaces: string[]): Checked {
  const found = useMemo(() => read(text), [text]);
  const asked = useMemo(() => ({ text, name, namespaces }), [text, name, namespaces.join(" ")]);
  const [settled] = useDebouncedValue(asked, SETTLED_MS);
  const settledSpec = useMemo(() => read(settled.text).spec, [settled]);
  const query = useQuery({
    queryKey: ["policies", "validate", settled.text, settled.name, settled.namespaces.join(" ")],
    enabled: settledSpec !== null && settled.name !== "" && settled.namespaces.length > 0,
    staleTime: 10_000,
    retry: false,
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => validate(settled.name, settled.namespaces, settledSpec as Spec, signal),
  });
  const fresh = settled === asked && query.data !== undefined && !query.isPlaceholderData && found.spec !== null;
  const answer = found.spec === null ? null : (query.data ?? null);
  const refused = answer !== null && !answer.valid && fresh;
  const inText = refused && (answer.field ?? "").startsWith("spec");
  const faults = found.faults.length > 0 ? found.faults : inText ? [faultAt(found, answer.field ?? "spec", `${answer.field}: ${answer.message}`)] : [];
  const elsewhere = refused && !inText ? [answer.field, answer.message].filter(Boolean).join(": ") : null;
  return { spec: found.spec, faults, elsewhere, answer, fresh, error: query.error };
}
