/** Dialogs: the reviewer's name, the signature, the sheet of keys. */

import { byId, element } from "./dom.js";
import { SHEET } from "./keys.js";
import { review } from "./review.js";
import { leading } from "./score_line.js";

/** Ask for the reviewer's printed name; without one the slide can be looked at only. */
export function askName() {
  const dialog = byId("name-dialog");
  if (dialog.open) return;
  dialog.showModal();
}

/** Show the sheet of keys. */
export function showKeys() {
  const dialog = byId("keys-dialog");
  if (!dialog.open) dialog.showModal();
}

/** Ask for the meaning and sign. */
export function askSignature() {
  if (!review.session.reviewer) {
    askName();
    return;
  }
  const dialog = byId("sign-dialog");
  byId("sign-name").textContent = review.session.reviewer;
  byId("sign-what").textContent = whatIsSigned(review.state);
  if (!dialog.open) dialog.showModal();
}

function whatIsSigned(state) {
  const name = leading(state);
  const score = state[name];
  const words = { network: "The network's score", edited: "The score after edits", audited: "The audited score" }[name];
  const value = score.cps === null ? "not evaluable" : `CPS ${score.reported}, interval ${score.interval_reported}`;
  const open = state.audit && !state.audit.complete ? " The audit is not complete: its open questions do not count." : "";
  return `${words}: ${value}.${open} Record of ${state.events} events, head ${state.head_hash.slice(0, 12)}.`;
}

/** Prepare the dialogs. */
export function startDialogs() {
  fillKeys(byId("keys-sheet"));
  for (const button of document.querySelectorAll("dialog [data-close]"))
    button.addEventListener("click", () => button.closest("dialog").close());
  byId("name-form").addEventListener("submit", giveName);
  byId("sign-form").addEventListener("submit", sign);
  window.addEventListener("reviewer-needed", askName);
  window.addEventListener("sign-wanted", askSignature);
}

async function giveName(event) {
  event.preventDefault();
  const name = new FormData(event.target).get("name").trim();
  if (!name) return;
  try {
    await review.name(name);
    byId("name-dialog").close();
  } catch (error) {
    byId("name-fault").textContent = error.sentence ?? error.message;
  }
}

async function sign(event) {
  event.preventDefault();
  const meaning = new FormData(event.target).get("meaning");
  const fault = byId("sign-fault");
  fault.textContent = "";
  try {
    await review.decide("/api/sign", { meaning });
    byId("sign-dialog").close();
    review.tell("message", { sentence: `Signed as ${meaning} by ${review.session.reviewer}.`, kind: "note" });
  } catch (error) {
    fault.textContent = error.sentence ?? error.message;
  }
}

function fillKeys(host) {
  const groups = SHEET.map(([title, rows]) =>
    element(
      "section",
      {},
      element("h3", { text: title }),
      element(
        "dl",
        {},
        ...rows.flatMap(([keys, does]) => [
          element("dt", {}, ...keys.split(" ").map((key) => element("kbd", { text: key }))),
          element("dd", { text: does }),
        ]),
      ),
    ),
  );
  host.replaceChildren(...groups);
}
