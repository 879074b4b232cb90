/** Squares of missed cells: found cells carry a ring, whoever looks counts those without one. */

import { announce, drawn, element } from "./dom.js";
import { review } from "./review.js";

const COUNTS = [
  ["tumour_stained", "Tumour cells, stained"],
  ["tumour_unstained", "Tumour cells, not stained"],
  ["immune_stained", "Immune cells, stained"],
];
const MOST = 999;

export class SquareStep {
  /** @param {import("./audit.js").AuditView} audit */
  constructor(audit) {
    this.audit = audit;
  }

  /** Show a square and its three numbers. */
  render(square) {
    const { stage, panel, audit } = this.audit;
    const heading = element("h1", {
      class: "stage-heading",
      text: `Square ${square.number} of ${audit.squares.length}: cells without a ring`,
    });
    const side = Math.max(240, Math.min(stage.clientHeight - 90, stage.clientWidth - 48));
    const picture = element("img", {
      src: `/audit/squares/${square.number}.jpg?px=${Math.min(1024, Math.ceil(side / 128) * 128)}&audit=${audit.name}`,
      alt: `Square ${square.number}, ${square.side_um} µm wide`,
      draggable: "false",
    });
    const frame = element("div", { class: "crop" }, picture, marks(square));
    frame.style.width = frame.style.height = `${side}px`;
    stage.replaceChildren(heading, frame);
    // The page is drawn again when a decision is saved or the window changes: numbers being typed stay.
    const shown = JSON.stringify([audit.name, square.number, square.counts]);
    if (panel.querySelector("form")?.dataset.shown === shown) return;
    const form = this.#form(square);
    form.dataset.shown = shown;
    panel.replaceChildren(element("h2", { text: "Missed cells" }), form);
    panel.querySelector("input").focus();
    announce(`${heading.textContent}. Three numbers, then Enter.`);
  }

  #form(square) {
    const rows = COUNTS.map(([name, label]) =>
      element(
        "label",
        { class: "row" },
        label,
        element("input", {
          type: "number",
          name,
          min: 0,
          max: MOST,
          step: 1,
          inputmode: "numeric",
          required: true,
          value: square.counts?.[name] ?? 0,
          onfocus: (event) => event.target.select(),
        }),
      ),
    );
    const save = element("button", { type: "submit", class: "primary", text: "Save, next square" });
    const help = element("p", {
      class: "quiet",
      text: "Count only cells without a ring whose centre lies inside the frame. Leave 0 where none was missed.",
    });
    const given = square.counts ? element("p", { class: "given", text: "Counted already; saving replaces it." }) : null;
    return element("form", { onsubmit: (event) => this.#save(event, square.number) }, help, ...rows, save, given);
  }

  #save(event, number) {
    event.preventDefault();
    const form = new FormData(event.target);
    const counts = Object.fromEntries(COUNTS.map(([name]) => [name, Number(form.get(name))]));
    const shown_ms = Math.round(performance.now() - this.audit.shownAt);
    this.audit.keepCounts(number, counts);
    review.decide("/api/audit/square", { number, ...counts, shown_ms });
    this.audit.go(1);
  }
}

function marks({ found, inner }) {
  const [left, top, right, bottom] = inner.map((share) => share * 100);
  const frame = { x: left, y: top, width: right - left, height: bottom - top };
  const rings = found.map(([x, y]) => ({ cx: x * 100, cy: y * 100, r: 1.6 }));
  const layer = (name) =>
    drawn(
      "g",
      { class: name },
      drawn("rect", frame),
      ...rings.map((ring) => drawn("circle", ring)),
    );
  return drawn("svg", { class: "reticle", viewBox: "0 0 100 100", "aria-hidden": "true" }, layer("below"), layer("above"));
}
