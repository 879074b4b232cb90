/** The gallery: uncertain cells side by side; many are decided with one key. */

import { announce, counted, element, keyButton, refill } from "./dom.js";
import { CLASS_NAMES } from "./cells.js";
import { symbol } from "./marks.js";
import { orNull, review } from "./review.js";
import { read } from "./server.js";

const COUNT = 64;
const [FEWEST_COLUMNS, MOST_COLUMNS] = [6, 24];
const CAPTION_REM = 1.75;
const LEAST_TILE_REM = 7;
const GAP_REM = 0.5;
const KINDS = [
  ["all", "All doubts"],
  ["class", "Class in doubt"],
  ["staining", "Staining in doubt"],
];

export class GalleryMode {
  /** @param {(id: number) => void} showOnSlide */
  constructor(stage, panel, showOnSlide) {
    Object.assign(this, { stage, panel, showOnSlide });
    this.kind = "all";
    this.cells = [];
    this.chosen = new Set();
    this.at = 0;
    this.anchor = 0;
    new ResizeObserver(() => this.shown && this.#fit()).observe(stage);
    review.on("refused", ({ item }) => this.shown && item.path === "/api/edit" && this.load());
    review.on("decided", ({ item }) => {
      if (this.shown && (!item || item.path === "/api/undo")) this.#followUndo();
    });
  }

  async enter() {
    this.shown = true;
    this.renderPanel();
    await this.load();
  }

  leave() {
    this.shown = false;
  }

  /** Fetch the cells that are most in doubt now. */
  async load() {
    const mine = (this.loads = (this.loads ?? 0) + 1);
    this.stage.setAttribute("aria-busy", "true");
    const found = await orNull(read(`/api/gallery?count=${COUNT}&kind=${this.kind}`));
    if (mine !== this.loads || !this.shown) return; // a later one shows what it finds
    this.stage.removeAttribute("aria-busy");
    if (found) this.cells = found.cells.map((cell) => ({ ...cell, decided: null }));
    this.chosen.clear();
    this.at = this.anchor = 0;
    this.render();
    announce(`${counted(this.cells.length, "cell")} in doubt.`);
  }

  #followUndo() {
    for (const cell of this.cells) {
      const decided = review.cells.flags[cell.id] & 8;
      cell.class = CLASS_NAMES[review.cells.kind[cell.id]];
      cell.stained = review.cells.isStained(cell.id);
      cell.decided = decided ? review.cells.wordsOf(cell.id) : null;
    }
    this.#refresh();
  }

  // Choosing.

  #click(place, event) {
    if (event.shiftKey) this.#span(place);
    else if (event.ctrlKey || event.metaKey) this.#flip(place);
    else {
      this.chosen = new Set([place]);
      this.anchor = place;
    }
    this.at = place;
    this.#refresh();
    announce(this.#chosenWords());
  }

  #span(place) {
    const [from, to] = [Math.min(this.anchor, place), Math.max(this.anchor, place)];
    this.chosen = new Set(Array.from({ length: to - from + 1 }, (_, step) => from + step));
  }

  #flip(place) {
    if (!this.chosen.delete(place)) this.chosen.add(place);
    this.anchor = place;
  }

  move(by, { extend = false } = {}) {
    const to = Math.min(Math.max(this.at + by, 0), this.cells.length - 1);
    this.at = to;
    if (extend) this.#span(to);
    else {
      this.chosen.clear();
      this.anchor = to;
    }
    this.#refresh();
    announce(extend ? this.#chosenWords() : this.#wordsOf(this.cells[to]));
  }

  get columns() {
    const tiles = [...this.grid.children];
    const top = tiles[0]?.offsetTop;
    return Math.max(1, tiles.filter((tile) => tile.offsetTop === top).length);
  }

  chooseAll() {
    this.chosen = new Set(this.cells.keys());
    this.#refresh();
    announce(this.#chosenWords());
  }

  #chosenWords() {
    return `${counted(this.chosen.size, "cell")} chosen`;
  }

  /** What the next key decides about: the chosen cells, or the one that has the focus. */
  get targets() {
    const places = this.chosen.size ? [...this.chosen] : [this.at];
    return places.map((place) => this.cells[place]).filter(Boolean);
  }

  // Deciding.

  setClass(name) {
    this.#decide(this.targets, { class: name }, (cell) => (cell.class = name));
  }

  toggleStained() {
    this.#decide(this.targets, { toggle_stained: true }, (cell) => (cell.stained = !cell.stained), { stay: true });
  }

  /** Accept what is shown, of all chosen cells in one decision, which one undo takes back. */
  accept() {
    const calls = this.targets.map(({ class: name, stained }) => ({ class: name, stained }));
    this.#decide(this.targets, { calls }, () => {});
  }

  #decide(cells, change, apply, { stay = false } = {}) {
    if (!cells.length) return;
    review.decide("/api/edit", { ids: cells.map(({ id }) => id), ...change });
    for (const cell of cells) {
      apply(cell);
      cell.decided = this.#callWords(cell);
    }
    if (stay) this.#refresh();
    else this.#goOn();
  }

  #goOn() {
    const last = this.chosen.size ? Math.max(...this.chosen) : this.at;
    const open = this.cells.findIndex(({ decided }, place) => place > last && !decided);
    const first = this.cells.findIndex(({ decided }) => !decided);
    this.chosen.clear();
    if (first < 0) {
      announce("All of these are decided; here are the next.");
      this.#loadWhenSent();
      return;
    }
    this.at = this.anchor = open >= 0 ? open : first;
    this.#refresh();
  }

  /** The next cells are those in doubt after what was just decided. */
  async #loadWhenSent() {
    await review.idle();
    if (this.shown) this.load();
  }

  handlers = {
    1: () => this.setClass("tumour"),
    2: () => this.setClass("immune"),
    3: () => this.setClass("other"),
    4: () => this.setClass("not a cell"),
    p: () => this.toggleStained(),
    " ": () => this.accept(),
    "]": () => this.#loadWhenSent(),
    "[": () => this.move(-1),
    arrowleft: () => this.move(-1),
    arrowright: () => this.move(1),
    arrowup: () => this.move(-this.columns),
    arrowdown: () => this.move(this.columns),
    "shift+arrowleft": () => this.move(-1, { extend: true }),
    "shift+arrowright": () => this.move(1, { extend: true }),
    "shift+arrowup": () => this.move(-this.columns, { extend: true }),
    "shift+arrowdown": () => this.move(this.columns, { extend: true }),
    home: () => this.move(-this.cells.length),
    end: () => this.move(this.cells.length),
    "ctrl+a": () => this.chooseAll(),
    enter: () => this.cells[this.at] && this.showOnSlide(this.cells[this.at].id),
    escape: () => {
      this.chosen.clear();
      this.#refresh();
    },
  };

  hideMarks(hidden) {
    this.stage.classList.toggle("marks-hidden", hidden);
  }

  // What is shown.

  render() {
    this.grid = element("div", {
      class: "gallery",
      role: "listbox",
      "aria-multiselectable": "true",
      "aria-label": "Uncertain cells",
    });
    this.grid.replaceChildren(...this.cells.map((_, place) => this.#tile(place)));
    const none = element("p", { class: "card", text: "Every doubtful cell has been decided." });
    this.stage.replaceChildren(this.cells.length ? this.grid : none);
    this.#fit();
    this.#refresh();
  }

  /** Make tiles as large as they can be with all of them in view; where they would be small, let it scroll. */
  #fit() {
    if (!this.grid?.isConnected || !this.stage.clientWidth) return;
    const unit = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const [width, height] = [this.stage.clientWidth / unit - 1.6, this.stage.clientHeight / unit - 1.6];
    let best = { columns: Math.max(1, Math.floor(width / (LEAST_TILE_REM + GAP_REM))), side: LEAST_TILE_REM };
    for (let columns = FEWEST_COLUMNS; columns <= MOST_COLUMNS; columns++) {
      const side = (width - (columns - 1) * GAP_REM) / columns;
      const rows = Math.ceil(this.cells.length / columns);
      if (side > best.side && rows * (side + CAPTION_REM + GAP_REM) <= height) best = { columns, side };
    }
    this.grid.style.gridTemplateColumns = `repeat(${best.columns}, minmax(0, 1fr))`;
    const px = best.side * unit * window.devicePixelRatio > 160 ? 256 : 128;
    for (const [place, tile] of [...this.grid.children].entries()) {
      const source = this.cells[place].crop.replace(/px=\d+/, `px=${px}`);
      const picture = tile.querySelector("img");
      if (picture.getAttribute("src") !== source) picture.src = source;
    }
  }

  #tile(place) {
    return element(
      "div",
      { class: "tile", role: "option", tabindex: "-1", onmousedown: noText, onclick: (event) => this.#click(place, event) },
      element("img", { alt: "", draggable: "false" }),
      element("i", { class: "aim", "aria-hidden": "true" }),
      element("p", { class: "caption" }),
    );
  }

  #refresh() {
    if (!this.grid || !this.shown) return;
    [...this.grid.children].forEach((tile, place) => {
      const cell = this.cells[place];
      tile.setAttribute("aria-selected", String(this.chosen.has(place)));
      tile.setAttribute("aria-label", this.#wordsOf(cell));
      tile.tabIndex = place === this.at ? 0 : -1;
      tile.classList.toggle("here", place === this.at);
      tile.classList.toggle("decided", Boolean(cell.decided));
      this.#caption(tile.querySelector(".caption"), cell);
    });
    const here = this.grid.children[this.at];
    here?.scrollIntoView({ block: "nearest" });
    if (!document.activeElement?.closest(".panel, .top, dialog")) here?.focus({ preventScroll: true });
    this.renderPanel();
  }

  #caption(caption, cell) {
    const mark = element("span", { class: "tick", text: cell.decided ? "✓" : "" });
    caption.replaceChildren(symbol(CLASS_NAMES.indexOf(cell.class), cell.stained), this.#callWords(cell), mark);
  }

  #callWords({ class: name, stained }) {
    return name === "not a cell" || name === "other" ? name : `${name} ${stained ? "+" : "−"}`;
  }

  #wordsOf(cell) {
    if (!cell) return "";
    const stain = cell.stained ? "stained" : "not stained";
    return `${cell.class}, ${stain}${cell.decided ? ", decided" : ""}`;
  }

  renderPanel() {
    const decided = this.cells.filter((cell) => cell.decided).length;
    const kinds = KINDS.map(([value, label]) =>
      element("button", {
        type: "button",
        text: label,
        "aria-pressed": String(this.kind === value),
        onclick: () => {
          this.kind = value;
          this.load();
        },
      }),
    );
    const actions = [
      ["1", "Tumour", () => this.setClass("tumour")],
      ["2", "Immune", () => this.setClass("immune")],
      ["3", "Other", () => this.setClass("other")],
      ["4", "Not a cell", () => this.setClass("not a cell")],
      ["P", "Stained / not", () => this.toggleStained()],
      ["Space", "Accept", () => this.accept()],
    ].map(([key, label, hand]) => keyButton(label, key, hand));
    const chosen = this.chosen.size ? this.#chosenWords() : "The framed cell";
    refill(
      this.panel,
      element("h2", { text: "Uncertain cells" }),
      element("p", {
        class: "quiet",
        text: "The cells whose class or staining is most doubtful and matters most to the score. A decision applies to that cell only.",
      }),
      element("div", { class: "segments", role: "group", "aria-label": "Kind of doubt" }, ...kinds),
      element("h3", { text: chosen }),
      element("div", { class: "class-buttons", role: "group", "aria-label": "Decide" }, ...actions),
      element("p", { class: "quiet", text: `${decided} of ${this.cells.length} decided` }),
      keyButton("Next cells", "]", () => this.#loadWhenSent()),
      keyButton("Choose all", "Ctrl A", () => this.chooseAll()),
      keyButton("Show on the slide", "Enter", this.handlers.enter),
    );
  }
}

/** Shift-click would choose text. */
function noText(event) {
  if (event.shiftKey) event.preventDefault();
}
