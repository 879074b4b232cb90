/** The slide of a read: tiles alone, without any mark, name or overview of the file. */

import { barLength, lengthText, spareStyleElement, tileSource } from "../slide_view.js";

const OSD = window.OpenSeadragon;
const ZOOM_STEP = 1.6;
const CLOSEST_PX_PER_UM = 16;
const SCALE_BAR_PX = 130;

spareStyleElement();

export class StudySlide {
  /**
   * @param {HTMLElement} host with .tiles, .scale-bar and .lens inside
   * @param {object} open with code and slide
   */
  constructor(host, { code, slide }) {
    Object.assign(this, { host, slide });
    const levels = [...slide.levels].reverse();
    this.osd = new OSD.Viewer({
      element: host.querySelector(".tiles"),
      tileSources: {
        ...tileSource(slide),
        getTileUrl: (level, x, y) => `/tiles/${code}/${levels[level].index}/${x}_${y}.jpg`,
      },
      drawer: "canvas",
      showNavigationControl: false,
      showNavigator: true,
      navigatorPosition: "TOP_RIGHT",
      navigatorSizeRatio: 0.16,
      immediateRender: true,
      blendTime: 0,
      animationTime: 0.3,
      maxZoomPixelRatio: CLOSEST_PX_PER_UM * slide.mpp,
      visibilityRatio: 0.3,
      gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: false },
      keyboardNavEnabled: false,
      tabIndex: -1,
      imageLoaderLimit: 6,
    });
    for (const name of ["open", "update-viewport", "resize"]) this.osd.addHandler(name, () => this.#drawScale());
    host.onkeydown = (event) => this.#key(event);
  }

  close() {
    this.osd.destroy();
  }

  get pxPerUm() {
    const { viewport } = this.osd;
    const shown = viewport.getBounds(true).width * this.slide.width_px;
    return viewport.getContainerSize().x / shown / this.slide.mpp;
  }

  #drawScale() {
    if (!this.osd.viewport || !this.osd.world.getItemCount()) return;
    const { pxPerUm } = this;
    const length = barLength(pxPerUm, SCALE_BAR_PX);
    if (!length) return; // there is no room yet
    const bar = this.host.querySelector(".scale-bar");
    bar.style.width = `${length * pxPerUm}px`;
    bar.textContent = lengthText(length);
    this.host.querySelector(".lens").textContent = `${Number((1 / pxPerUm).toPrecision(2))} µm a pixel`;
  }

  #key(event) {
    const { viewport } = this.osd;
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (steps) {
      const { width, height } = viewport.getBounds();
      viewport.panBy(new OSD.Point(steps[0] * width * 0.25, steps[1] * height * 0.25));
    } else if (event.key === "+" || event.key === "=") viewport.zoomBy(ZOOM_STEP);
    else if (event.key === "-") viewport.zoomBy(1 / ZOOM_STEP);
    else if (event.key === "0") viewport.goHome();
    else return;
    viewport.applyConstraints();
    event.preventDefault();
  }
}
