/** Fields that move the score, most influential first: look, correct, accept. */

import { announce, counted, element, keyButton, refill } from "./dom.js";
import { NEAR, NOT_A_CELL } from "./cells.js";
import { printedForm } from "./printed.js";
import { review } from "./review.js";
import { read } from "./server.js";

const LINE_UM = 25;
const STEPS = [
  ["near", "cells near the staining threshold"],
  ["stained", "stained cells"],
  ["all", "all cells"],
];

export class FieldsMode {
  /** @param {import("./slide_mode.js").SlideMode} slide whose view and keys this queue uses */
  constructor(slide, panel) {
    this.slide = slide;
    this.panel = panel;
    this.fields = [];
    this.at = -1;
    this.steps = "near";
    review.on("decided", () => this.shown && this.load());
  }

  async enter() {
    this.shown = true;
    await this.load();
    if (!this.shown) return; // left meanwhile
    if (this.at < 0 && this.fields.length) this.open(0);
    else this.#frame();
    this.slide.view.redraw();
  }

  leave() {
    this.shown = false;
    this.slide.order = null;
    this.slide.overlay.field = null;
    if (this.slide.tools.tool !== "pan") this.slide.tools.cancel();
  }

  get field() {
    return this.fields[this.at];
  }

  /** Fetch the fields; decisions that come meanwhile fetch them once more. */
  async load() {
    this.stale = true;
    if (this.loading) return;
    this.loading = true;
    while (this.stale) {
      this.stale = false;
      await this.#fetch();
    }
    this.loading = false;
  }

  async #fetch() {
    const number = this.field?.number ?? this.wanted;
    try {
      this.fields = (await read("/api/fields")).fields;
    } catch (error) {
      review.complain(error);
    }
    if (number !== undefined) this.at = this.fields.findIndex((field) => field.number === number);
    if (!this.shown) return;
    this.#frame();
    this.render();
  }

  /** Open the field with this number, as a link of the report asks for it. */
  openNumber(number) {
    this.wanted = number;
    const at = this.fields.findIndex((field) => field.number === number);
    if (at >= 0) this.open(at);
  }

  /** Open the field at a place; says whether there is one. */
  openPlace(x, y) {
    const at = this.fields.findIndex(
      ({ left_px: left, top_px: top, side_px: side }) => x >= left && x < left + side && y >= top && y < top + side,
    );
    if (at >= 0) this.open(at);
    return at >= 0;
  }

  open(at) {
    if (!this.fields[at]) return;
    this.at = at;
    this.wanted = undefined;
    this.slide.chooseNone();
    const { left_px, top_px, side_px, number } = this.field;
    const margin = side_px * 0.06;
    const [right, bottom] = [left_px + side_px + margin, top_px + side_px + margin];
    this.slide.view.show({ left: left_px - margin, top: top_px - margin, right, bottom });
    this.#frame();
    this.render();
    announce(`Field ${number}, ${at + 1} of ${this.fields.length}. ${this.#words(this.field)}`);
  }

  #frame() {
    this.slide.overlay.field = this.field ?? null;
    this.slide.order = this.field ? this.#order(this.field) : null;
    this.slide.view.redraw();
  }

  /** Cells of a field in lines, as one reads. */
  #order({ left_px, top_px, side_px }) {
    const { cells, slide } = review;
    const box = { left: left_px, top: top_px, right: left_px + side_px, bottom: top_px + side_px };
    const wanted = [...cells.inside(box)].filter((id) => this.#isWanted(id));
    const line = (id) => Math.floor(((cells.y[id] - top_px) * slide.mpp) / LINE_UM);
    return wanted.sort((a, b) => line(a) - line(b) || cells.x[a] - cells.x[b]);
  }

  #isWanted(id) {
    const { cells } = review;
    if (!cells.isOpen(id) || cells.kind[id] === NOT_A_CELL) return false;
    if (this.steps === "all" || id === this.slide.cell) return true;
    return this.steps === "near" ? (cells.flags[id] & NEAR) !== 0 : cells.isStained(id);
  }

  accept() {
    if (!this.field) return;
    const { number, accepted } = this.field;
    review.decide("/api/fields/accept", { number, accepted: !accepted });
    this.field.accepted = !accepted;
    announce(accepted ? `Field ${number} is open again` : `Field ${number} accepted`);
    if (!accepted) this.next(1, { open: true });
    else this.render();
  }

  /** Go to the next field, or to the next that is not accepted. */
  next(by, { open = false } = {}) {
    let at = this.at + by;
    while (open && this.fields[at]?.accepted) at += by;
    if (this.fields[at]) this.open(at);
    else this.render();
  }

  leaveOut() {
    if (!this.field) return;
    const { left_px, top_px, side_px } = this.field;
    const [right, bottom] = [left_px + side_px, top_px + side_px];
    review.decide("/api/regions/add", {
      use: "exclude",
      points: [
        [left_px, top_px],
        [right, top_px],
        [right, bottom],
        [left_px, bottom],
      ],
    });
  }

  get handlers() {
    return {
      ...this.slide.handlers,
      f: () => this.accept(),
      x: () => this.leaveOut(),
      pagedown: () => this.next(1),
      pageup: () => this.next(-1),
    };
  }

  hideMarks(hidden) {
    this.slide.hideMarks(hidden);
  }

  #words({ local_cps, tumour, positive }) {
    const local = local_cps === null ? "no tumour" : `local CPS ${printedForm(local_cps)}`;
    return `${local}, ${counted(tumour, "tumour cell")}, ${positive} in the numerator`;
  }

  render() {
    if (!this.shown) return;
    const scrolled = this.panel.querySelector(".field-list")?.scrollTop ?? 0;
    const accepted = this.fields.filter((field) => field.accepted).length;
    const words = `${accepted} of ${counted(this.fields.length, "field")} accepted. Cells of accepted fields count as yours, without a network error.`;
    refill(
      this.panel,
      element("h2", { text: "Fields that move the score" }),
      element("p", { class: "quiet", text: words }),
      this.#table(),
      this.#actions(),
      element("section", { id: "cell-card", "aria-label": "Chosen cells" }),
    );
    this.panel.querySelector(".field-list").scrollTop = scrolled;
    this.panel.querySelector("[aria-current=true]")?.scrollIntoView({ block: "nearest" });
    this.slide.renderCell();
  }

  #table() {
    const heads = ["Field", "Local CPS", "Tumour", "Moves CPS by", ""];
    const rows = this.fields.map((field, at) => this.#row(field, at));
    return element(
      "div",
      { class: "field-list" },
      element(
        "table",
        {},
        element("thead", {}, element("tr", {}, ...heads.map((text) => element("th", { text, scope: "col" })))),
        element("tbody", {}, ...rows),
      ),
    );
  }

  #row(field, at) {
    const open = element("button", {
      type: "button",
      class: "link",
      text: field.number,
      "aria-label": `Open field ${field.number}`,
      onclick: () => this.open(at),
    });
    const cps = field.local_cps === null ? "–" : printedForm(field.local_cps);
    return element(
      "tr",
      { "aria-current": String(at === this.at), class: field.accepted ? "accepted" : null, onclick: () => this.open(at) },
      element("th", { scope: "row" }, open),
      element("td", { text: cps }),
      element("td", { text: field.tumour.toLocaleString("en") }),
      element("td", { text: signed(field.influence) }),
      element("td", { text: field.accepted ? "✓" : "", "aria-label": field.accepted ? "accepted" : "open" }),
    );
  }

  #actions() {
    if (!this.field) return null;
    const accepted = this.field.accepted;
    const steps = element(
      "select",
      {
        "aria-label": "Step through",
        onchange: (event) => {
          this.steps = event.target.value;
          this.#frame();
          this.render();
        },
      },
      ...STEPS.map(([value, text]) => element("option", { value, text, selected: value === this.steps })),
    );
    return element(
      "div",
      { class: "field-actions" },
      keyButton(accepted ? "Open again" : "Accept field", "F", () => this.accept(), { class: "primary" }),
      keyButton("Leave out", "X", () => this.leaveOut()),
      element("label", {}, "[ and ] step through", steps),
      element("p", { class: "quiet", text: `${counted(this.slide.order?.length ?? 0, "cell")} to step through; Page Down: next field` }),
    );
  }
}

function signed(value) {
  if (value === null || value === undefined) return "–";
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
}
