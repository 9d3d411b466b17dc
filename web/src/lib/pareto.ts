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

export type Spot = { x: number; y: number; width: number };
export type Label = { x: number; y: number; anchor: "start" | "end" | "middle" };
type Box = { left: number; right: number; top: number; bottom: number };

const HEIGHT = 14;
const GAP = 11;

const boxOf = ({ x, y, anchor }: Label, width: number): Box => {
  const left = anchor === "start" ? x : anchor === "end" ? x - width : x - width / 2;
  return { left, right: left + width, top: y - HEIGHT + 3, bottom: y + 3 };
};

const overlap = (a: Box, b: Box) =>
  Math.max(0, Math.min(a.right, b.right) - Math.max(a.left, b.left)) * Math.max(0, Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));

/** Beside, above or below its point, where it hides the least of what is there already and stays inside. */
export function placed(spots: Spot[], inside: { width: number; height: number }): Label[] {
  const taken: Box[] = spots.map(({ x, y }) => ({ left: x - 7, right: x + 7, top: y - 7, bottom: y + 7 }));
  return spots.map(({ x, y, width }, own) => {
    const tries: Label[] = [
      { x: x + GAP, y: y + 4, anchor: "start" },
      { x: x - GAP, y: y + 4, anchor: "end" },
      { x, y: y - GAP, anchor: "middle" },
      { x, y: y + GAP + 9, anchor: "middle" },
      { x: x + GAP, y: y - 9, anchor: "start" },
      { x: x + GAP, y: y + 17, anchor: "start" },
      { x: x - GAP, y: y - 9, anchor: "end" },
      { x: x - GAP, y: y + 17, anchor: "end" },
    ];
    const costs = tries.map((label) => {
      const box = boxOf(label, width);
      const outside = Math.max(0, -box.left) + Math.max(0, box.right - inside.width) + Math.max(0, -box.top) + Math.max(0, box.bottom - inside.height);
      return outside * 100 + taken.reduce((sum, other, i) => sum + (i === own ? 0 : overlap(box, other)), 0);
    });
    const best = tries[costs.indexOf(Math.min(...costs))] as Label;
    taken.push(boxOf(best, width));
    return best;
  });
}
