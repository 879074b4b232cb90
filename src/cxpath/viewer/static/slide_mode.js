/** The slide itself: choosing and correcting cells, layers, regions. Also the ground that the fields queue works on. */

import { announce, byId, counted, refill } from "./dom.js";
import { CLASS_NAMES, EDITED, NOT_A_CELL, STAINED } from "./cells.js";
import { DrawingTools, TOOLS } from "./drawing_tools.js";
import { MARK_UM } from "./marks.js";
import { Overlay } from "./overlay.js";
import { orNull, review } from "./review.js";
import { read } from "./server.js";
import { cellCard, slidePanel } from "./slide_panel.js";
import { SlideView } from "./slide_view.js";

const REACH_PX = 14;
const DRAW_HINT = "draw an outline, or arrows and Enter for corners, C to close. Esc puts the tool away.";
const TOOL_HINTS = { add: "click where the cell is, or Enter for the middle of the view. Esc puts the tool away." };

export class SlideMode {
  constructor(host, panel) {
    this.panel = panel;
    this.overlay = new Overlay();
    this.view = new SlideView(host, review.slide);
    this.view.painters.push(this.overlay.paint);
    this.view.onClick = ([x, y], event) => this.#click(x, y, event);
    this.view.listeners.push((view) => this.#noteView(view));
    this.tools = new DrawingTools(this.view, this.overlay, {
      onDone: (tool, points) => this.#drawn(tool, points),
      onTool: (tool) => this.#toolTaken(tool),
    });
    this.cell = -1;
    this.chosen = [];
    this.advance = true;
    this.newCell = { class: "tumour", stained: false };
    this.view.setCells(review.cells);
    review.on("cells", (changed) => this.#cellsChanged(changed));
    review.on("decided", ({ item }) => this.#refreshLayers(item));
    this.loadLayers();
  }

  enter() {
    this.shown = true;
    this.renderPanel();
    this.view.redraw();
  }

  leave() {
    this.shown = false;
    if (this.tools.tool !== "pan") this.tools.cancel();
  }

  async loadLayers() {
    const [tissue, regions] = await Promise.all([read("/api/layers/tissue"), read("/api/regions")].map((one) => orNull(one)));
    this.overlay.tissue = tissue;
    this.overlay.regions = regions?.regions ?? [];
    this.view.redraw();
    if (this.shown) this.renderPanel();
  }

  /** Fetch again what a decision may have changed. */
  async #refreshLayers(item) {
    if (item?.path.startsWith("/api/audit")) return;
    this.heatIsOld = true;
    if (this.overlay.show.heat) this.loadHeat();
    if (item && !/regions|undo/.test(item.path)) return;
    const regions = await orNull(read("/api/regions"));
    if (!regions || JSON.stringify(regions.regions) === JSON.stringify(this.overlay.regions)) return;
    this.overlay.regions = regions.regions;
    this.view.redraw();
    if (this.shown) this.renderPanel();
  }

  async loadHeat() {
    this.heatIsOld = false;
    this.overlay.heat = await orNull(read("/api/layers/heatmap"));
    this.view.redraw();
  }

  #cellsChanged(changed) {
    if (changed === null) {
      this.view.setCells(review.cells);
      review.cells.choose(this.chosen);
    }
    this.view.updateCells();
    this.renderCell();
  }

  #toolTaken(tool) {
    const note = byId("tool-note");
    note.hidden = tool === "pan";
    note.textContent = `${TOOLS[tool].label}: ${TOOL_HINTS[tool] ?? DRAW_HINT}`;
    if (this.shown) this.renderPanel();
  }

  // Choosing.

  #click(x, y, event) {
    const reach = Math.max(REACH_PX / this.view.scale, MARK_UM / 2 / review.slide.mpp);
    const id = review.cells.nearest(x, y, reach);
    if (id < 0 || this.view.showsDensity) {
      this.chooseNone();
      return;
    }
    if (event.shiftKey) this.choose([...new Set([...this.chosen, id])]);
    else this.take(id, { move: false });
  }

  /** Take one cell: keys speak about it. */
  take(id, { move = true } = {}) {
    this.cell = id;
    this.chosen = [];
    review.cells.choose([]);
    const place = [review.cells.x[id], review.cells.y[id]];
    this.overlay.cell = place;
    if (move) this.view.reveal(...place);
    this.view.updateCells({ counts: false });
    this.renderCell();
    announce(`Cell ${id}: ${review.cells.wordsOf(id)}`);
  }

  /** Choose many cells. */
  choose(ids) {
    this.cell = -1;
    this.overlay.cell = null;
    this.chosen = ids.filter((id) => review.cells.isOpen(id));
    review.cells.choose(this.chosen);
    this.view.updateCells({ counts: false });
    this.renderCell();
    announce(`${counted(this.chosen.length, "cell")} chosen. 1 to 4 give a class, P the staining.`);
  }

  chooseNone() {
    this.cell = -1;
    this.overlay.cell = null;
    this.choose([]);
  }

  /** The cells that the next key decides about. */
  get targets() {
    if (this.chosen.length) return this.chosen;
    return this.cell >= 0 ? [this.cell] : [];
  }

  /** Ids through which [ and ] go; the fields queue sets its own. */
  order = null;

  step(by) {
    const { cells } = review;
    if (this.order?.length) {
      const at = this.order.indexOf(this.cell);
      const next = at < 0 ? (by > 0 ? 0 : this.order.length - 1) : at + by;
      if (next >= 0 && next < this.order.length) this.take(this.order[next]);
      else announce(by > 0 ? "That was the last cell" : "That was the first cell");
      return;
    }
    let id = this.cell < 0 ? this.#nearestToCentre() - by : this.cell;
    do id += by;
    while (id >= 0 && id < cells.count && (!cells.isOpen(id) || cells.kind[id] === NOT_A_CELL));
    if (id >= 0 && id < cells.count) this.take(id);
  }

  #nearestToCentre() {
    const [x, y] = this.view.centre;
    const { left, right } = this.view.box;
    return Math.max(review.cells.nearest(x, y, (right - left) / 2), 0);
  }

  // Deciding.

  /** Give the targets a class. */
  setClass(name) {
    this.#edit({ class: name });
  }

  toggleStained() {
    this.#edit({ toggle_stained: true }, { advance: false });
  }

  /** Accept what is shown: the person answers for the call from now on. */
  accept() {
    const { cells } = review;
    if (this.cell < 0) {
      this.step(1);
      return;
    }
    if (!cells.isOpen(this.cell)) return;
    this.#edit({ class: CLASS_NAMES[cells.kind[this.cell]], stained: cells.isStained(this.cell) });
  }

  #edit(change, { advance = this.advance } = {}) {
    const ids = this.targets.filter((id) => review.cells.isOpen(id));
    if (!ids.length) {
      const said = this.targets.length
        ? "This cell is in the audit: its call stays hidden until it is answered there."
        : "No cell is chosen: click on one, press ], or draw a lasso with L.";
      review.tell("message", { sentence: said, kind: "note" });
      return;
    }
    const many = this.chosen.length > 0;
    review.decide("/api/edit", { ids, ...change });
    this.#showAtOnce(ids, change);
    if (many) this.chooseNone();
    else if (advance) this.step(1);
    else this.renderCell();
  }

  /** Show an edit before the server has confirmed it; its answer replaces this. */
  #showAtOnce(ids, change) {
    const { cells } = review;
    for (const id of ids) {
      if (change.class) cells.kind[id] = CLASS_NAMES.indexOf(change.class);
      if (change.toggle_stained) cells.flags[id] ^= STAINED;
      if (change.stained !== undefined)
        cells.flags[id] = change.stained ? cells.flags[id] | STAINED : cells.flags[id] & ~STAINED;
      cells.flags[id] |= EDITED;
    }
    this.view.updateCells();
  }

  #drawn(tool, points) {
    if (tool === "lasso") {
      this.tools.use("pan");
      this.choose(review.cells.within(points));
    } else if (tool === "add") {
      const [[x_px, y_px]] = points;
      review.decide("/api/add", { x_px, y_px, ...this.newCell });
    } else {
      this.tools.use("pan");
      this.addRegion(tool, points);
    }
  }

  addRegion(use, points) {
    review.decide("/api/regions/add", { use, points: simplified(points, 2 / this.view.scale) });
  }

  handlers = {
    1: () => this.setClass("tumour"),
    2: () => this.setClass("immune"),
    3: () => this.setClass("other"),
    4: () => this.setClass("not a cell"),
    p: () => this.toggleStained(),
    " ": () => this.accept(),
    "[": () => this.step(-1),
    "]": () => this.step(1),
    "+": () => this.view.zoom(1),
    "=": () => this.view.zoom(1),
    "-": () => this.view.zoom(-1),
    0: () => this.view.home(),
    arrowleft: () => this.view.pan(-1, 0),
    arrowright: () => this.view.pan(1, 0),
    arrowup: () => this.view.pan(0, -1),
    arrowdown: () => this.view.pan(0, 1),
    "shift+arrowleft": () => this.view.pan(-0.15, 0),
    "shift+arrowright": () => this.view.pan(0.15, 0),
    "shift+arrowup": () => this.view.pan(0, -0.15),
    "shift+arrowdown": () => this.view.pan(0, 0.15),
    enter: () => this.tools.tool !== "pan" && this.tools.corner(),
    c: () => this.tools.tool !== "pan" && this.tools.corner({ close: true }),
    backspace: () => this.tools.tool !== "pan" && this.tools.dropCorner(),
    escape: () => (this.tools.tool === "pan" ? this.chooseNone() : this.tools.cancel()),
    ...Object.fromEntries(
      Object.entries(TOOLS).map(([tool, { key }]) => [
        key.toLowerCase(),
        () => this.tools.use(this.tools.tool === tool ? "pan" : tool),
      ]),
    ),
  };

  hideMarks(hidden) {
    this.view.hideMarks(hidden);
  }

  // The panel.

  renderPanel() {
    refill(this.panel, ...slidePanel(this));
    this.renderCell();
  }

  renderCell() {
    const card = byId("cell-card");
    if (card) refill(card, ...cellCard(this));
  }

  #noteView(view) {
    const note = byId("view-note");
    note.hidden = !(view.showsDensity && view.densityShown && !view.marksHidden);
    byId("zoom").textContent = `${view.pxPerUm >= 1 ? view.pxPerUm.toFixed(1) : view.pxPerUm.toFixed(2)} px/µm`;
  }
}

/** Leave out points nearer than this to the one before: a hand draws more than an outline needs. */
function simplified(points, least) {
  const kept = [points[0]];
  for (const point of points.slice(1))
    if (Math.hypot(point[0] - kept.at(-1)[0], point[1] - kept.at(-1)[1]) >= least) kept.push(point);
  return kept.length >= 3 ? kept : points;
}
