/** What the page knows of the review: session, slide, state of the score, cells; and how a decision is made. */

import { announce } from "./dom.js";
import { CellTable } from "./cells.js";
import { ConnectionLost, Outbox, ServerError, post, read, readBytes, useSession } from "./server.js";

const POLL_MS = 3000;

class Review extends EventTarget {
  session = null;
  slide = null;
  state = null;
  /** @type {CellTable | null} */
  cells = null;

  /** Load everything that the first view needs. */
  async open() {
    this.session = await read("/api/session");
    useSession(this.session);
    this.outbox = new Outbox({
      onDone: (answer, item) => this.take(answer, item),
      onRefused: (error, item) => this.#refused(error, item),
      onWaits: (error) => this.complain(error),
      onChange: (connection) => this.tell("connection", connection),
      shown: () => this.cells?.events ?? 0,
    });
    [this.slide, this.state] = await Promise.all([read("/api/slide"), read("/api/state")]);
    await this.loadCells();
    this.outbox.send();
    setInterval(() => this.lookForChanges(), POLL_MS);
    window.addEventListener("focus", () => this.lookForChanges());
  }

  /** Listen to "state", "cells", "selection", "connection", "message", "decided". */
  on(name, listener) {
    this.addEventListener(name, (event) => listener(event.detail));
  }

  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  async loadCells() {
    this.cells = new CellTable(await readBytes(this.slide.cells_url));
    this.tell("cells", null);
  }

  /** Make a decision; the promise ends when the server has it, and fails with what it said against it. */
  decide(path, body = {}) {
    const done = this.outbox.add(path, body);
    done.catch(() => {}); // shown by #refused to everybody; whoever awaits gets it, too
    return done;
  }

  /** Wait until the server has every decision. */
  async idle() {
    while (this.outbox.waiting)
      await new Promise((resolve) => this.addEventListener("connection", resolve, { once: true }));
  }

  /** Take the server's answer to a decision. */
  take(answer, item) {
    this.complained = null;
    const whole = !answer.changes || this.#patch(answer.changes);
    if (answer.state) this.#show(answer.state);
    if (!whole) queueMicrotask(() => this.lookForChanges({ unseen: true }));
    this.tell("decided", { answer, item });
    const said = answer.state?.last?.text;
    if (said) announce(`${said}. ${this.scoreSentence()}`);
  }

  /** Return the leading score in words. */
  scoreSentence() {
    const { audited, edited, network } = this.state;
    const [name, one] = audited ? ["Audited", audited] : edited ? ["Edited", edited] : ["Network", network];
    if (one.cps === null) return `${name} score not evaluable.`;
    return `${name} CPS ${one.reported}, interval ${one.interval_reported}.`;
  }

  /** Give the reviewer's printed name. */
  async name(name) {
    this.session = await post("/api/reviewer", { name });
    useSession(this.session);
    this.tell("session", this.session);
    this.outbox.send();
  }

  /** Look whether another tab decided something. */
  async lookForChanges({ unseen = false } = {}) {
    if (this.looking || !this.cells || (document.hidden && !unseen)) return;
    if (this.outbox.waiting && this.outbox.connected) return; // the answer on its way says more
    this.looking = true;
    try {
      const since = this.cells.events;
      const changes = await read(`/api/changes?since=${since}`);
      if (!this.outbox.connected) this.outbox.send();
      this.tell("connection", { connected: true, waiting: this.outbox.waiting });
      const known = changes.events <= this.state.events && changes.events <= this.cells.events;
      if (known || this.outbox.waiting) return;
      this.#patch(changes, since);
      this.#show(await read("/api/state"));
      this.tell("decided", { answer: null, item: null });
    } catch (error) {
      if (error instanceof ConnectionLost)
        this.tell("connection", { connected: false, waiting: this.outbox.waiting });
      else this.complain(error);
    } finally {
      this.looking = false;
    }
  }

  /** Show an error of the server in one line with what to do. */
  complain(error) {
    const sentence = error instanceof ServerError ? error.sentence : error.message;
    if (sentence !== this.complained) this.tell("message", { sentence, kind: "error" });
    this.complained = sentence;
    if (!(error instanceof ServerError || error instanceof ConnectionLost)) throw error;
  }

  async #refused(error, item) {
    this.complain(error);
    this.tell("refused", { error, item });
    try {
      await this.loadCells(); // what was shown in advance may not hold
      this.#show(await read("/api/state"));
    } catch (again) {
      if (!(again instanceof ConnectionLost)) this.complain(again);
    }
  }

  #patch(changes, since) {
    if (changes.reload) {
      this.loadCells().catch((error) => this.complain(error));
      return true;
    }
    const whole = this.cells.patch(changes, since);
    this.tell("cells", changes.cells);
    return whole;
  }

  #show(state) {
    if (this.state && state.events < this.state.events) return; // an older answer that came late
    this.state = state;
    this.tell("state", state);
  }
}

export const review = new Review();

/** Return what a promise gives, or null after the server's error was shown. */
export async function orNull(promise) {
  try {
    return await promise;
  } catch (error) {
    review.complain(error);
    return null;
  }
}
