import { type Document, isMap, isNode, isSeq, LineCounter, parse, parseDocument, stringify, visit } from "yaml";

import type { Spec } from "../api/policies";
import { ordered } from "./spec";

/** YAML as people write it: their order of fields, no anchors. */
export const toYaml = (value: unknown): string => stringify(ordered(value), { lineWidth: 100, aliasDuplicateObjects: false });

/** A text of the API in people's order of fields. */
export const tidied = (text: string): string => toYaml(parse(text));

/** A fault, from character `from` up to `to`, on line `line` (1 is the first). */
export type Fault = { from: number; to: number; line: number; message: string };

export type Read = { spec: Spec | null; name: string | null; namespace: string | null; faults: Fault[]; document: Document.Parsed; lines: LineCounter; prefix: string[] };

/** The spec that a text says: the spec itself, or a whole InferenceAutoscaler whose spec it is. */
export function read(text: string): Read {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const nothing = { spec: null, name: null, namespace: null, document, lines, prefix: [] };
  const faults = faultsOf(document, lines);
  if (faults.length > 0) return { ...nothing, faults };
  const value: unknown = document.toJS();
  if (!isFields(value)) return { ...nothing, faults: [{ from: 0, to: text.length, line: 1, message: "must be fields and their values, as `spec` of an InferenceAutoscaler" }] };
  if (value.kind !== "InferenceAutoscaler") return { ...nothing, faults, spec: value };
  const metadata = isFields(value.metadata) ? value.metadata : {};
  const named = (part: unknown) => (typeof part === "string" ? part : null);
  const spec = isFields(value.spec) ? value.spec : {};
  return { ...nothing, faults, spec, name: named(metadata.name), namespace: named(metadata.namespace), prefix: ["spec"] };
}

const isFields = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

/** What is no YAML, and aliases, which the API refuses: a few lines of them can stand for gigabytes. */
function faultsOf(document: Document.Parsed, lines: LineCounter): Fault[] {
  const found = document.errors.map(({ pos, message }) => fault(lines, pos[0], pos[1], message));
  visit(document, {
    Alias: (_key, node) => void found.push(fault(lines, node.range?.[0] ?? 0, node.range?.[1] ?? 1, "aliases are not allowed: write it out")),
  });
  return found;
}

const fault = (lines: LineCounter, from: number, to: number, message: string): Fault => ({ from, to: Math.max(to, from + 1), line: lines.linePos(from).line, message });

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
  return fault(found.lines, from, to, message);
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
