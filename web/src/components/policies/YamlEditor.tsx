import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, setDiagnostics } from "@codemirror/lint";
import { EditorState } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useRef } from "react";

import type { Fault } from "../../lib/specYaml";

/** Mantine's colours, so that both schemes are served by one style. */
const look = EditorView.theme({
  "&": { fontSize: "13px", backgroundColor: "var(--mantine-color-body)", color: "var(--mantine-color-text)" },
  "&.cm-focused": { outline: "2px solid var(--mantine-primary-color-filled)", outlineOffset: "-1px" },
  ".cm-scroller": { fontFamily: "var(--mantine-font-family-monospace)", lineHeight: "1.5", minHeight: "280px", maxHeight: "62vh" },
  ".cm-gutters": { backgroundColor: "transparent", color: "var(--mantine-color-dimmed)", borderRight: "1px solid var(--mantine-color-default-border)" },
  ".cm-activeLine": { backgroundColor: "var(--mantine-color-default-hover)" },
  ".cm-cursor": { borderLeftColor: "var(--mantine-color-text)" },
  ".cm-selectionBackground, &.cm-focused .cm-selectionBackground": { background: "light-dark(#c9def2, #274566) !important" },
  ".cm-tooltip": { backgroundColor: "var(--mantine-color-body)", border: "1px solid var(--mantine-color-default-border)", color: "var(--mantine-color-text)" },
});

const ink = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--mantine-color-anchor)" },
  { tag: [tags.string, tags.content], color: "var(--mantine-color-text)" },
  { tag: [tags.comment, tags.meta], color: "var(--mantine-color-dimmed)", fontStyle: "italic" },
  { tag: [tags.number, tags.bool, tags.null], color: "light-dark(#9a3412, #ffb27a)" },
]);

type Props = { value: string; onChange: (text: string) => void; faults: Fault[]; label: string };

/** YAML with line numbers, colours and faults at their lines. Escape, then Tab, leaves it. */
export function YamlEditor({ value, onChange, faults, label }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const heard = useRef(onChange);
  heard.current = onChange;
  useEffect(() => {
    const made = new EditorView({
      parent: place.current ?? undefined,
      state: EditorState.create({
        doc: value,
        extensions: [
          lineNumbers(),
          history(),
          drawSelection(),
          highlightActiveLine(),
          indentOnInput(),
          bracketMatching(),
          indentUnit.of("  "),
          yaml(),
          syntaxHighlighting(ink),
          lintGutter(),
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({ "aria-label": label }),
          keymap.of([...defaultKeymap, ...historyKeymap, indentWithTab]),
          look,
          EditorView.updateListener.of((update) => {
            if (update.docChanged) heard.current(update.state.doc.toString());
          }),
        ],
      }),
    });
    view.current = made;
    return () => made.destroy();
    // The editor holds its own text from here on; what others set comes in by the effect below.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [label]);
  useEffect(() => {
    const now = view.current;
    if (now && now.state.doc.toString() !== value) now.dispatch({ changes: { from: 0, to: now.state.doc.length, insert: value } });
  }, [value]);
  useEffect(() => {
    const now = view.current;
    if (!now) return;
    const end = now.state.doc.length;
    const shown = faults.map(({ from, to, message }) => ({ from: Math.min(from, end), to: Math.min(to, end), severity: "error" as const, message }));
    now.dispatch(setDiagnostics(now.state, shown));
  }, [faults.map(({ from, message }) => `${from} ${message}`).join("\n"), value]);
  return <div ref={place} data-testid="yaml-editor" style={{ border: "1px solid var(--mantine-color-default-border)", borderRadius: 4, overflow: "hidden" }} />;
}
