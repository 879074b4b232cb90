/** Puts the page together: three queues and the slide, keys, dialogs, what the connection is doing. */

import { AuditView } from "./audit.js";
import { askName, askSignature, showKeys, startDialogs } from "./dialogs.js";
import { announce, byId, counted } from "./dom.js";
import { FieldsMode } from "./fields.js";
import { GalleryMode } from "./gallery.js";
import { startKeys } from "./keys.js";
import { review } from "./review.js";
import { startScoreLine } from "./score_line.js";
import { SlideMode } from "./slide_mode.js";

const MODES = ["audit", "fields", "gallery", "slide"];
const STAGES = { audit: "audit-stage", fields: "slide-stage", gallery: "gallery-stage", slide: "slide-stage" };
const NOTE_MS = 8000;

/** The running page; tests look at it. */
export const page = { modes: {}, mode: null, ready: false };

async function start() {
  try {
    await review.open();
  } catch (error) {
    review.tell("message", { sentence: error.sentence ?? error.message, kind: "error" });
    showMessage({ sentence: `${error.sentence ?? error.message}`, kind: "error" });
    byId("loading").textContent = "The review cannot be shown. Run cxpath review open again and use its link.";
    return;
  }
  startDialogs();
  startScoreLine();
  makeModes();
  follow();
  startKeys(handlerOf, (hidden) => page.modes[page.mode]?.hideMarks(hidden));
  byId("loading").remove();
  await goWhereTheLinkSays();
  window.addEventListener("hashchange", goWhereTheLinkSays);
  if (!review.session.reviewer) askName();
  page.ready = true;
}

function makeModes() {
  const panel = byId("panel");
  const slide = new SlideMode(byId("slide-stage"), panel);
  page.modes = {
    slide,
    fields: new FieldsMode(slide, panel),
    audit: new AuditView(byId("audit-stage"), panel),
    gallery: new GalleryMode(byId("gallery-stage"), panel, (id) => {
      switchTo("slide");
      slide.view.showPlace(review.cells.x[id], review.cells.y[id], 250);
      slide.take(id, { move: false });
    }),
  };
  for (const name of MODES) {
    const tab = byId(`tab-${name}`);
    tab.addEventListener("click", () => switchTo(name));
    tab.addEventListener("keydown", (event) => moveBetweenTabs(event));
  }
}

/** Show one of the queues, or the slide. */
export function switchTo(name) {
  if (page.mode === name) return;
  if (page.mode) page.modes[page.mode].leave();
  page.mode = name;
  byId("panel").replaceChildren();
  for (const mode of MODES) {
    const here = mode === name;
    byId(`tab-${mode}`).setAttribute("aria-selected", String(here));
    byId(`tab-${mode}`).tabIndex = here ? 0 : -1;
  }
  for (const stage of new Set(Object.values(STAGES))) byId(stage).hidden = stage !== STAGES[name];
  document.body.dataset.mode = name;
  history.replaceState(null, "", `#${name}`);
  return page.modes[name].enter();
}

function moveBetweenTabs(event) {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!by) return;
  event.preventDefault();
  event.stopPropagation();
  turn(by);
  byId(`tab-${page.mode}`).focus();
}

function turn(by) {
  const at = MODES.indexOf(page.mode);
  switchTo(MODES[(at + by + MODES.length) % MODES.length]);
}

const EVERYWHERE = {
  z: () => undo(),
  "ctrl+z": () => undo(),
  "?": showKeys,
  ",": () => turn(-1),
  ".": () => turn(1),
};

const handlerOf = (name) => EVERYWHERE[name] ?? page.modes[page.mode]?.handlers[name];

function undo() {
  review.decide("/api/undo");
}

/** Follow links: #field=NUMBER, #field_x=…&field_y=… (the field there), #x=…&y=…, #audit and so on. */
async function goWhereTheLinkSays() {
  const hash = location.hash.slice(1);
  const asked = new URLSearchParams(hash);
  if (asked.has("field")) {
    page.modes.fields.wanted = Number(asked.get("field"));
    await switchTo("fields");
    page.modes.fields.openNumber(Number(asked.get("field")));
  } else if (asked.has("field_x") && asked.has("field_y")) {
    await showFieldAt(Number(asked.get("field_x")), Number(asked.get("field_y")));
  } else if (asked.has("x") && asked.has("y")) {
    await showPlace(Number(asked.get("x")), Number(asked.get("y")));
  } else await switchTo(MODES.includes(hash) ? hash : "audit");
}

/** Show the field at a place, or the place itself where no field with tumour cells is. */
async function showFieldAt(x, y) {
  await switchTo("fields");
  if (!page.modes.fields.openPlace(x, y)) await showPlace(x, y);
}

async function showPlace(x, y) {
  await switchTo("slide");
  page.modes.slide.view.showPlace(x, y);
}

// What everybody should know: messages, connection, reviewer.

function follow() {
  review.on("message", showMessage);
  review.on("connection", showConnection);
  review.on("session", showReviewer);
  showConnection({ connected: true, waiting: review.outbox.waiting });
  showReviewer(review.session);
  byId("slide-name").textContent = review.session.slide;
  byId("slide-name").title = review.session.slide;
  document.title = `Review · ${review.session.slide} · cxpath`;
  byId("research-use").textContent = review.session.research_use;
  byId("undo").addEventListener("click", undo);
  byId("sign").addEventListener("click", askSignature);
  byId("keys").addEventListener("click", showKeys);
  byId("reviewer").addEventListener("click", askName);
  byId("message-close").addEventListener("click", () => (byId("message").hidden = true));
  review.on("state", showUndo);
  showUndo(review.state);
  document.addEventListener("click", leaveButtons);
}

/** A button that was clicked by mouse must not take the next Space: the stage has the keys again. */
function leaveButtons(event) {
  const button = event.target.closest?.("button, summary, input[type=checkbox]");
  if (button && event.detail > 0 && !button.closest("dialog")) document.activeElement?.blur();
}

let noteTimer;
function showMessage({ sentence, kind }) {
  const message = byId("message");
  message.hidden = false;
  message.className = kind;
  byId("message-text").textContent = kind === "error" ? `Error: ${sentence}` : sentence;
  announce(sentence);
  clearTimeout(noteTimer);
  if (kind !== "error") noteTimer = setTimeout(() => (message.hidden = true), NOTE_MS);
}

let wasConnected = true;
function showConnection({ connected, waiting }) {
  const host = byId("connection");
  const kept = waiting ? `${counted(waiting, "decision")} kept, ` : "";
  const text = connected
    ? waiting
      ? `Saving ${counted(waiting, "decision")}…`
      : "✓ All saved"
    : `No connection: ${kept}trying again. Is cxpath review still running?`;
  host.className = connected ? (waiting ? "saving" : "saved") : "lost";
  if (host.textContent !== text) host.textContent = text;
  if (connected !== wasConnected) announce(connected ? "The connection is back." : text);
  wasConnected = connected;
}

function showReviewer({ reviewer }) {
  byId("reviewer").textContent = reviewer ? `Reviewer: ${reviewer}` : "Reviewer: not named";
  byId("reviewer").disabled = Boolean(reviewer);
}

function showUndo({ undo: last }) {
  const button = byId("undo");
  button.disabled = !last;
  button.title = last ? `Take back: ${last.text}` : "Nothing to take back";
}

start();
