/** Cost against attainment: which ways are worth a look, and where their names go. */
export type Point = { key: string; name: string; usd: number; attainment: number };

/** Those that no other beats in both, cheapest first. */
export function frontier(points: Point[]): Point[] {
  const beaten = (one: Point) =>
    points.some((other) => other.usd <= one.usd && other.attainment >= one.attainment && (other.usd < one.usd || other.attainment > one.attainment));
  return points.filter((one) => !beaten(one)).sort((a, b) => a.usd - b.usd || b.attainment - a.attainment);
}

/** A range around values with some air; never empty. */
export function ranged(values: number[], least: number, floor = -Infinity, ceiling = Infinity): [number, number] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const air = Math.max((high - low) * 0.15, least);
  return [Math.max(floor, low - air), Math.min(ceiling, high + air)];
}

/** Round numbers within a range, about `count` of them. */
export function ticks([low, high]: [number, number], count: number): number[] {
  const raw = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = ([1, 2, 5, 10].find((times) => times * power >= raw) ?? 10) * power;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => (first + i) * step);
}

/** Names for a place on the plot, one a line. */
export type Spot = { x: number; y: number; names: string[] };
/** `y` is the first line's. */
export type Label = { x: number; y: number; anchor: "start" | "end" | "middle" };
export type Box = { left: number; right: number; top: number; bottom: number };

/** Pixels of a line of names, of a letter of them, and between a mark and its names. */
export const LINE = 14;
const LETTER = 6.7;
const GAP = 11;
/** Marks that are closer than this share one list of names. */
const NEAR = 9;

/** Marks that lie on one another become one spot with all their names. */
export function spotsOf(marks: { x: number; y: number; name: string }[]): Spot[] {
  const spots: Spot[] = [];
  for (const { x, y, name } of marks) {
    const near = spots.find((spot) => Math.hypot(spot.x - x, spot.y - y) < NEAR);
    if (near) near.names.push(name);
    else spots.push({ x, y, names: [name] });
  }
  return spots;
}

export function boxOf({ x, y, anchor }: Label, names: string[]): Box {
  const width = Math.max(...names.map((name) => name.length)) * LETTER;
  const left = anchor === "start" ? x : anchor === "end" ? x - width : x - width / 2;
  return { left, right: left + width, top: y - LINE + 3, bottom: y + 3 + (names.length - 1) * LINE };
}

const overlap = (a: Box, b: Box) =>
  Math.max(0, Math.min(a.right, b.right) - Math.max(a.left, b.left)) * Math.max(0, Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));

/** Beside, above or below its mark, where it hides the least of what is there already and stays inside. */
export function placed(spots: Spot[], inside: { width: number; height: number }, written: Box[] = []): Label[] {
  const taken: Box[] = [...spots.map(({ x, y }) => ({ left: x - 7, right: x + 7, top: y - 7, bottom: y + 7 })), ...written];
  return spots.map(({ x, y, names }, own) => {
    const costs = tries(x, y, (names.length - 1) * LINE).map((label) => {
      const box = boxOf(label, names);
      const outside = Math.max(0, -box.left) + Math.max(0, box.right - inside.width) + Math.max(0, -box.top) + Math.max(0, box.bottom - inside.height);
      return { label, cost: outside * 100 + taken.reduce((sum, other, i) => sum + (i === own ? 0 : overlap(box, other)), 0) };
    });
    const best = costs.reduce((a, b) => (b.cost < a.cost ? b : a)).label;
    taken.push(boxOf(best, names));
    return best;
  });
}

/** Where names may go, the best first; `more` is the height of the lines after the first. */
function tries(x: number, y: number, more: number): Label[] {
  const [above, below] = [y - GAP - more, y + GAP + 9];
  return [
    { x: x + GAP, y: y + 4 - more / 2, anchor: "start" },
    { x: x - GAP, y: y + 4 - more / 2, anchor: "end" },
    { x, y: above, anchor: "middle" },
    { x, y: below, anchor: "middle" },
    { x: x + GAP, y: above + 4, anchor: "start" },
    { x: x + GAP, y: below - 4, anchor: "start" },
    { x: x - GAP, y: above + 4, anchor: "end" },
    { x: x - GAP, y: below - 4, anchor: "end" },
    { x: x - GAP, y: below + 12, anchor: "end" },
    { x: x + GAP, y: below + 12, anchor: "start" },
  ];
}
