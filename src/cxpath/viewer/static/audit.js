/** The audit: one blind crop at a time, its cell in the middle, answered by a key; then squares of missed cells. */

import { announce, byId, counted, drawn, element, keyButton, refill } from "./dom.js";
import { twoDecimals } from "./printed.js";
import { orNull, review } from "./review.js";
import { leftSentence } from "./score_line.js";
import { read } from "./server.js";
import { barLength, lengthText } from "./slide_view.js";
import { SquareStep } from "./squares.js";

const WIDTHS_UM = [32, 48, 64, 96, 160, 320];
const FIRST_WIDTH = 3;
const LARGEST_PX = 1024;
const AHEAD = 3;
/** From and to where ticks point at the cell, outside even a large one. */
const [NEAR_UM, FAR_UM] = [11, 14];

const CHOICES = [
  ["1", "tumour", "Tumour cell", "viable and invasive"],
  ["2", "immune", "Immune cell that counts", "lymphocyte or macrophage"],
  ["3", "other", "Other cell", "stroma, neutrophil, plasma cell"],
  ["4", "not a cell", "Not a cell", "debris, pigment, nothing"],
  ["U", "cannot tell", "Cannot tell", "rather than guess"],
];
const STAINABLE = new Set(["tumour", "immune"]);

const RULES = [
  ["Tumour cell", "Viable cell of the invasive tumour. Not carcinoma in situ, CIN or benign epithelium."],
  ["Stained tumour cell", "Convincing membrane staining, partial or complete, at any intensity."],
  ["Immune cell that counts", "Lymphocyte or macrophage. Not neutrophils, eosinophils or plasma cells."],
  ["Stained immune cell", "Membrane or cytoplasm, at any intensity."],
];

export class AuditView {
  constructor(stage, panel) {
    this.stage = stage;
    this.panel = panel;
    this.width = FIRST_WIDTH;
    this.place = 0;
    this.clear();
    this.squares = new SquareStep(this);
    review.on("refused", ({ item }) => item.path.startsWith("/api/audit") && this.load());
    review.on("decided", ({ item }) => {
      if (!item || item.path === "/api/undo") this.load({ follow: item !== null });
    });
    review.on("state", () => this.shown && this.audit && this.#showProgress());
    new ResizeObserver(() => this.shown && this.#fit()).observe(stage);
  }

  clear() {
    this.choice = null;
    this.stained = null;
  }

  async enter() {
    this.shown = true;
    await this.load();
  }

  leave() {
    this.shown = false;
  }

  /** Fetch the questions; `follow` goes to the one whose answer was taken back. */
  async load({ follow = false } = {}) {
    const before = this.audit;
    const mine = (this.loads = (this.loads ?? 0) + 1);
    const found = review.state.audit ? await orNull(read("/api/audit")) : null;
    if (mine !== this.loads) return; // a later one shows what it finds
    this.audit = found;
    if (this.audit) this.#keepWaiting();
    const same = Boolean(before && this.audit && before.name === this.audit.name);
    const reopened = same && follow ? this.#reopened(before) : -1;
    const place = reopened >= 0 ? reopened : same ? this.place : this.#firstOpen();
    if (!same || place !== this.place) this.clear();
    this.place = place;
    if (this.shown) this.render();
  }

  /** Answers and counts that still wait for the server count as given. */
  #keepWaiting() {
    for (const { path, body } of review.outbox.items) {
      if (path === "/api/audit/answer")
        this.audit.questions[body.number - 1].answer = { class: body.class, stained: body.stained };
      if (path === "/api/audit/square") {
        const { number, shown_ms, ...counts } = body;
        this.keepCounts(number, counts);
      }
    }
  }

  /** Note what was counted: the form of a square may be older than the squares, which are fetched again. */
  keepCounts(number, counts) {
    this.audit.squares[number - 1].counts = counts;
  }

  #reopened(before) {
    return this.audit.questions.findIndex(
      ({ answer }, place) => JSON.stringify(answer) !== JSON.stringify(before.questions[place].answer),
    );
  }

  #firstOpen() {
    const open = this.audit ? this.audit.questions.findIndex(({ answer }) => !answer) : -1;
    if (open < 0 && this.audit) return this.audit.questions.length;
    return Math.max(open, 0);
  }

  get question() {
    return this.audit?.questions[this.place];
  }

  get answered() {
    return this.audit.questions.filter(({ answer }) => answer).length;
  }

  // Answers.

  /** Choose a class; the answer is given as soon as nothing is left to ask. */
  choose(name) {
    if (!this.question) return;
    this.choice = name;
    const needs = STAINABLE.has(name) && this.question.asks_stained && this.stained === null;
    if (!needs) {
      this.#give();
      return;
    }
    announce("Stained? P for stained, N for not stained.");
    this.#renderPanel();
  }

  /** Say whether the cell is stained; before a class it is remembered, after it the answer is given. */
  setStained(stained) {
    if (!this.question) return;
    this.stained = stained;
    if (this.choice) this.#give();
    else this.#renderPanel();
  }

  toggleStained() {
    if (this.choice) this.setStained(true);
    else this.setStained(this.stained === true ? null : true);
  }

  #give() {
    const { question } = this;
    const stained = STAINABLE.has(this.choice) ? this.stained : null;
    const shown_ms = Math.round(performance.now() - this.shownAt);
    question.answer = { class: this.choice, stained };
    review.decide("/api/audit/answer", { number: question.number, class: this.choice, stained, shown_ms });
    this.clear();
    this.place = this.#nextOpen();
    this.render();
  }

  #nextOpen() {
    const { questions } = this.audit;
    for (let step = 1; step <= questions.length; step++) {
      const place = (this.place + step) % questions.length;
      if (!questions[place].answer) return place;
    }
    return questions.length; // every cell is answered: the summary
  }

  go(step) {
    if (!this.audit) return;
    const last = this.audit.questions.length + this.audit.squares.length;
    this.place = Math.min(Math.max(this.place + step, 0), last);
    this.clear();
    this.render();
  }

  zoom(step) {
    this.width = Math.min(Math.max(this.width + step, 0), WIDTHS_UM.length - 1);
    this.#fit();
    announce(`${WIDTHS_UM[this.width]} µm wide`);
  }

  /** Go on to what is open: with an answer half given, the rest of it is left open. */
  accept() {
    if (!this.audit) return;
    this.place = this.answered < this.audit.questions.length ? this.#nextOpen() : this.audit.questions.length;
    this.clear();
    this.render();
  }

  handlers = {
    1: () => this.choose("tumour"),
    2: () => this.choose("immune"),
    3: () => this.choose("other"),
    4: () => this.choose("not a cell"),
    u: () => this.choose("cannot tell"),
    p: () => this.toggleStained(),
    n: () => this.setStained(false),
    " ": () => this.accept(),
    "[": () => this.go(-1),
    "]": () => this.go(1),
    "+": () => this.zoom(-1),
    "=": () => this.zoom(-1),
    "-": () => this.zoom(1),
    escape: () => {
      this.clear();
      this.render();
    },
  };

  hideMarks(hidden) {
    this.stage.classList.toggle("marks-hidden", hidden);
  }

  // What is shown.

  render() {
    this.shownAt = performance.now();
    const square = this.audit?.squares[this.place - this.audit.questions.length];
    if (!this.audit) this.#renderStart();
    else if (this.question) this.#renderQuestion();
    else if (square) this.squares.render(square);
    else this.#renderSummary();
    if (this.audit && !square) this.#renderPanel();
  }

  #renderQuestion() {
    const { number } = this.question;
    const total = this.audit.questions.length;
    this.picture = element("img", { alt: `Cell ${number} of ${total}: the cell in the middle`, draggable: "false" });
    this.bar = element("span", { class: "scale-bar" });
    const frame = element("div", { class: "crop" }, this.picture, reticle(WIDTHS_UM[this.width]), this.bar);
    const heading = element("h1", { class: "stage-heading", text: `Cell ${number} of ${total}` });
    const nearer = keyButton("Nearer", "+", () => this.zoom(-1));
    const farther = keyButton("Farther", "−", () => this.zoom(1));
    const marks = element("span", { class: "quiet" }, "hold ", element("kbd", { text: "H" }), " to hide the marks");
    const tools = element("div", { class: "crop-tools" }, nearer, farther, marks);
    this.stage.replaceChildren(heading, frame, tools);
    this.frame = frame;
    this.#fit();
    announce(`Cell ${number} of ${total}. ${this.question.asks_stained ? "Class and staining." : "Class."}`);
  }

  /** Give the crop the room that there is, and fetch it as sharp as the screen shows it. */
  #fit() {
    if (!this.frame?.isConnected || !this.question) return;
    const room = Math.min(this.stage.clientHeight - 120, this.stage.clientWidth - 48);
    const side = Math.max(240, room);
    this.frame.style.width = this.frame.style.height = `${side}px`;
    const um = WIDTHS_UM[this.width];
    const length = barLength(side / um, side / 4);
    this.bar.style.width = `${(length * side) / um}px`;
    this.bar.textContent = lengthText(length);
    this.frame.querySelector(".reticle").replaceWith(reticle(um));
    this.picture.src = this.#source(this.question.number);
    for (let next = 1; next <= AHEAD; next++) {
      const after = this.audit.questions[this.place + next];
      if (after) new Image().src = this.#source(after.number);
    }
  }

  #source(number) {
    const side = parseFloat(this.frame.style.width) * window.devicePixelRatio;
    const px = Math.min(LARGEST_PX, Math.ceil(side / 128) * 128);
    return `/audit/${number}.jpg?um=${WIDTHS_UM[this.width]}&px=${px}&audit=${this.audit.name}`;
  }

  #renderPanel() {
    const asking = this.question;
    const parts = [element("h2", { text: "Audit" }), this.#progress()];
    if (asking) parts.push(this.#choices(), this.#staining(), this.#before());
    parts.push(this.#overview());
    refill(this.panel, ...parts);
  }

  #progress() {
    const bar = element("progress", { id: "audit-progress", "aria-label": "Answered cells" });
    const words = element("p", { id: "audit-words", class: "quiet" });
    const host = element("div", { class: "audit-progress" }, bar, words);
    queueMicrotask(() => this.#showProgress());
    return host;
  }

  #showProgress() {
    const bar = byId("audit-progress");
    if (!bar) return;
    bar.max = this.audit.questions.length;
    bar.value = this.answered;
    byId("audit-words").textContent = `${this.answered} of ${bar.max} answered · ${leftSentence(review.state)}`;
  }

  #choices() {
    const given = this.choice ?? this.question.answer?.class;
    const buttons = CHOICES.map(([key, name, label, hint]) => {
      const button = keyButton(label, key, () => this.choose(name), {
        class: "choice",
        "aria-pressed": String(given === name),
        "data-choice": name,
      });
      button.append(element("small", { text: hint }));
      return button;
    });
    return element("div", { class: "choices", role: "group", "aria-label": "What is the cell?" }, ...buttons);
  }

  #staining() {
    if (!this.question.asks_stained) {
      const said = this.stained ? "You say that it is stained." : "Staining is not asked for this cell.";
      return element("p", { class: "quiet staining-note", text: said });
    }
    const waiting = this.choice !== null;
    const given = this.choice ? this.stained : (this.stained ?? this.question.answer?.stained);
    const yes = keyButton("Stained", "P", () => this.setStained(true), { "aria-pressed": String(given === true) });
    const no = keyButton("Not stained", "N", () => this.setStained(false), {
      "aria-pressed": String(given === false),
    });
    const ask = waiting ? "Is it stained?" : "Answer the staining, too";
    return element(
      "fieldset",
      { class: waiting ? "staining waiting" : "staining" },
      element("legend", { text: ask }),
      element("div", { class: "pair" }, yes, no),
      element("p", {
        class: "quiet",
        text: "Membrane, any intensity; immune: also cytoplasm.",
      }),
    );
  }

  #before() {
    const { answer } = this.question;
    if (!answer) return null;
    const stain = answer.stained === null ? "" : answer.stained ? ", stained" : ", not stained";
    return element("p", { class: "given", text: `Your answer: ${answer.class}${stain}. Another one replaces it.` });
  }

  /** One small button a question: what is answered, what is open, and a way there. */
  #overview() {
    const questions = this.audit.questions.map(({ number, answer }, place) => this.#dot(number, answer, place, "Cell"));
    const squares = this.audit.squares.map(({ number, counts }, place) =>
      this.#dot(number, counts, this.audit.questions.length + place, "Square"),
    );
    return element(
      "details",
      { class: "overview", open: true },
      element("summary", { text: "All questions" }),
      element("div", { class: "dots" }, ...questions),
      squares.length ? element("p", { class: "quiet", text: "Squares of missed cells" }) : null,
      squares.length ? element("div", { class: "dots" }, ...squares) : null,
    );
  }

  #dot(number, answer, place, noun) {
    const here = place === this.place;
    return element("button", {
      type: "button",
      tabindex: here ? "0" : "-1",
      class: `dot${answer ? " done" : ""}`,
      "aria-current": here ? "step" : null,
      "aria-label": `${noun} ${number}, ${answer ? "answered" : "open"}`,
      title: `${noun} ${number}`,
      onclick: () => this.go(place - this.place),
    });
  }

  // Before the first question and after the last.

  #renderStart() {
    const cells = element("select", { id: "audit-cells" }, ...[60, 100, 150, 200].map((number) => option(number, 100)));
    const squares = element("select", { id: "audit-squares" }, ...[0, 4, 8, 16].map((number) => option(number, 0)));
    const start = element("button", {
      type: "button",
      class: "primary",
      id: "audit-start",
      text: "Start the audit",
      onclick: () => this.draw(Number(cells.value), Number(squares.value)),
    });
    const card = element(
      "section",
      { class: "card" },
      element("h1", { text: "Audit this slide in about four minutes" }),
      element("p", {
        text: "Cells are chosen at random and shown one by one. The network's calls stay hidden. Your answers give a CPS and an interval that do not rely on the network.",
      }),
      element("label", { class: "row", for: "audit-cells" }, "Cells to answer", cells),
      element("label", { class: "row", for: "audit-squares" }, "Squares of 50 µm to look for missed cells", squares),
      element("p", { class: "quiet", text: "100 cells take three to four minutes. Without squares, the audit says nothing about cells that the network missed." }),
      start,
    );
    this.stage.replaceChildren(card);
    this.panel.replaceChildren(
      element("h2", { text: "What counts" }),
      element("dl", { class: "rules" }, ...RULES.flatMap(([name, rule]) => [element("dt", { text: name }), element("dd", { text: rule })])),
      element("p", { class: "quiet", text: "The sample is recorded before the first answer. Answers can be replaced and undone at any time." }),
    );
    start.focus();
  }

  async draw(cells, squares) {
    try {
      await review.decide("/api/audit/draw", { cells, squares, seed: null });
    } catch {
      return; // said by the review
    }
    this.audit = null;
    await this.load();
    review.loadCells().catch((error) => review.complain(error)); // drawn cells are hidden from now on
  }

  #renderSummary() {
    const { state } = review;
    const open = this.audit.questions.length - this.answered;
    const squares = this.audit.squares.filter(({ counts }) => !counts).length;
    const left = [open && counted(open, "cell"), squares && counted(squares, "square")].filter(Boolean).join(" and ");
    const lines = left ? [element("p", { text: `${left} are still open.` })] : this.#result(state);
    const goOn = left
      ? keyButton("Continue", "Space", () => (open ? this.accept() : this.#firstSquare()), { class: "primary" })
      : element("button", {
          type: "button",
          class: "primary",
          text: "Sign the review…",
          onclick: () => window.dispatchEvent(new CustomEvent("sign-wanted")),
        });
    const heading = element("h1", { text: left ? "Not complete yet" : "The audit is complete", tabindex: "-1" });
    this.stage.replaceChildren(element("section", { class: "card" }, heading, ...lines, goOn));
    if (!left && !state.audited) {
      const again = () => {
        review.removeEventListener("state", again);
        if (this.shown && !this.question) this.render();
      };
      review.addEventListener("state", again);
    }
  }

  #firstSquare() {
    this.place = this.audit.questions.length + this.audit.squares.findIndex(({ counts }) => !counts);
    this.render();
  }

  #result({ audited, network }) {
    if (!audited) return [element("p", { class: "quiet", text: "The last answers are on their way to the server." })];
    const words = `${Math.round(audited.level * 100)} % interval ${audited.interval_reported}, from ${audited.n} answers by ${audited.reviewer}.`;
    const own = network.cps === null ? "not evaluable" : `${network.reported} (${network.interval_reported})`;
    const warnings = (audited.warnings ?? []).map((warning) => element("p", { class: "warning", text: warning }));
    return [
      element("p", { class: "big-score" }, "CPS ", element("strong", { id: "audited-cps", text: audited.reported })),
      element("p", { text: words }),
      audited.cannot_tell
        ? element("p", {
            text: `${counted(audited.cannot_tell, "cell")} could not be classified; counted both ways: CPS ${audited.bounds.map(twoDecimals).join(" to ")}.`,
          })
        : element("p", { class: "quiet", text: "Every cell could be classified." }),
      element("p", { class: "quiet", text: `The network alone: ${own}.` }),
      ...warnings,
    ];
  }
}

const option = (number, chosen) => element("option", { value: number, selected: number === chosen, text: number });

/** Ticks that point at the middle of a crop of this width, and leave the cell and its neighbours free. */
function reticle(um) {
  const half = um / 2;
  const spans = [[NEAR_UM, FAR_UM], [half * 0.9, half]];
  const lines = spans.flatMap(([near, far]) =>
    [[0, 1], [0, -1], [1, 0], [-1, 0]].map(([x, y]) => `M${x * near} ${y * near}L${x * far} ${y * far}`),
  );
  const path = () => drawn("path", { d: lines.join("") });
  const below = drawn("g", { class: "below" }, path());
  const box = `${-half} ${-half} ${um} ${um}`;
  return drawn("svg", { class: "reticle", viewBox: box, "aria-hidden": "true" }, below, drawn("g", {}, path()));
}
