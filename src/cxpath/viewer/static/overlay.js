/** What is painted over the slide apart from cells: tissue, heat map, regions, fields, drafts, the chosen cell. */

import { css } from "./marks.js";
import { printedForm } from "./printed.js";

export const USES = {
  include: { label: "Include", colour: [0, 90, 156], dash: [] },
  exclude: { label: "Exclude", colour: [160, 44, 30], dash: [9, 5] },
  "not invasive tumour": { label: "Not invasive tumour", colour: [112, 62, 148], dash: [2, 4] },
};

/** Steps of the heat map: upper ends of the local CPS, and colours from pale to dark. */
export const HEAT_STEPS = [1, 5, 10, 20, 50, Infinity];
export const HEAT_COLOURS = [
  [253, 237, 205],
  [250, 204, 140],
  [240, 158, 84],
  [216, 106, 50],
  [166, 60, 34],
  [98, 24, 24],
];
const HEAT_NUMBERS_FROM_REM = 3.2;

/** The page's unit of length in pixels: what is painted grows with what is written. */
const rem = () => parseFloat(getComputedStyle(document.documentElement).fontSize);

export const heatColour = (cps) => HEAT_COLOURS[HEAT_STEPS.findIndex((step) => cps < step)];

/** Trace closed rings of level-0 points. */
function trace(context, view, rings) {
  context.beginPath();
  for (const ring of rings) {
    ring.forEach(([x, y], place) => context[place ? "lineTo" : "moveTo"](...view.toScreen(x, y)));
    context.closePath();
  }
}

/** Stroke a line that shows on any ground: white below, ink above. */
function cased(context, colour, width, dash = []) {
  context.setLineDash([]);
  context.lineJoin = "round";
  context.strokeStyle = "rgba(255, 255, 255, 0.85)";
  context.lineWidth = width + 2.5;
  context.stroke();
  context.setLineDash(dash);
  context.strokeStyle = css(colour);
  context.lineWidth = width;
  context.stroke();
  context.setLineDash([]);
}

export class Overlay {
  tissue = null;
  heat = null;
  regions = [];
  fields = [];
  field = null;
  draft = null;
  cell = null;
  show = { tissue: true, heat: false, regions: true };

  /** Paint everything on the view's canvas. */
  paint = (context, view) => {
    if (view.marksHidden) return;
    this.rem = rem();
    if (this.show.heat && this.heat) this.#paintHeat(context, view);
    if (this.show.tissue && this.tissue) this.#paintTissue(context, view);
    if (this.show.regions) for (const region of this.regions) this.#paintRegion(context, view, region);
    if (this.field) this.#paintField(context, view, this.field);
    if (this.cell) this.#paintCell(context, view, this.cell);
    if (this.draft) this.#paintDraft(context, view, this.draft);
  };

  #paintTissue(context, view) {
    trace(context, view, [...this.tissue.polygons, ...(this.tissue.holes ?? [])]);
    cased(context, [74, 84, 94], 1.2);
    trace(context, view, this.tissue.scored_regions ?? []);
    cased(context, [0, 90, 156], 1.8, [12, 4]);
  }

  #paintHeat(context, view) {
    const { left_px, top_px, side_px, columns, rows, cps } = this.heat;
    const side = side_px * view.scale;
    context.save();
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.font = `600 ${0.92 * this.rem}px system-ui, sans-serif`;
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) {
        const value = cps[row * columns + column];
        if (value === null) continue;
        const [x, y] = view.toScreen(left_px + column * side_px, top_px + row * side_px);
        if (x > view.host.clientWidth || y > view.host.clientHeight || x + side < 0 || y + side < 0) continue;
        context.fillStyle = css(heatColour(value), 0.55);
        context.fillRect(x, y, side - 1, side - 1);
        if (side >= HEAT_NUMBERS_FROM_REM * this.rem) this.#paintNumber(context, value, x + side / 2, y + side / 2);
      }
    context.restore();
  }

  #paintNumber(context, value, x, y) {
    const text = printedForm(value);
    context.strokeStyle = "rgba(255, 255, 255, 0.9)";
    context.lineWidth = 3;
    context.strokeText(text, x, y);
    context.fillStyle = "#20262c";
    context.fillText(text, x, y);
  }

  #paintRegion(context, view, region) {
    const { colour, dash, label } = USES[region.use];
    trace(context, view, [region.points]);
    if (region.use !== "include") {
      context.fillStyle = css(colour, 0.1);
      context.fill();
    }
    cased(context, colour, 2.4, dash);
    const [x, y] = view.toScreen(...region.points[0]);
    this.#paintLabel(context, `${region.number} ${label}`, x + 6, y - 8);
  }

  #paintLabel(context, text, x, y) {
    context.font = `600 ${0.9 * this.rem}px system-ui, sans-serif`;
    context.textAlign = "left";
    context.textBaseline = "alphabetic";
    context.strokeStyle = "rgba(255, 255, 255, 0.9)";
    context.lineWidth = 4;
    context.strokeText(text, x, y);
    context.fillStyle = "#20262c";
    context.fillText(text, x, y);
  }

  #paintField(context, view, { left_px, top_px, side_px, number, accepted }) {
    const [right, bottom] = [left_px + side_px, top_px + side_px];
    const corners = [
      [left_px, top_px],
      [right, top_px],
      [right, bottom],
      [left_px, bottom],
    ];
    trace(context, view, [corners]);
    cased(context, [32, 38, 44], 1.8, accepted ? [] : [8, 5]);
    const [x, y] = view.toScreen(left_px, top_px);
    this.#paintLabel(context, `Field ${number}${accepted ? " ✓ accepted" : ""}`, x + 2, y - 7);
  }

  /** A cross-hair around the cell that keys speak about, outside its mark. */
  #paintCell(context, view, [x, y]) {
    const [cx, cy] = view.toScreen(x, y);
    const near = Math.max(13, 8.5 * view.pxPerUm);
    context.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(cx + dx * near, cy + dy * near);
      context.lineTo(cx + dx * (near + 13), cy + dy * (near + 13));
    }
    cased(context, [20, 24, 28], 2.2);
  }

  #paintDraft(context, view, { points, tip, colour, closed, aim }) {
    const all = tip ? [...points, tip] : points;
    if (all.length) {
      context.beginPath();
      all.forEach(([x, y], place) => context[place ? "lineTo" : "moveTo"](...view.toScreen(x, y)));
      if (closed) context.closePath();
      cased(context, colour, 2, [6, 4]);
    }
    if (aim) this.#paintCell(context, view, aim);
  }
}
