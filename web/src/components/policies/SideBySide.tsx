import { Paper, Text } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { Fragment, useMemo, useState } from "react";

import "./policies.css";
import { type Line, type Row, sideBySide, stacked } from "../../lib/sideBySide";

/** Everything, unfolded. */
const ALL = 1_000_000;

type Props = { before: string; after: string; names: [string, string] };

/** Two texts beside one another: what went left, what came right; signs beside the colours tell them apart too. */
export function SideBySide({ before, after, names }: Props) {
  const [whole, setWhole] = useState(false);
  const rows = useMemo(() => sideBySide(before, after, whole ? ALL : 4), [before, after, whole]);
  // Two columns need room; below it they are shown as one.
  const narrow = useMediaQuery("(max-width: 760px)") === true;
  if (before === after) {
    return (
      <Text size="sm" c="dimmed">
        {names[0]} and {names[1]} say the same.
      </Text>
    );
  }
  return (
    <Paper withBorder style={{ overflowX: "auto" }} tabIndex={0} role="region" aria-label={`${names[0]} beside ${names[1]}`}>
      <table className="side-by-side" data-testid="diff">
        <colgroup>
          {(narrow ? [0] : [0, 1]).map((side) => (
            <Fragment key={side}>
              <col style={{ width: 40 }} />
              <col style={{ width: 18 }} />
              <col />
            </Fragment>
          ))}
        </colgroup>
        <thead>
          <tr>
            {(narrow ? [`− ${names[0]}, + ${names[1]}`] : names).map((name) => (
              <th key={name} colSpan={3} scope="colgroup">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {(narrow ? stacked(rows) : rows).map((row, place) => (
            <OneRow key={place} row={row} narrow={narrow} show={() => setWhole(true)} />
          ))}
        </tbody>
      </table>
    </Paper>
  );
}

function OneRow({ row, narrow, show }: { row: Row; narrow: boolean; show: () => void }) {
  if (row.kind === "gap") {
    return (
      <tr className="gap">
        <td colSpan={narrow ? 3 : 6}>
          <button type="button" onClick={show} style={{ all: "unset", cursor: "pointer", textDecoration: "underline" }} className="unfold">
            {row.lines} lines are the same: show them
          </button>
        </td>
      </tr>
    );
  }
  return (
    <tr className={row.kind}>
      {(!narrow || (row.kind === "changed" && row.left)) && <Cells line={row.left} kind={row.kind} side="gone" />}
      {(!narrow || row.kind === "same" || row.right) && <Cells line={row.right} kind={row.kind} side="come" />}
    </tr>
  );
}

function Cells({ line, kind, side }: { line: Line | null; kind: "same" | "changed"; side: "gone" | "come" }) {
  if (line === null) return <td colSpan={3} className="none" aria-label="nothing" />;
  const colour = kind === "changed" ? side : "";
  return (
    <>
      <td className={`number ${colour}`}>{line.number}</td>
      <td className={`sign ${colour}`}>{kind === "same" ? "" : side === "gone" ? "−" : "+"}</td>
      <td className={colour}>
        {line.pieces.map((piece, place) => (piece.changed ? <mark key={place}>{piece.text}</mark> : <Fragment key={place}>{piece.text}</Fragment>))}
      </td>
    </>
  );
}
