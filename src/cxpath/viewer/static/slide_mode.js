/** The slide itself: choosing and correcting cells, layers, regions. Also the ground that the fields queue works on. */

import { announce, byId, counted, element, keyButton } from "./dom.js";
import { ADDED, CLASS_NAMES, EDITED, NOT_A_CELL, STAINED } from "./cells.js";
import { FROM, TO } from "./density.js";
import { DrawingTools, TOOLS } from "./drawing_tools.js";
import { LEGEND, css, styleOf, symbol } from "./marks.js";
import { HEAT_COLOURS, HEAT_STEPS, Overlay, USES } from "./overlay.js";
import { review } from "./review.js";
import { read } from "./server.js";
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
    review.on("decided", () => this.#refreshLayers());
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
    const [tissue, regions] = await Promise.all([read("/api/layers/tissue"), read("/api/regions")].map(orNull));
    this.overlay.tissue = tissue;
    this.overlay.regions = regions?.regions ?? [];
    this.view.redraw();
    if (this.shown) this.renderPanel();
  }

  async #refreshLayers() {
    this.heatIsOld = true;
    if (this.overlay.show.heat) this.loadHeat();
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
    const id = review.cells.nearest(x, y, REACH_PX / this.view.scale);
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
    this.panel.replaceChildren(
      element("h2", { text: "Slide" }),
      this.#toolbox(),
      element("section", { id: "cell-card", "aria-label": "Chosen cells" }),
      layersBox(this),
      this.#regionsBox(),
    );
    this.renderCell();
  }

  #toolbox() {
    const buttons = Object.entries(TOOLS).map(([tool, { label, key }]) =>
      keyButton(label, key, () => this.tools.use(tool), {
        class: "tool",
        "aria-pressed": String(this.tools.tool === tool),
        "data-tool": tool,
      }),
    );
    return element("div", { class: "toolbox", role: "group", "aria-label": "Tools" }, ...buttons, this.#newCellForm());
  }

  #newCellForm() {
    if (this.tools.tool !== "add") return null;
    const kind = element(
      "select",
      { "aria-label": "Class of the added cell", onchange: (event) => (this.newCell.class = event.target.value) },
      ...CLASS_NAMES.slice(0, 3).map((name) =>
        element("option", { value: name, text: name, selected: name === this.newCell.class }),
      ),
    );
    const stained = check("stained", this.newCell.stained, (on) => (this.newCell.stained = on));
    const help = element("p", { class: "quiet", text: "Click where the cell is, or Enter for the middle of the view." });
    return element("div", { class: "new-cell" }, kind, stained, help);
  }

  renderCell() {
    const card = byId("cell-card");
    if (!card) return;
    card.replaceChildren(...cellCard(this));
  }

  #regionsBox() {
    const items = this.overlay.regions.map((region) =>
      element(
        "li",
        {},
        element("span", { text: `${region.number} ${USES[region.use].label}` }),
        element("button", {
          type: "button",
          class: "small",
          text: "Show",
          "aria-label": `Show region ${region.number}`,
          onclick: () => this.view.show(boxOf(region.points)),
        }),
        element("button", {
          type: "button",
          class: "small",
          text: "Remove",
          "aria-label": `Remove region ${region.number}`,
          onclick: () => review.decide("/api/regions/remove", { number: region.number }),
        }),
      ),
    );
    const none = element("p", { class: "quiet", text: "None drawn: all tissue that was scored counts." });
    const list = items.length ? element("ul", { class: "regions" }, ...items) : none;
    return element("section", { "aria-label": "Regions" }, element("h3", { text: "Regions" }), list);
  }

  #noteView(view) {
    const note = byId("view-note");
    note.hidden = !(view.showsDensity && view.densityShown && !view.marksHidden);
    byId("zoom").textContent = `${view.pxPerUm >= 1 ? view.pxPerUm.toFixed(1) : view.pxPerUm.toFixed(2)} px/µm`;
  }
}

/** Return what is known of the chosen cell or cells. */
function cellCard(mode) {
  const { cells } = review;
  if (mode.chosen.length) return manyCard(mode);
  if (mode.cell < 0)
    return [
      element("h3", { text: "No cell chosen" }),
      element("p", { class: "quiet", text: "Click on a cell, press ] for the next, or L for a lasso." }),
    ];
  const id = mode.cell;
  const [kind, stained] = [cells.kind[id], cells.isStained(id)];
  const by = cells.flags[id] & ADDED ? "added by a person" : cells.flags[id] & EDITED ? "decided by a person" : "the network's call";
  const title = element("p", { class: "call" }, symbol(kind, stained), element("b", { text: cells.wordsOf(id) }));
  const more = element("dl", { class: "measures" });
  if (cells.isOpen(id)) showMeasures(more, id);
  return [element("h3", { text: `Cell ${id}` }), title, element("p", { class: "quiet", text: by }), classButtons(mode), more];
}

function manyCard(mode) {
  const tally = new Map();
  for (const id of mode.chosen) {
    const key = styleOf(review.cells.kind[id], review.cells.isStained(id));
    tally.set(key, [id, (tally.get(key)?.[1] ?? 0) + 1]);
  }
  const rows = [...tally.values()].map(([id, number]) =>
    element(
      "li",
      {},
      symbol(review.cells.kind[id], review.cells.isStained(id)),
      element("span", { text: review.cells.wordsOf(id) }),
      element("b", { text: number.toLocaleString("en") }),
    ),
  );
  return [
    element("h3", { text: `${counted(mode.chosen.length, "cell")} chosen` }),
    element("ul", { class: "tally" }, ...rows),
    classButtons(mode),
  ];
}

function classButtons(mode) {
  const choices = [
    ["1", "Tumour", () => mode.setClass("tumour")],
    ["2", "Immune", () => mode.setClass("immune")],
    ["3", "Other", () => mode.setClass("other")],
    ["4", "Not a cell", () => mode.setClass("not a cell")],
    ["P", "Stained / not", () => mode.toggleStained()],
    ["Space", "Accept", () => mode.accept()],
  ].map(([key, label, hand]) => keyButton(label, key, hand));
  return element("div", { class: "class-buttons", role: "group", "aria-label": "Decide" }, ...choices);
}

let asked = 0;
async function showMeasures(list, id) {
  const mine = ++asked;
  const cell = await orNull(read(`/api/cells/${id}`));
  if (!cell?.network || mine !== asked) return;
  const { network } = cell;
  const rows = [
    ["Network", `${network.class}, ${network.stained ? "stained" : "not stained"}`],
    ["Tumour · immune · other", [network.p_tumour, network.p_immune, network.p_other].map(share).join(" · ")],
    ["Stained", `${share(network.p_stained)} (threshold ${share(review.slide.stained_threshold)})`],
    ["DAB at the membrane", decimals(network.dab_membrane_od)],
  ];
  list.replaceChildren(
    ...rows.flatMap(([name, text]) => [element("dt", { text: name }), element("dd", { text })]),
  );
}

const share = (value) => (value === null || value === undefined ? "–" : value.toFixed(2));
const decimals = (value) => (value === null || value === undefined ? "–" : `${value.toFixed(2)} OD`);

/** Return the switches of the layers with their legends. */
function layersBox(mode) {
  const { view, overlay } = mode;
  const flip = (name, label) =>
    check(label, overlay.show[name], (on) => {
      overlay.show[name] = on;
      if (name === "heat" && on && (!overlay.heat || mode.heatIsOld)) mode.loadHeat();
      if (name === "heat") {
        view.heatShown = on;
        mode.renderPanel();
      }
      view.redraw();
    });
  const marks = LEGEND.map(([kind, stained, label]) => {
    const style = styleOf(kind, stained);
    const line = check(label, (view.shown >> style) & 1, (on) => {
      view.shown = on ? view.shown | (1 << style) : view.shown & ~(1 << style);
      if (kind === 2) view.shown = on ? view.shown | 32 : view.shown & ~32;
      view.redraw();
    });
    line.insertBefore(symbol(kind, stained), line.lastChild);
    return line;
  });
  return element(
    "section",
    { class: "layers", "aria-label": "Layers" },
    element("h3", { text: "Layers" }),
    flip("tissue", "Tissue outline"),
    flip("regions", "Regions"),
    flip("heat", "Heat map of the local CPS"),
    overlay.show.heat ? heatLegend() : null,
    check("Density of cells when zoomed out", view.densityWanted, (on) => {
      view.densityWanted = on;
      view.redraw();
    }),
    densityLegend(),
    element("h3", { text: "Cells" }),
    element("div", { class: "legend" }, ...marks),
    element("p", { class: "quiet", text: "A second outline: decided by a person. Pale: outside what is scored." }),
    check("Go on to the next cell after a key", mode.advance, (on) => (mode.advance = on)),
  );
}

function heatLegend() {
  const steps = HEAT_STEPS.map((step, place) => {
    const from = place ? HEAT_STEPS[place - 1] : 0;
    const swatch = element("i");
    swatch.style.background = css(HEAT_COLOURS[place]);
    return element("span", {}, swatch, step === Infinity ? `≥ ${from}` : `< ${step}`);
  });
  return element("p", { class: "ramp steps", "aria-label": "Local CPS" }, ...steps);
}

function densityLegend() {
  const bar = element("i", { class: "gradient" });
  bar.style.background = `linear-gradient(90deg, ${css(FROM)}, ${css(TO)})`;
  return element("p", { class: "ramp" }, "none stained", bar, "half or more");
}

export function check(label, on, change) {
  const box = element("input", { type: "checkbox", onchange: (event) => change(event.target.checked) });
  box.checked = Boolean(on);
  return element("label", { class: "check" }, box, element("span", { text: label }));
}

export function boxOf(points) {
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  const box = { left: Math.min(...xs), top: Math.min(...ys), right: Math.max(...xs), bottom: Math.max(...ys) };
  const margin = (box.right - box.left) * 0.15;
  return { left: box.left - margin, top: box.top - margin, right: box.right + margin, bottom: box.bottom + margin };
}

/** Leave out points nearer than this to the one before: a hand draws more than an outline needs. */
function simplified(points, least) {
  const kept = [points[0]];
  for (const point of points.slice(1))
    if (Math.hypot(point[0] - kept.at(-1)[0], point[1] - kept.at(-1)[1]) >= least) kept.push(point);
  return kept.length >= 3 ? kept : points;
}

async function orNull(promise) {
  try {
    return await promise;
  } catch (error) {
    review.complain(error);
    return null;
  }
}
