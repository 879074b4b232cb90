/** A reader's way through a study: one slide at a time, its questions, and what was entered kept as it is typed. */

import { announce, byId } from "../dom.js";
import { ConnectionLost, post, read, ServerError, useSession } from "../server.js";
import { AnswerForm } from "./answer_form.js";
import { StudySlide } from "./study_slide.js";
import { Stopwatch } from "./stopwatch.js";

const KEEP_MS = 1500;
const PULSE_MS = 15000;
const RETRY_MS = 2500;
const LEFT = "cxpath-study-entered";

const page = { study: null, open: null, form: null, slide: null, watch: new Stopwatch() };
let keeping = Promise.resolve();
let keepTimer = null;

// What is shown.

function say(sentence) {
  const line = byId("message");
  line.textContent = sentence || "";
  line.hidden = !sentence;
}

function connected(works) {
  const line = byId("connection");
  line.textContent = works ? "" : "No connection to the server. What you enter is sent when it is back.";
  line.classList.toggle("lost", !works);
}

function showStudy(study) {
  page.study = study;
  useSession(study);
  byId("study-name").textContent = study.study;
  byId("reader-name").textContent = study.reader;
  byId("version").textContent = `cxpath ${study.version}`;
  byId("research-use").textContent = study.research_use;
  byId("progress-text").textContent = `${study.read} of ${study.planned} read`;
  byId("progress").max = study.planned;
  byId("progress").value = study.read;
}

function showRest() {
  const { stage, opens_utc, read: done, planned } = page.study;
  byId("reading").hidden = true;
  byId("rest").hidden = false;
  byId("slide-code").textContent = "";
  const words = {
    done: ["All slides are read", "Thank you. You can close this page."],
    "wash-out": [
      "The next round is not open yet",
      `It opens on ${opens_utc ? new Date(opens_utc).toLocaleString("en-GB") : ""}. Come back with the same token.`,
    ],
    reading: [
      done ? "Continue reading" : "Ready",
      done
        ? `${done} of ${planned} slides are read. What you entered about the open slide is kept.`
        : "Time is measured while a slide's page is in front. You can stop at any time and come back.",
    ],
  }[stage];
  byId("rest-title").textContent = words[0];
  byId("rest-text").textContent = words[1];
  byId("start").hidden = stage !== "reading";
  if (stage === "reading") byId("start").focus();
}

function showOpen(answer) {
  showStudy(answer);
  page.open = answer.open;
  byId("rest").hidden = true;
  byId("reading").hidden = false;
  byId("slide-code").textContent = page.open.code;
  byId("trouble").hidden = true;
  byId("kept").textContent = "";
  showNotice();
  const before = enteredBefore();
  page.form = new AnswerForm(byId("questions"), page.study, before.given, entered);
  page.slide?.close();
  page.slide = new StudySlide(byId("slide-host"), page.open);
  page.watch.start(before.shown_ms);
  announce(`Slide ${page.open.code} is open`);
}

function showNotice() {
  const { practice, arm, software, earlier } = page.open;
  const parts = [];
  if (practice) parts.push(notice("practice", "Practice: this answer is not part of the study."));
  if (arm === "aided") {
    const said = software === "not evaluable" ? "not evaluable" : String(software);
    const box = notice("software", `${page.study.score} of the software`);
    box.append(paragraph(said, "value"));
    if (earlier) box.append(paragraph(`You answered: ${earlier.adequate ? earlier.score : "cannot be scored"}`));
    parts.push(box);
  }
  byId("notice").replaceChildren(...parts);
}

function notice(kind, text) {
  const box = document.createElement("div");
  box.className = `notice ${kind}`;
  box.append(paragraph(text));
  return box;
}

function paragraph(text, kind = "") {
  const made = document.createElement("p");
  made.textContent = text;
  made.className = kind;
  return made;
}

// What is kept: in this tab at once, then on the server, one draft after the other.

/** Keep what was entered in this tab, for the case that the session ends before the server has it. */
function keepHere() {
  if (!page.open) return;
  const { reader } = page.study;
  sessionStorage.setItem(LEFT, JSON.stringify({ reader, code: page.open.code, ...draft() }));
}

/** Return what this tab had kept about the slide that is open, or what the server has. */
function enteredBefore() {
  const left = JSON.parse(sessionStorage.getItem(LEFT) || "null");
  const { code, position, given, shown_ms } = page.open;
  const same = left && left.reader === page.study.reader && left.code === code && left.position === position;
  return same ? { given: left.given, shown_ms: Math.max(left.shown_ms, shown_ms) } : { given, shown_ms };
}

function entered() {
  byId("trouble").hidden = true;
  byId("kept").textContent = "";
  keepHere();
  clearTimeout(keepTimer);
  keepTimer = setTimeout(keep, KEEP_MS);
}

function draft() {
  return { position: page.open.position, given: page.form.given, shown_ms: page.watch.ms };
}

function keep() {
  clearTimeout(keepTimer);
  if (!page.open) return keeping;
  const body = draft();
  keeping = keeping.then(() => send(body));
  return keeping;
}

async function send(body) {
  if (page.open?.position !== body.position) return;
  try {
    await post("/api/draft", body);
    connected(true);
    byId("kept").textContent = "Kept.";
  } catch (error) {
    if (error instanceof ConnectionLost) {
      connected(false);
      keepTimer = setTimeout(keep, RETRY_MS);
    } else handled(error);
  }
}

/** The page goes out of sight: what was entered goes to the server without waiting. */
function keepNow() {
  if (!page.open) return;
  const headers = { "Content-Type": "application/json", "X-CXPath-CSRF": page.study.csrf };
  fetch("/api/draft", { method: "POST", headers, body: JSON.stringify(draft()), keepalive: true }).catch(() => {});
}

async function submit(event) {
  event.preventDefault();
  const missing = page.form.missing();
  if (missing) return trouble(missing.message, missing.question);
  const button = byId("submit");
  button.disabled = true;
  clearTimeout(keepTimer);
  await keeping;
  const body = draft();
  try {
    const study = await untilConnected(() => post("/api/submit", body));
    sessionStorage.removeItem(LEFT);
    page.open = null;
    page.watch.stop();
    showStudy(study);
    if (study.stage === "reading") await openNext();
    else showRest();
  } catch (error) {
    handled(error);
  }
  button.disabled = false;
}

async function untilConnected(request) {
  for (;;) {
    try {
      const answer = await request();
      connected(true);
      return answer;
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
      connected(false);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

async function openNext() {
  say("");
  try {
    showOpen(await untilConnected(() => post("/api/show", {})));
  } catch (error) {
    handled(error);
  }
}

function trouble(sentence, question) {
  byId("trouble").textContent = sentence;
  byId("trouble").hidden = false;
  page.form?.mark(question);
}

function handled(error) {
  if (!(error instanceof ServerError)) throw error;
  if (error.status === 401) {
    keepHere();
    location.replace("/enter");
  } else if (error.code === "answer") trouble(error.sentence, error.question);
  else say(error.sentence);
}

async function begin() {
  try {
    showStudy(await untilConnected(() => read("/api/study")));
    showRest();
  } catch (error) {
    handled(error);
  }
}

byId("start").addEventListener("click", openNext);
byId("answers").addEventListener("submit", submit);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") keepNow();
});
window.addEventListener("pagehide", keepNow);
setInterval(() => {
  if (page.open && document.visibilityState === "visible") keep();
}, PULSE_MS);
begin();
