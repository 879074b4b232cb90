/** The questions about a slide: what is asked is forced, and a side must agree with the score. */

import { element } from "../dom.js";

const CONFIDENCE = [1, 2, 3, 4, 5];

export class AnswerForm {
  /**
   * @param {HTMLElement} host
   * @param {object} study with score, largest, cutoffs and questions
   * @param {object} given what was entered before an interruption
   * @param {() => void} onChange
   */
  constructor(host, study, given, onChange) {
    Object.assign(this, { host, study });
    this.asked = study.questions;
    host.replaceChildren(...this.#questions());
    this.#fill(given);
    host.oninput = () => {
      this.mark(null);
      this.#follow();
      onChange();
    };
    this.#follow();
    host.querySelector("input")?.focus();
  }

  // What was entered.

  /** What was entered so far, as the server takes it. */
  get given() {
    const found = {};
    const adequate = this.#chosen("adequate");
    if (this.asked.adequacy) {
      if (adequate !== null) found.adequate = adequate === "yes";
    }
    if (found.adequate !== false) {
      const text = this.#score.value.trim();
      if (text) found.score = this.#number(text) ?? text;
      const sides = this.#sides();
      if (Object.keys(sides).length) found.sides = sides;
    }
    if (this.asked.confidence && this.#chosen("confidence")) found.confidence = Number(this.#chosen("confidence"));
    if (this.asked.comment) {
      const comment = this.host.querySelector("textarea").value.trim();
      if (comment) found.comment = comment;
    }
    return found;
  }

  /** The first question without an answer that fits, or null. */
  missing() {
    const given = this.given;
    if (this.asked.adequacy && given.adequate === undefined)
      return { question: "adequate", message: "Say whether the slide can be scored." };
    if (given.adequate !== false) {
      const score = given.score;
      if (typeof score !== "number" || score < 0 || score > this.study.largest)
        return { question: "score", message: `Give the ${this.study.score} as a number from 0 to ${this.study.largest}.` };
      const open = this.asked.sides && this.study.cutoffs.find((cutoff) => given.sides?.[cutoff] === undefined);
      if (open) return { question: "sides", message: `Say whether the ${this.study.score} reaches ${open}.` };
      const wrong = this.asked.sides && this.study.cutoffs.find((cutoff) => given.sides[cutoff] !== score >= Number(cutoff));
      if (wrong) return { question: "sides", message: `A ${this.study.score} of ${score} contradicts your answer for ${wrong}.` };
    }
    if (this.asked.confidence && !given.confidence)
      return { question: "confidence", message: "Say how confident you are." };
    return null;
  }

  /** Show which question keeps the answer from being submitted; null for none. */
  mark(question) {
    for (const one of this.host.children) one.classList.toggle("missing", one.dataset.question === question);
    this.host.querySelector(".missing input")?.focus();
  }

  get #score() {
    return this.host.querySelector("input[name=score]");
  }

  #number(text) {
    return /^\d+([.,]\d+)?$/.test(text) ? Number(text.replace(",", ".")) : null;
  }

  #chosen(name) {
    return this.host.querySelector(`input[name="${name}"]:checked`)?.value ?? null;
  }

  #sides() {
    const found = {};
    for (const cutoff of this.asked.sides ? this.study.cutoffs : []) {
      const side = this.#chosen(`side-${cutoff}`);
      if (side) found[cutoff] = side === "yes";
    }
    return found;
  }

  /** A slide that cannot be scored is asked for no score. */
  #follow() {
    const closed = this.asked.adequacy && this.#chosen("adequate") === "no";
    for (const name of ["score", "sides"]) {
      const part = this.host.querySelector(`[data-question=${name}]`);
      if (part) part.hidden = closed;
    }
  }

  #fill(given) {
    const choose = (name, value) => {
      const input = this.host.querySelector(`input[name="${name}"][value="${value}"]`);
      if (input) input.checked = true;
    };
    if (given.adequate !== undefined) choose("adequate", given.adequate ? "yes" : "no");
    if (given.score !== undefined && given.score !== null) this.#score.value = String(given.score);
    for (const [cutoff, side] of Object.entries(given.sides || {})) choose(`side-${cutoff}`, side ? "yes" : "no");
    if (given.confidence) choose("confidence", given.confidence);
    if (given.comment && this.asked.comment) this.host.querySelector("textarea").value = given.comment;
  }

  // The questions as elements.

  #questions() {
    const { score, largest, cutoffs } = this.study;
    return [
      this.asked.adequacy && this.#group("adequate", "Can this slide be scored?", this.#yesNo("adequate")),
      element(
        "div",
        { class: "question", "data-question": "score" },
        element("label", { class: "title", for: "score-input", text: `${score} (0 to ${largest})` }),
        element("input", { type: "text", name: "score", id: "score-input", inputmode: "decimal" }),
      ),
      this.asked.sides &&
        this.#group("sides", `Does the ${score} reach`, ...cutoffs.map((cutoff) => this.#side(score, cutoff))),
      this.asked.confidence &&
        this.#group(
          "confidence",
          "How confident are you?",
          this.#choices("confidence", CONFIDENCE.map((value) => [value, String(value)])),
          element("p", { class: "ends quiet" }, element("span", { text: "guess" }), element("span", { text: "certain" })),
        ),
      this.asked.comment &&
        element(
          "div",
          { class: "question", "data-question": "comment" },
          element("label", { class: "title", for: "comment-input", text: "Comment (optional)" }),
          element("textarea", { id: "comment-input", maxlength: 2000 }),
        ),
    ].filter(Boolean);
  }

  #group(name, title, ...parts) {
    return element(
      "fieldset",
      { class: "question", "data-question": name },
      element("legend", { text: title }),
      ...parts,
    );
  }

  #side(score, cutoff) {
    return element(
      "div",
      { class: "side", role: "group", "aria-label": `${score} at least ${cutoff}` },
      element("span", { text: `≥ ${cutoff}` }),
      this.#yesNo(`side-${cutoff}`),
    );
  }

  #yesNo(name) {
    return this.#choices(name, [["yes", "Yes"], ["no", "No"]]);
  }

  #choices(name, values) {
    return element(
      "div",
      { class: "options" },
      ...values.map(([value, text]) =>
        element("label", {}, element("input", { type: "radio", name, value }), element("span", { text })),
      ),
    );
  }
}
