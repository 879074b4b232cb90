/** How densely cells lie, for views in which outlines would touch: every cell counts, none is left out. */

import { HIDDEN, IMMUNE, NOT_A_CELL, TUMOUR } from "./cells.js";

const SMALLEST_BIN_UM = 24;
const MOST_BINS = 1.5e6;
const FULL_SHARE = 0.5;

/** Colours from no stained cell to half of them or more; also the legend's. */
export const FROM = [38, 110, 175];
export const TO = [226, 96, 0];

/**
 * Return the map as a canvas of one pixel a bin, with the bin's side in level-0 pixels.
 * Opacity is the number of tumour and immune cells, colour the share of them that is stained.
 */
export function densityMap(cells, slide) {
  const area = slide.width_px * slide.height_px;
  const side = Math.max(SMALLEST_BIN_UM / slide.mpp, Math.sqrt(area / MOST_BINS));
  const columns = Math.max(1, Math.ceil(slide.width_px / side));
  const rows = Math.max(1, Math.ceil(slide.height_px / side));
  const { all, stained } = binned(cells, side, columns, rows);
  return { canvas: painted(all, stained, columns, rows), side };
}

/** Return cells and stained cells of each bin. */
export function binned(cells, side, columns, rows) {
  const all = new Uint16Array(columns * rows);
  const stained = new Uint16Array(columns * rows);
  for (let id = 0; id < cells.count; id++) {
    const kind = cells.kind[id];
    if (kind === NOT_A_CELL) continue;
    const column = Math.min(Math.max(Math.floor(cells.x[id] / side), 0), columns - 1);
    const bin = column + Math.min(Math.max(Math.floor(cells.y[id] / side), 0), rows - 1) * columns;
    if (kind !== TUMOUR && kind !== IMMUNE && kind !== HIDDEN) continue;
    all[bin] += 1;
    if (kind !== HIDDEN && cells.isStained(id)) stained[bin] += 1;
  }
  return { all, stained };
}

function painted(all, stained, columns, rows) {
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d");
  const picture = context.createImageData(columns, rows);
  const full = Math.max(1, percentile(all, 0.95));
  for (let bin = 0; bin < all.length; bin++) {
    if (!all[bin]) continue;
    const share = Math.min(stained[bin] / all[bin] / FULL_SHARE, 1);
    for (let band = 0; band < 3; band++)
      picture.data[bin * 4 + band] = FROM[band] + (TO[band] - FROM[band]) * share;
    picture.data[bin * 4 + 3] = 60 + 140 * Math.min(all[bin] / full, 1);
  }
  context.putImageData(picture, 0, 0);
  return canvas;
}

/** Return a percentile of the bins that have a cell. */
function percentile(values, share) {
  const histogram = new Uint32Array(65536);
  let filled = 0;
  for (const value of values)
    if (value) {
      histogram[value] += 1;
      filled += 1;
    }
  let [value, below] = [0, 0];
  while (value < 65535 && below < share * filled) below += histogram[++value];
  return value;
}
