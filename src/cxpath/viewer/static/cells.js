/** The cells of the slide in typed arrays, sorted by the squares of a grid: what is in view is found at once. */

export const TUMOUR = 0;
export const IMMUNE = 1;
export const OTHER = 2;
export const NOT_A_CELL = 3;
export const HIDDEN = 255;
export const CLASS_NAMES = ["tumour", "immune", "other", "not a cell"];

export const STAINED = 1;
export const NEAR = 2;
export const EDITED = 8;
export const ADDED = 16;
export const ACCEPTED = 32;
export const OUTSIDE = 64;
export const NEVER_COUNTED = 128;

const MAGIC = "CXCELLS1";
const padded = (bytes) => Math.ceil(bytes / 4) * 4;

export class CellTable {
  /** @param {ArrayBuffer} content of /api/cells.bin */
  constructor(content) {
    const magic = new TextDecoder().decode(new Uint8Array(content, 0, 8));
    if (magic !== MAGIC) throw new Error("The cells are not in the form that this page knows – reload the page");
    const view = new DataView(content);
    const whole = (at) => view.getUint32(at, true);
    const real = (at) => view.getFloat32(at, true);
    this.count = whole(12);
    this.inGrid = whole(16);
    this.columns = whole(20);
    this.rows = whole(24);
    this.side = real(28);
    this.events = whole(32);
    this.#takeArrays(content, whole(8));
    this.chosen = new Uint8Array(this.count);
  }

  #takeArrays(content, header) {
    let at = header;
    const next = (Kind, length) => {
      const array = new Kind(content, at, length);
      at += padded(array.byteLength);
      return array;
    };
    this.offsets = next(Uint32Array, this.columns * this.rows + 1);
    this.x = next(Float32Array, this.count);
    this.y = next(Float32Array, this.count);
    this.kind = next(Uint8Array, this.count);
    this.flags = next(Uint8Array, this.count);
  }

  /**
   * Take over what changed, and make room for cells that were added; returns whether that is all that changed:
   * an answer to a decision says nothing of what another tab decided meanwhile (`since` is unknown then).
   */
  patch({ events, cells }, since = events - 1) {
    const most = cells.reduce((high, [id]) => Math.max(high, id + 1), this.count);
    if (most > this.count) this.#grow(most);
    for (const [id, kind, flags, x, y] of cells) {
      this.kind[id] = kind;
      this.flags[id] = flags;
      this.x[id] = x;
      this.y[id] = y;
    }
    const whole = since <= this.events;
    if (whole) this.events = Math.max(events, this.events);
    return whole;
  }

  #grow(count) {
    for (const name of ["x", "y", "kind", "flags", "chosen"]) {
      const larger = new this[name].constructor(count);
      larger.set(this[name]);
      this[name] = larger;
    }
    this.kind.fill(NOT_A_CELL, this.count);
    this.count = count;
  }

  isStained(id) {
    return (this.flags[id] & STAINED) !== 0;
  }

  /** Whether a cell can be decided about: open questions of the audit cannot. */
  isOpen(id) {
    return this.kind[id] !== HIDDEN;
  }

  /** Return "tumour, stained": in words, for tables and for people who do not see the marks. */
  wordsOf(id) {
    if (this.kind[id] === HIDDEN) return "hidden until it is audited";
    const name = CLASS_NAMES[this.kind[id]];
    return this.kind[id] === NOT_A_CELL ? name : `${name}, ${this.isStained(id) ? "stained" : "not stained"}`;
  }

  /** Return [first, count] of the runs of cells whose squares touch a rectangle of level-0 pixels. */
  runsIn({ left, top, right, bottom }) {
    const runs = [];
    const column = (x) => Math.min(Math.max(Math.floor(x / this.side), 0), this.columns - 1);
    const row = (y) => Math.min(Math.max(Math.floor(y / this.side), 0), this.rows - 1);
    for (let r = row(top); r <= row(bottom); r++) {
      const first = this.offsets[column(left) + r * this.columns];
      const last = this.offsets[column(right) + r * this.columns + 1];
      if (last > first) runs.push([first, last - first]);
    }
    if (this.count > this.inGrid) runs.push([this.inGrid, this.count - this.inGrid]);
    return runs;
  }

  /** Yield the cells inside a rectangle of level-0 pixels. */
  *inside(box) {
    for (const [first, count] of this.runsIn(box))
      for (let id = first; id < first + count; id++)
        if (this.x[id] >= box.left && this.x[id] < box.right && this.y[id] >= box.top && this.y[id] < box.bottom)
          yield id;
  }

  /** Return the cell nearest to a place, or -1 when none is within reach. */
  nearest(x, y, reach) {
    let [best, least] = [-1, reach * reach];
    for (const id of this.inside({ left: x - reach, top: y - reach, right: x + reach, bottom: y + reach })) {
      const squared = (this.x[id] - x) ** 2 + (this.y[id] - y) ** 2;
      if (squared <= least) [best, least] = [id, squared];
    }
    return best;
  }

  /** Return the cells inside a polygon that can be decided about. */
  within(points) {
    const xs = points.map(([x]) => x);
    const ys = points.map(([, y]) => y);
    const box = {
      left: Math.min(...xs),
      top: Math.min(...ys),
      right: Math.max(...xs),
      bottom: Math.max(...ys),
    };
    const found = [];
    for (const id of this.inside(box))
      if (this.isOpen(id) && this.kind[id] !== NOT_A_CELL && isInside(points, this.x[id], this.y[id]))
        found.push(id);
    return found;
  }

  /** Choose these cells and no others. */
  choose(ids) {
    this.chosen.fill(0);
    for (const id of ids) this.chosen[id] = 1;
  }
}

/** Whether a place lies inside a polygon, by the crossings of a ray. */
export function isInside(points, x, y) {
  let inside = false;
  for (let i = 0, j = points.length - 1; i < points.length; j = i++) {
    const [xi, yi] = points[i];
    const [xj, yj] = points[j];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}
