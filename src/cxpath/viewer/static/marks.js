/**
 * The marks that stand for cells, the same as in report.html: shape is the class (circle, triangle, square),
 * a double line and a light wash is the staining, colour repeats both.
 */

import { drawn } from "./dom.js";
import { HIDDEN, IMMUNE, NOT_A_CELL, OTHER, TUMOUR } from "./cells.js";

/** A cell's mark is this wide on the slide; the membrane lies outside it. */
export const MARK_UM = 10;
export const SMALLEST_PX = 8;
export const LARGEST_PX = 64;

/** Below this magnification outlines would touch: a density map is shown instead of them. */
export const OUTLINES_FROM_PX_PER_UM = 0.55;

export const COLOURS = {
  stained: [224, 102, 0],
  unstained: [0, 104, 172],
  other: [84, 88, 94],
  casing: [255, 255, 255],
};

export const LEGEND = [
  [TUMOUR, true, "Tumour, stained"],
  [TUMOUR, false, "Tumour, not stained"],
  [IMMUNE, true, "Immune, stained"],
  [IMMUNE, false, "Immune, not stained"],
  [OTHER, false, "Other, not counted"],
  [NOT_A_CELL, false, "Not a cell"],
  [HIDDEN, false, "Hidden: in the audit"],
];

/** Return the number of the colour, and of the bit that shows or hides a mark. */
export const styleOf = (kind, stained) =>
  kind === HIDDEN ? 7 : kind === NOT_A_CELL ? 6 : kind * 2 + (stained ? 1 : 0);

export const colourOf = (kind, stained) =>
  kind === TUMOUR || kind === IMMUNE ? (stained ? COLOURS.stained : COLOURS.unstained) : COLOURS.other;

export const css = ([red, green, blue], alpha = 1) => `rgba(${red}, ${green}, ${blue}, ${alpha})`;

/** Return the outline of a class as a path around (x, y), for a canvas or an SVG. */
export function outline(kind, x, y, radius) {
  if (kind === IMMUNE) {
    const [up, down, side] = [y - radius * 1.15, y + radius * 0.75, radius * 1.1];
    return `M${x} ${up}L${x + side} ${down}L${x - side} ${down}Z`;
  }
  if (kind === OTHER) {
    const half = radius * 0.66;
    return `M${x - half} ${y - half}h${2 * half}v${2 * half}h${-2 * half}Z`;
  }
  if (kind === NOT_A_CELL) {
    const reach = radius * 0.6;
    return `M${x - reach} ${y - reach}l${2 * reach} ${2 * reach}M${x + reach} ${y - reach}l${-2 * reach} ${2 * reach}`;
  }
  return `M${x - radius} ${y}a${radius} ${radius} 0 1 0 ${2 * radius} 0a${radius} ${radius} 0 1 0 ${-2 * radius} 0Z`;
}

/** Return the mark of a class as a small picture, for legends and captions. */
export function symbol(kind, stained) {
  const colour = css(colourOf(kind, stained));
  const path = outline(kind, 12, 12, 8);
  const dashed = kind === HIDDEN ? "3 2.4" : null;
  const parts = [
    drawn("path", { d: path, fill: "none", stroke: css(COLOURS.casing), "stroke-width": stained ? 7 : 5 }),
    drawn("path", {
      d: path,
      fill: stained ? css(COLOURS.stained, 0.3) : "none",
      stroke: colour,
      "stroke-width": stained ? 3.4 : 2,
      "stroke-dasharray": dashed,
    }),
  ];
  return drawn("svg", { viewBox: "0 0 24 24", class: "symbol", "aria-hidden": "true" }, ...parts);
}
