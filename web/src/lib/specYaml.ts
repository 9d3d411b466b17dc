import { type Document, isMap, isNode, isSeq, LineCounter, parseDocument, stringify } from "yaml";

import type { Spec } from "../api/policies";
import { ordered } from "./spec";

/** YAML as people write it: their order of fields, no anchors. */
export const toYaml = (value: unknown): string => stringify(ordered(value), { lineWidth: 100, aliasDuplicateObjects: false });

/** A fault, from character `from` up to `to`, on line `line` (1 is the first). */
export type Fault = { from: number; to: number; line: number; message: string };

export type Read = { spec: Spec | null; name: string | null; namespace: string | null; faults: Fault[]; document: Document.Parsed; lines: LineCounter; prefix: string[] };

/** The spec that a text says: the spec itself, or a whole InferenceAutoscaler whose spec it is. */
export function read(text: string): Read {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const faults = document.errors.map((error) => ({
    from: error.pos[0],
    to: Math.max(error.pos[1], error.pos[0] + 1),
    line: lines.linePos(error.pos[0]).line,
    message: error.message,
  }));
  const value = faults.length > 0 ? null : (document.toJS({ maxAliasCount: 0 }) as unknown);
  const shared = { document, lines };
  if (faults.length > 0) return { spec: null, name: null, namespace: null, faults, prefix: [], ...shared };
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    const message = "must be fields and their values, as `spec` of an InferenceAutoscaler";
    return { spec: null, name: null, namespace: null, faults: [{ from: 0, to: text.length, line: 1, message }], prefix: [], ...shared };
  }
  const whole = value as { kind?: unknown; spec?: unknown; metadata?: { name?: unknown; namespace?: unknown } };
  if (whole.kind !== "InferenceAutoscaler") return { spec: value as Spec, name: null, namespace: null, faults, prefix: [], ...shared };
  const named = (part: unknown) => (typeof part === "string" ? part : null);
  const spec = typeof whole.spec === "object" && whole.spec !== null ? (whole.spec as Spec) : {};
  return { spec, name: named(whole.metadata?.name), namespace: named(whole.metadata?.namespace), faults, prefix: ["spec"], ...shared };
}

/** `spec.variants[0].maxReplicas` as `["variants", 0, "maxReplicas"]`; fields beside the spec are none of the text's. */
export function pathOf(field: string): (string | number)[] | null {
  if (field !== "spec" && !/^spec[.[]/.test(field)) return null;
  const parts = field.slice("spec".length).match(/\[(\d+)\]|[^.[\]]+/g) ?? [];
  return parts.map((part) => (part.startsWith("[") ? Number(part.slice(1, -1)) : part));
}

/** Where a field that the API names stands in the text; a field that is missing stands where it should be: at what holds it. */
export function faultAt(found: Read, field: string, message: string): Fault {
  const path = [...found.prefix, ...(pathOf(field) ?? [])];
  let [from, to] = [0, Math.max(1, found.lines.lineStarts[1] ?? 1)];
  let node: unknown = found.document.contents;
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find((one) => isNode(one.key) && String((one.key as { value?: unknown }).value) === String(part));
      if (pair === undefined || !isNode(pair.key) || !pair.key.range) break;
      [from, to] = [pair.key.range[0], (isNode(pair.value) && pair.value.range ? pair.value.range : pair.key.range)[1]];
      node = pair.value;
    } else if (isSeq(node) && typeof part === "number") {
      const item = node.items[part];
      if (!isNode(item) || !item.range) break;
      [from, to] = [item.range[0], item.range[1]];
      node = item;
    } else break;
  }
  return { from, to: Math.max(to, from + 1), line: found.lines.linePos(from).line, message };
}

/** The text with one field set, or without it where `value` is undefined; comments and the rest stay as they are. */
export function withField(text: string, path: (string | number)[], value: unknown): string {
  const found = read(text);
  if (found.faults.length > 0) return text;
  const full = [...found.prefix, ...path];
  if (found.document.contents === null) found.document.contents = found.document.createNode({}) as never;
  if (value === undefined) found.document.deleteIn(full);
  else found.document.setIn(full, value);
  return found.document.toString({ lineWidth: 100 });
}
