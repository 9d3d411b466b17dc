import type uPlot from "uplot";

import type { Mark } from "../../lib/series";

/** The limit: a dotted line across. */
export function drawLimit(u: uPlot, value: number, ink: string) {
  const y = u.valToPos(value, "y", true);
  stroke(u, ink, [3, 4], [u.bbox.left, y], [u.bbox.left + u.bbox.width, y]);
}

/** Up and down: triangles at the top, told apart by where they point. */
export function drawMarks(u: uPlot, marks: Mark[], palette: string[]) {
  for (const mark of marks) {
    const x = u.valToPos(mark.at, "x", true);
    if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) continue;
    const colour = palette[mark.verdict === "up" ? 1 : 2] as string;
    const size = 5 * devicePixelRatio;
    const [tip, foot] = mark.verdict === "up" ? [u.bbox.top, u.bbox.top + size * 1.6] : [u.bbox.top + size * 1.6, u.bbox.top];
    u.ctx.save();
    u.ctx.fillStyle = colour;
    u.ctx.beginPath();
    u.ctx.moveTo(x, tip);
    u.ctx.lineTo(x - size, foot);
    u.ctx.lineTo(x + size, foot);
    u.ctx.fill();
    u.ctx.restore();
  }
}

function stroke(u: uPlot, colour: string, dash: number[], from: [number, number], to: [number, number]) {
  u.ctx.save();
  u.ctx.strokeStyle = colour;
  u.ctx.setLineDash(dash);
  u.ctx.beginPath();
  u.ctx.moveTo(...from);
  u.ctx.lineTo(...to);
  u.ctx.stroke();
  u.ctx.restore();
}
