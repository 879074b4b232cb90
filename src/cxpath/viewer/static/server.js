/** Requests to the server, and the outbox: a decision is kept until the server has it. */

const PATIENCE_MS = 30000;
const RETRY_MS = 2000;
const MOST_FAULTS = 3;
const KEPT = "cxpath-outbox";

/** What the server said against a request, in one sentence with what to do. */
export class ServerError extends Error {
  constructor(status, error) {
    super(error.message);
    this.status = status;
    this.code = error.code;
    this.question = error.question;
    this.hint = error.hint || "";
  }

  get sentence() {
    return this.hint ? `${this.message} – ${this.hint}` : this.message;
  }
}

/** The server cannot be reached. */
export class ConnectionLost extends Error {}

let csrf = "";

/** Remember the token that every POST carries. */
export function useSession(session) {
  csrf = session.csrf;
}

/** Fetch and take the body; a connection can be lost before the one as well as before the other. */
async function answered(path, options, take = (response) => response.json()) {
  try {
    const response = await fetch(path, { ...options, signal: AbortSignal.timeout(PATIENCE_MS) });
    if (response.ok) return await take(response);
    throw new ServerError(response.status, await errorOf(response));
  } catch (error) {
    if (error instanceof ServerError) throw error;
    throw new ConnectionLost(`No connection to the server (${error.name}) – trying again`);
  }
}

async function errorOf(response) {
  try {
    return (await response.json()).error;
  } catch {
    return { code: "internal", message: `The server answered ${response.status}`, hint: "try again" };
  }
}

/** Return a JSON document of the server. */
export function read(path) {
  return answered(path, { headers: { Accept: "application/json" } });
}

/** Return bytes of the server. */
export function readBytes(path) {
  return answered(path, {}, (response) => response.arrayBuffer());
}

/** Return a name that no other decision has; `crypto.randomUUID` is missing where a proxy speaks plain HTTP. */
function newName() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Post a JSON body and return the answer's document; `name` is the same when the same request is sent again. */
export function post(path, body, name = newName()) {
  const headers = { "Content-Type": "application/json", "X-CXPath-CSRF": csrf, "X-CXPath-Request": name };
  return answered(path, { method: "POST", headers, body: JSON.stringify(body) });
}

/**
 * Decisions on their way to the server, in order and one at a time.
 *
 * Each carries a name of its own, so that one that was sent again after a lost answer is not decided twice.
 * They are kept in the tab's session storage: a reload loses none. A server that refuses a decision ends it
 * and says why; a server that cannot be reached is asked again until it can.
 */
export class Outbox {
  /**
   * @param {(answer: object, item: object) => void} onDone
   * @param {(error: ServerError, item: object) => void} onRefused
   * @param {(error: ServerError) => void} onWaits why what was refused is kept
   * @param {(state: {connected: boolean, waiting: number}) => void} onChange
   * @param {() => number} shown number of events that the page shows
   */
  constructor({ onDone, onRefused, onWaits, onChange, shown }) {
    Object.assign(this, { onDone, onRefused, onWaits, onChange, shown });
    this.items = JSON.parse(sessionStorage.getItem(KEPT) || "[]");
    this.waiters = new Map();
    this.connected = true;
    this.sending = false;
    window.addEventListener("online", () => this.send());
  }

  get waiting() {
    return this.items.length;
  }

  /** Keep a decision and send it; the promise ends when the server has decided. */
  add(path, body) {
    const item = { path, body, name: newName(), faults: 0 };
    this.items.push(item);
    this.#keep();
    const done = new Promise((resolve, reject) => this.waiters.set(item.name, { resolve, reject }));
    this.send();
    return done;
  }

  /** Send what waits. */
  async send() {
    if (this.sending) return;
    this.sending = true;
    clearTimeout(this.timer);
    while (this.items.length && (await this.#sendFirst()));
    this.sending = false;
  }

  async #sendFirst() {
    const item = this.items[0];
    try {
      const answer = await post(`${item.path}?since=${this.shown()}`, item.body, item.name);
      this.#connected(true);
      this.#end(item, "resolve", answer);
      this.onDone(answer, item);
    } catch (error) {
      if (await this.#mustWait(error, item)) {
        this.#connected(error instanceof ServerError);
        this.timer = setTimeout(() => this.send(), RETRY_MS);
        return false;
      }
      if (!(error instanceof ServerError)) throw error;
      this.#end(item, "reject", error);
      this.onRefused(error, item);
    }
    return true;
  }

  /** Whether a decision stays: no connection, no session, no name of the reviewer yet, a fault of the server. */
  async #mustWait(error, item) {
    if (error instanceof ConnectionLost) return true;
    if (!(error instanceof ServerError)) return false;
    if (error.code === "reviewer_needed") window.dispatchEvent(new CustomEvent("reviewer-needed"));
    if (error.code === "csrf") await this.#renewSession();
    const keeps = ["reviewer_needed", "no_session", "csrf"].includes(error.code);
    if (keeps && error.code !== "reviewer_needed") this.onWaits(error);
    return keeps || (error.status >= 500 && ++item.faults <= MOST_FAULTS);
  }

  /** A server that was started again on this port has another token, and knows this tab by its cookie. */
  async #renewSession() {
    try {
      useSession(await read("/api/session"));
    } catch {
      // the next try says what is wrong
    }
  }

  #end(item, how, value) {
    this.items.shift();
    this.#keep();
    this.waiters.get(item.name)?.[how](value);
    this.waiters.delete(item.name);
  }

  #connected(connected) {
    this.connected = connected;
    this.onChange({ connected, waiting: this.waiting });
  }

  #keep() {
    sessionStorage.setItem(KEPT, JSON.stringify(this.items));
    this.onChange({ connected: this.connected, waiting: this.waiting });
  }
}
