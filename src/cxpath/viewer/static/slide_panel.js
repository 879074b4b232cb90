/** The panel of the slide: tools, what is known of the chosen cells, layers with their legends, regions. */

import { counted, element, keyButton } from "./dom.js";
import { ADDED, CLASS_NAMES, EDITED, OTHER } from "./cells.js";
import { FROM, TO } from "./density.js";
import { TOOLS } from "./drawing_tools.js";
import { LEGEND, css, styleOf, symbol } from "./marks.js";
import { HEAT_COLOURS, HEAT_STEPS, USES } from "./overlay.js";
import { orNull, review } from "./review.js";
import { read } from "./server.js";

const ALL_OTHER = (1 << styleOf(OTHER, false)) | (1 << styleOf(OTHER, true));

/** Return the parts of the panel, top to bottom. */
export function slidePanel(mode) {
  return [
    element("h2", { text: "Slide" }),
    toolbox(mode),
    element("section", { id: "cell-card", "aria-label": "Chosen cells" }),
    layersBox(mode),
    regionsBox(mode),
  ];
}

function toolbox(mode) {
  const buttons = Object.entries(TOOLS).map(([tool, { label, key }]) =>
    keyButton(label, key, () => mode.tools.use(tool), {
      class: "tool",
      "aria-pressed": String(mode.tools.tool === tool),
      "data-tool": tool,
    }),
  );
  return element("div", { class: "toolbox", role: "group", "aria-label": "Tools" }, ...buttons, newCellForm(mode));
}

function newCellForm(mode) {
  if (mode.tools.tool !== "add") return null;
  const kind = element(
    "select",
    { "aria-label": "Class of the added cell", onchange: (event) => (mode.newCell.class = event.target.value) },
    ...CLASS_NAMES.slice(0, 3).map((name) =>
      element("option", { value: name, text: name, selected: name === mode.newCell.class }),
    ),
  );
  const stained = check("stained", mode.newCell.stained, (on) => (mode.newCell.stained = on));
  const help = element("p", { class: "quiet", text: "Click where the cell is, or Enter for the middle of the view." });
  return element("div", { class: "new-cell" }, kind, stained, help);
}

function regionsBox(mode) {
  const items = mode.overlay.regions.map((region) =>
    element(
      "li",
      {},
      element("span", { text: `${region.number} ${USES[region.use].label}` }),
      element("button", {
        type: "button",
        class: "small",
        text: "Show",
        "aria-label": `Show region ${region.number}`,
        onclick: () => mode.view.show(boxOf(region.points)),
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
  const none = element("p", { class: "quiet", text: "No regions: all scored tissue counts." });
  const list = items.length ? element("ul", { class: "regions" }, ...items) : none;
  return element("section", { "aria-label": "Regions" }, element("h3", { text: "Regions" }), list);
}

/** Return what is known of the chosen cell or cells. */
export function cellCard(mode) {
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
    const bits = kind === OTHER ? ALL_OTHER : 1 << style;
    const line = check(label, (view.shown >> style) & 1, (on) => {
      view.shown = on ? view.shown | bits : view.shown & ~bits;
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
    check("Move to the next cell after a key", mode.advance, (on) => (mode.advance = on)),
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

function check(label, on, change) {
  const box = element("input", { type: "checkbox", onchange: (event) => change(event.target.checked) });
  box.checked = Boolean(on);
  return element("label", { class: "check" }, box, element("span", { text: label }));
}

function boxOf(points) {
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  const box = { left: Math.min(...xs), top: Math.min(...ys), right: Math.max(...xs), bottom: Math.max(...ys) };
  const margin = (box.right - box.left) * 0.15;
  return { left: box.left - margin, top: box.top - margin, right: box.right + margin, bottom: box.bottom + margin };
}
