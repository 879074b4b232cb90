/** Tools that draw on the slide: lasso, regions, added cells; by pointer, or by moving the slide under a cross. */

import { announce } from "./dom.js";
import { USES } from "./overlay.js";

const CLOSE_PX = 10;
const STEP_PX = 4;

export const TOOLS = {
  pan: { label: "Move", key: "V", closed: false },
  lasso: { label: "Lasso", key: "L", colour: [20, 24, 28], closed: true },
  include: { label: "Include region", key: "I", colour: USES.include.colour, closed: true },
  exclude: { label: "Exclude region", key: "E", colour: USES.exclude.colour, closed: true },
  "not invasive tumour": {
    label: "Not invasive tumour",
    key: "T",
    colour: USES["not invasive tumour"].colour,
    closed: true,
  },
  add: { label: "Add a missed cell", key: "A", colour: [20, 24, 28], closed: false },
};

export class DrawingTools {
  /**
   * @param {import("./slide_view.js").SlideView} view
   * @param {import("./overlay.js").Overlay} overlay
   * @param {(tool: string, points: number[][]) => void} onDone
   * @param {(tool: string) => void} onTool
   */
  constructor(view, overlay, { onDone, onTool }) {
    Object.assign(this, { view, overlay, onDone, onTool });
    this.tool = "pan";
    this.surface = view.drawCanvas;
    const listen = (name, hand) => this.surface.addEventListener(name, hand);
    listen("pointerdown", (event) => this.#down(event));
    listen("pointermove", (event) => this.#move(event));
    listen("pointerup", (event) => this.#up(event));
    listen("pointercancel", () => this.cancel());
    listen("wheel", (event) => this.#wheel(event));
    view.listeners.push(() => this.#followCentre());
  }

  /** Take a tool; the pan tool leaves the pointer to the slide. */
  use(tool) {
    this.tool = tool;
    this.keyed = false;
    this.#draft([]);
    this.surface.classList.toggle("drawing", tool !== "pan");
    this.onTool(tool);
    announce(`Tool: ${TOOLS[tool].label}`);
  }

  cancel() {
    this.use("pan");
  }

  #draft(points, tip = null, aim = null) {
    const { colour, closed } = TOOLS[this.tool];
    this.points = points;
    const idle = !points.length && !aim;
    this.overlay.draft = idle ? null : { points, tip, colour, closed: closed && points.length > 2, aim };
    this.view.redraw();
  }

  #at(event) {
    const box = this.surface.getBoundingClientRect();
    return this.view.toSlide(event.clientX - box.left, event.clientY - box.top);
  }

  #down(event) {
    if (event.button !== 0) return;
    this.surface.setPointerCapture(event.pointerId);
    this.down = true;
    this.keyed = false;
    this.#draft([this.#at(event)]);
  }

  #move(event) {
    if (!this.down) return;
    const place = this.#at(event);
    const last = this.points.at(-1);
    const apart = Math.hypot(place[0] - last[0], place[1] - last[1]) * this.view.scale;
    if (this.tool !== "add" && apart >= STEP_PX) this.#draft([...this.points, place]);
  }

  #up(event) {
    if (!this.down) return;
    this.down = false;
    this.finish(this.tool === "add" ? [this.#at(event)] : this.points);
  }

  #wheel(event) {
    event.preventDefault();
    const box = this.surface.getBoundingClientRect();
    this.view.zoomAt(event.deltaY < 0 ? 0.6 : -0.6, event.clientX - box.left, event.clientY - box.top);
  }

  // Without a pointer: arrows move the slide under a cross in the middle, Enter sets a corner there.

  /** Set a corner in the middle of the view; near the first one, or with `close`, the outline is done. */
  corner({ close = false } = {}) {
    const centre = this.view.aim;
    if (this.tool === "add") {
      this.finish([centre]);
      return;
    }
    const first = this.points[0];
    const near = first && Math.hypot(first[0] - centre[0], first[1] - centre[1]) * this.view.scale < CLOSE_PX;
    if (this.points.length >= 3 && (close || near)) {
      this.finish(this.points);
      return;
    }
    this.keyed = true;
    this.#draft([...this.points, centre], null, centre);
    announce(`Corner ${this.points.length}. Arrow keys move, Enter sets the next, C closes.`);
  }

  /** Take the last corner back. */
  dropCorner() {
    this.#draft(this.points.slice(0, -1), null, this.view.centre);
  }

  #followCentre() {
    if (this.tool === "pan" || this.down) return;
    const wanted = this.view.centre;
    const { draft } = this.overlay;
    if (draft?.aim && Math.hypot(draft.aim[0] - wanted[0], draft.aim[1] - wanted[1]) < 1e-6) return;
    if (this.keyed || document.body.classList.contains("by-keyboard"))
      this.#draft(this.points, this.points.length ? wanted : null, wanted);
  }

  finish(points) {
    const { tool } = this;
    const enough = TOOLS[tool].closed ? points.length >= 3 : points.length === 1;
    this.#draft([]);
    this.keyed = false;
    if (enough) this.onDone(tool, points);
    else announce("Nothing was enclosed.");
  }
}
