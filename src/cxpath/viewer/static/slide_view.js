/** The slide: OpenSeadragon for tiles, and over it a canvas of cells and one of everything else that is drawn. */

import { CellLayer } from "./cell_layer.js";
import { densityMap } from "./density.js";
import { LARGEST_PX, MARK_UM, OUTLINES_FROM_PX_PER_UM, SMALLEST_PX } from "./marks.js";
import { PlainLayer } from "./plain_layer.js";

const OSD = window.OpenSeadragon;
const FIELD_VIEW_UM = 620;
const PAN_SHARE = 0.25;
const ZOOM_STEP = 1.6;
const CLOSEST_PX_PER_UM = 16;
const WASH_FROM_PX = 16;
const SCALE_BAR_SHARE = 0.16;
const STILL = window.matchMedia("(prefers-reduced-motion: reduce)");

/**
 * OpenSeadragon would put a style element into the page, which the page's policy refuses, unless it finds one:
 * give it an element of that name that is none.
 */
export function spareStyleElement() {
  const found = document.createElementNS("urn:cxpath", "style");
  found.setAttribute("data-openseadragon-mobile-css", "");
  document.head.append(found);
}

/** Return OpenSeadragon's description of the slide: its own levels, whatever the factors between them. */
export function tileSource(slide) {
  const levels = [...slide.levels].reverse();
  return {
    width: slide.width_px,
    height: slide.height_px,
    tileWidth: slide.levels[0].tile_width_px,
    tileHeight: slide.levels[0].tile_height_px,
    minLevel: 0,
    maxLevel: levels.length - 1,
    getLevelScale: (level) => levels[level].width_px / slide.width_px,
    getNumTiles: (level) => new OSD.Point(levels[level].across, levels[level].down),
    getTileWidth: (level) => levels[level].tile_width_px,
    getTileHeight: (level) => levels[level].tile_height_px,
    getTileUrl: (level, x, y) => `/tiles/${levels[level].index}/${x}_${y}.jpg`,
  };
}

/** Return the length of a scale bar in µm: 1, 2 or 5 times a power of ten, and at most so many pixels wide. */
export function barLength(pxPerUm, widest) {
  const longest = widest / pxPerUm;
  const power = 10 ** Math.floor(Math.log10(longest));
  return [5, 2, 1].map((factor) => factor * power).find((length) => length <= longest);
}

/** Return "50 µm" or "2 mm". */
export const lengthText = (um) => (um >= 1000 ? `${um / 1000} mm` : `${Number(um.toPrecision(3))} µm`);

export class SlideView {
  /**
   * @param {HTMLElement} host with .tiles, canvas.cells, canvas.drawings and .scale-bar inside
   * @param {object} slide of /api/slide
   */
  constructor(host, slide) {
    this.host = host;
    this.slide = slide;
    this.cellCanvas = host.querySelector("canvas.cells");
    this.drawCanvas = host.querySelector("canvas.drawings");
    this.context = this.drawCanvas.getContext("2d");
    this.shown = 0xff;
    this.marksHidden = false;
    this.densityWanted = true;
    this.painters = [];
    this.listeners = [];
    this.layer = this.#makeLayer();
    this.layer.onRestored = () => this.redraw();
    new ResizeObserver(() => this.#seen()).observe(host);
  }

  /** The viewer is made when there is room for it: a hidden one would not know its size. */
  #seen() {
    if (!this.osd && this.host.offsetWidth) this.osd = this.#makeViewer();
    this.redraw();
  }

  #makeLayer() {
    try {
      return new CellLayer(this.cellCanvas);
    } catch {
      const plain = this.cellCanvas.cloneNode(); // a canvas keeps the first kind of context it gave
      this.cellCanvas.replaceWith(plain);
      this.cellCanvas = plain;
      return new PlainLayer(plain);
    }
  }

  #makeViewer() {
    spareStyleElement();
    const osd = new OSD.Viewer({
      element: this.host.querySelector(".tiles"),
      tileSources: tileSource(this.slide),
      drawer: "canvas",
      showNavigationControl: false,
      showNavigator: true,
      navigatorPosition: "TOP_RIGHT",
      navigatorSizeRatio: 0.16,
      navigatorDisplayRegionColor: "#d66a00",
      navigatorBorderColor: "#59636e",
      navigatorBackground: "#f4f4f4",
      animationTime: STILL.matches ? 0 : 0.35,
      immediateRender: true,
      blendTime: 0,
      maxZoomPixelRatio: CLOSEST_PX_PER_UM * this.slide.mpp,
      visibilityRatio: 0.3,
      gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: false },
      gestureSettingsTouch: { clickToZoom: false, dblClickToZoom: false },
      gestureSettingsPen: { clickToZoom: false, dblClickToZoom: false },
      clickTimeThreshold: Infinity, // a slow press on a cell is a click, too: what moves is not
      keyboardNavEnabled: false,
      tabIndex: -1,
      imageLoaderLimit: 6,
    });
    STILL.addEventListener("change", () => (osd.animationTime = STILL.matches ? 0 : 0.35));
    osd.addHandler("canvas-key", (event) => (event.preventDefaultAction = true));
    osd.addHandler("open", () => this.#opened());
    for (const name of ["update-viewport", "resize"]) osd.addHandler(name, () => this.redraw());
    osd.addHandler("canvas-click", (event) => {
      if (event.quick) this.onClick?.(this.toSlide(event.position.x, event.position.y), event.originalEvent);
    });
    return osd;
  }

  #opened() {
    const [x, y, width, height] = this.slide.bounds_px ?? [0, 0, this.slide.width_px, this.slide.height_px];
    this.bounds = { left: x, top: y, right: x + width, bottom: y + height };
    this.ready = true;
    this.pending ? this.show(this.pending, { at_once: true }) : this.home({ at_once: true });
    this.redraw();
  }

  // Where the view is.

  /** CSS pixels per level-0 pixel. */
  get scale() {
    const bounds = this.osd.viewport.getBounds(true);
    return this.osd.viewport.getContainerSize().x / (bounds.width * this.slide.width_px);
  }

  get pxPerUm() {
    return this.scale / this.slide.mpp;
  }

  /** The rectangle in view, in level-0 pixels. */
  get box() {
    const bounds = this.osd.viewport.getBounds(true);
    const width = this.slide.width_px;
    return {
      left: bounds.x * width,
      top: bounds.y * width,
      right: (bounds.x + bounds.width) * width,
      bottom: (bounds.y + bounds.height) * width,
    };
  }

  toSlide(x, y) {
    return [this.box.left + x / this.scale, this.box.top + y / this.scale];
  }

  toScreen(x, y) {
    return [(x - this.box.left) * this.scale, (y - this.box.top) * this.scale];
  }

  get centre() {
    const { left, top, right, bottom } = this.box;
    return [(left + right) / 2, (top + bottom) / 2];
  }

  /** The middle of where the view is going: what a key means that comes while it still moves. */
  get aim() {
    const { x, y } = this.osd.viewport.getCenter();
    return [x * this.slide.width_px, y * this.slide.width_px];
  }

  /** Show a rectangle of level-0 pixels whole. */
  show({ left, top, right, bottom }, { at_once = false } = {}) {
    const width = this.slide.width_px;
    if (!this.ready) {
      this.pending = { left, top, right, bottom };
      return;
    }
    const rect = new OSD.Rect(left / width, top / width, (right - left) / width, (bottom - top) / width);
    this.osd.viewport.fitBounds(rect, at_once || STILL.matches);
  }

  /** Show a place with its surroundings. */
  showPlace(x, y, side_um = FIELD_VIEW_UM, how = {}) {
    const half = side_um / this.slide.mpp / 2;
    this.show({ left: x - half, top: y - half, right: x + half, bottom: y + half }, how);
  }

  /** Move just as far as is needed for a place to be well inside the view, and near enough for outlines. */
  reveal(x, y) {
    if (!this.ready || this.pxPerUm < OUTLINES_FROM_PX_PER_UM) {
      this.showPlace(x, y, 250);
      return;
    }
    const { left, top, right, bottom } = this.box;
    const [marginX, marginY] = [(right - left) * 0.12, (bottom - top) * 0.12];
    if (x < left + marginX || x > right - marginX || y < top + marginY || y > bottom - marginY)
      this.osd.viewport.panTo(new OSD.Point(x / this.slide.width_px, y / this.slide.width_px), STILL.matches);
  }

  home(how = {}) {
    const { left, top, right, bottom } = this.bounds;
    const [marginX, marginY] = [(right - left) * 0.02, (bottom - top) * 0.02];
    this.show({ left: left - marginX, top: top - marginY, right: right + marginX, bottom: bottom + marginY }, how);
  }

  zoom(steps) {
    this.osd.viewport.zoomBy(ZOOM_STEP ** steps, null, STILL.matches);
    this.osd.viewport.applyConstraints(STILL.matches);
  }

  zoomAt(steps, x, y) {
    const place = this.osd.viewport.pointFromPixel(new OSD.Point(x, y), true);
    this.osd.viewport.zoomBy(ZOOM_STEP ** steps, place, STILL.matches);
  }

  pan(across, down) {
    const { width, height } = this.osd.viewport.getBounds();
    this.osd.viewport.panBy(new OSD.Point(across * width * PAN_SHARE, down * height * PAN_SHARE), STILL.matches);
    this.osd.viewport.applyConstraints(STILL.matches);
  }

  // What is drawn over it.

  setCells(cells) {
    this.cells = cells;
    this.layer.load(cells);
    this.density = null;
    this.redraw();
  }

  /** Take over what changed of the cells; `counts` is false where only the choice changed. */
  updateCells({ counts = true } = {}) {
    this.layer.update();
    if (counts) this.density = null;
    this.redraw();
  }

  hideMarks(hidden) {
    this.marksHidden = hidden;
    this.redraw();
  }

  /** The heat map would hide in it. */
  get densityShown() {
    return this.densityWanted && !this.heatShown;
  }

  get showsDensity() {
    return this.pxPerUm < OUTLINES_FROM_PX_PER_UM;
  }

  /** Draw again with the next frame. */
  redraw() {
    if (!this.ready || this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = null;
      if (this.host.offsetWidth) this.draw();
    });
  }

  /** Draw cells and everything else as the view stands now. */
  draw() {
    this.#fit(this.cellCanvas);
    this.#fit(this.drawCanvas);
    const ratio = window.devicePixelRatio;
    const { context } = this;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.host.clientWidth, this.host.clientHeight);
    if (this.marksHidden || !this.cells) this.layer.clear();
    else if (this.showsDensity) this.#drawDensity();
    else this.#drawOutlines(ratio);
    for (const painter of this.painters) painter(context, this);
    this.#drawScaleBar();
    for (const listener of this.listeners) listener(this);
  }

  #fit(canvas) {
    const ratio = window.devicePixelRatio;
    const width = Math.round(this.host.clientWidth * ratio);
    const height = Math.round(this.host.clientHeight * ratio);
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
  }

  #drawOutlines(ratio) {
    const diameter = Math.min(Math.max(MARK_UM * this.pxPerUm, SMALLEST_PX), LARGEST_PX);
    this.handed = this.layer.draw({
      box: this.box,
      scale: this.scale * ratio,
      diameter: diameter * ratio,
      line: Math.min(0.8 + diameter / 32, 1.9) * ratio,
      wash: diameter < WASH_FROM_PX ? 0.08 : 0.22,
      shown: this.shown,
    });
  }

  #drawDensity() {
    this.layer.clear();
    if (!this.densityShown) return;
    this.density ??= densityMap(this.cells, this.slide);
    const { canvas, side } = this.density;
    const [left, top] = this.toScreen(0, 0);
    this.context.imageSmoothingEnabled = true;
    this.context.drawImage(canvas, left, top, canvas.width * side * this.scale, canvas.height * side * this.scale);
  }

  #drawScaleBar() {
    const bar = this.host.querySelector(".scale-bar");
    const length = barLength(this.pxPerUm, this.host.clientWidth * SCALE_BAR_SHARE);
    bar.style.width = `${length * this.pxPerUm}px`;
    bar.textContent = lengthText(length);
  }
}
