/** How long a slide has been in front of the reader: the clock stands still while the page is hidden. */

export class Stopwatch {
  constructor() {
    this.before = 0;
    this.since = null;
    document.addEventListener("visibilitychange", () => this.#seen());
  }

  /** Begin with what was looked at before an interruption. */
  start(before_ms) {
    this.before = before_ms;
    this.running = true;
    this.since = null;
    this.#seen();
  }

  stop() {
    this.before = this.ms;
    this.running = false;
    this.since = null;
  }

  /** Milliseconds in all. */
  get ms() {
    return Math.round(this.before + (this.since === null ? 0 : performance.now() - this.since));
  }

  #seen() {
    const visible = document.visibilityState === "visible";
    if (!visible) this.before = this.ms;
    if (this.running) this.since = visible ? performance.now() : null;
  }
}
