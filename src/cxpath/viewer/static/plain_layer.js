/** Outlines of cells on a plain canvas: for browsers without WebGL2. Same marks, fewer at a time. */

import { EDITED, NEVER_COUNTED, NOT_A_CELL, OTHER, OUTSIDE } from "./cells.js";
import { COLOURS, colourOf, css, outline, styleOf } from "./marks.js";

export class PlainLayer {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
  }

  load(cells) {
    this.cells = cells;
  }

  update() {}

  clear() {
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
  }

  draw({ box, scale, diameter, line, wash, shown }) {
    this.clear();
    const paths = new Map();
    let handed = 0;
    for (const id of this.cells.inside(box)) {
      const [kind, stained] = [this.cells.kind[id], this.cells.isStained(id)];
      if (!((shown >> styleOf(kind, stained)) & 1) && !this.cells.chosen[id]) continue;
      handed += 1;
      this.#collect(paths, id, box, scale, diameter / 2);
    }
    for (const { kind, stained, faint, path } of paths.values())
      this.#stroke(new Path2D(path.join("")), kind, stained, faint, line, wash);
    return handed;
  }

  #collect(paths, id, box, scale, radius) {
    const { cells } = this;
    const [kind, stained] = [cells.kind[id], cells.isStained(id)];
    const faint = (cells.flags[id] & (OUTSIDE | NEVER_COUNTED)) !== 0;
    const key = `${styleOf(kind, stained)} ${faint}`;
    if (!paths.has(key)) paths.set(key, { kind, stained, faint, path: [] });
    const [x, y] = [(cells.x[id] - box.left) * scale, (cells.y[id] - box.top) * scale];
    const { path } = paths.get(key);
    path.push(outline(kind, x, y, radius));
    if (cells.flags[id] & EDITED && kind !== NOT_A_CELL) path.push(outline(kind, x, y, radius * 1.45));
    if (cells.chosen[id]) path.push(`M${x - radius * 1.5} ${y - radius * 1.5}h${radius * 3}v${radius * 3}h${-radius * 3}Z`);
  }

  #stroke(path, kind, stained, faint, line, wash) {
    const { context } = this;
    context.globalAlpha = faint ? 0.4 : 1;
    context.strokeStyle = css(COLOURS.casing, 0.85);
    context.lineWidth = (stained ? 1.7 : 1) * line + 1.3 * line;
    context.stroke(path);
    context.fillStyle = css(COLOURS.stained, stained && kind < OTHER ? wash : 0);
    context.fill(path);
    context.strokeStyle = css(colourOf(kind, stained));
    context.lineWidth = (stained ? 1.7 : 1) * line;
    context.stroke(path);
    context.globalAlpha = 1;
  }
}
