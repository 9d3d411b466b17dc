import { diffArrays, diffWordsWithSpace } from "diff";

export type Piece = { text: string; changed: boolean };
export type Line = { number: number; pieces: Piece[] };
/** One line of both sides; null where a side has none. A gap stands for lines that are the same and not shown. */
export type Row = { kind: "same" | "changed"; left: Line | null; right: Line | null } | { kind: "gap"; lines: number };

/** Two texts beside one another, line by line; what changed within a line is marked. `context` lines stay around a change. */
export function sideBySide(before: string, after: string, context = 4): Row[] {
  return folded(rows(linesOf(before), linesOf(after)), context);
}

const linesOf = (text: string) => text.replace(/\n$/, "").split("\n");
const whole = (number: number, text: string): Line => ({ number, pieces: [{ text, changed: false }] });

function rows(before: string[], after: string[]): Row[] {
  const made: Row[] = [];
  let [left, right] = [0, 0];
  const parts = diffArrays(before, after);
  for (let place = 0; place < parts.length; place++) {
    const part = parts[place]!;
    if (!part.added && !part.removed) {
      for (const text of part.value) made.push({ kind: "same", left: whole(++left, text), right: whole(++right, text) });
      continue;
    }
    const following = parts[place + 1];
    const paired = part.removed && following?.added ? following.value : [];
    if (paired.length > 0) place++;
    const [gone, come] = part.removed ? [part.value, paired] : [[], part.value];
    for (let n = 0; n < Math.max(gone.length, come.length); n++) {
      const [old, fresh] = [gone[n], come[n]];
      const [one, other] = old !== undefined && fresh !== undefined ? words(old, fresh) : [undefined, undefined];
      made.push({
        kind: "changed",
        left: old === undefined ? null : { number: ++left, pieces: one ?? [{ text: old, changed: true }] },
        right: fresh === undefined ? null : { number: ++right, pieces: other ?? [{ text: fresh, changed: true }] },
      });
    }
  }
  return made;
}

/** The pieces of a line that was changed, on both sides. */
function words(before: string, after: string): [Piece[], Piece[]] {
  const parts = diffWordsWithSpace(before, after);
  const side = (not: "added" | "removed") => parts.filter((one) => !one[not]).map((one) => ({ text: one.value, changed: Boolean(one.added || one.removed) }));
  return [side("added"), side("removed")];
}

/** The same rows one under the other, for narrow screens: of each change first what went, then what came. */
export function stacked(rows: Row[]): Row[] {
  const made: Row[] = [];
  let come: Row[] = [];
  for (const row of rows) {
    if (row.kind !== "changed") {
      made.push(...come, row);
      come = [];
      continue;
    }
    if (row.left) made.push({ ...row, right: null });
    if (row.right) come.push({ ...row, left: null });
  }
  return [...made, ...come];
}

/** With long stretches of the same folded into one row. */
function folded(all: Row[], context: number): Row[] {
  const near = all.map((_, place) => all.slice(Math.max(0, place - context), place + context + 1).some((row) => row.kind === "changed"));
  const made: Row[] = [];
  let hidden: Row[] = [];
  const flush = () => {
    // A fold of one or two lines saves no room.
    if (hidden.length > 2) made.push({ kind: "gap", lines: hidden.length });
    else made.push(...hidden);
    hidden = [];
  };
  all.forEach((row, place) => {
    if (near[place]) {
      flush();
      made.push(row);
    } else hidden.push(row);
  });
  flush();
  return made;
}
