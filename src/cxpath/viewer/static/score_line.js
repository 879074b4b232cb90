/** The line that never leaves the screen: three scores side by side, cut-offs, the last action, what is left. */

import { byId, counted, drawn, element } from "./dom.js";
import { twoDecimals } from "./printed.js";
import { review } from "./review.js";

const LOWEST = 0.1;
const TICKS = [0.1, 1, 10, 100];
const [LEFT, RIGHT] = [10, 210];
const SCORES = [
  ["network", "Network"],
  ["edited", "After edits"],
  ["audited", "Audited"],
];
const DECISIONS = {
  met: ["✓", "met"],
  "not met": ["✕", "not met"],
  uncertain: ["?", "uncertain"],
};

/** Return where a CPS lies on the number line, which is logarithmic from 0.1; everything below lies at its left. */
export function placeOf(cps) {
  const share = Math.log10(Math.max(cps, LOWEST) / LOWEST) / Math.log10(100 / LOWEST);
  return LEFT + (RIGHT - LEFT) * Math.min(share, 1);
}

/** Show the state. */
export function showScores(state) {
  for (const [name, label] of SCORES) showScore(byId(`score-${name}`), name, label, state);
  showNumberLine(byId("number-line"), state);
  showCutoffs(byId("cutoffs"), state);
  showLast(byId("last-action"), state);
  showLeft(byId("answers-left"), state);
  showSignature(byId("signature"), state);
}

function showScore(host, name, label, state) {
  const score = state[name];
  const leads = leading(state) === name;
  host.classList.toggle("leads", leads);
  const parts = [element("h2", { text: label })];
  if (!score) parts.push(...absent(name, state));
  else if (score.cps === null) parts.push(notEvaluable(score));
  else parts.push(value(score, name, state), interval(score, name));
  host.replaceChildren(...parts);
}

/** The score that cut-offs go by: the audited one when it exists. */
export const leading = (state) => (state.audited ? "audited" : state.edited ? "edited" : "network");

function value(score, name, state) {
  const more = `CPS ${twoDecimals(score.cps)}, rounded down to two decimals`;
  const moved = name === "edited" && state.network.cps !== null ? change(score.cps - state.network.cps) : null;
  return element(
    "p",
    { class: "value", title: more },
    score.reported,
    moved ? element("span", { class: "change", text: moved, title: "Change by edits" }) : null,
  );
}

function interval(score, name) {
  const level = name === "audited" ? Math.round(score.level * 100) : 95;
  return element("p", { class: "interval", text: `${level} % ${score.interval_reported ?? "no interval"}` });
}

function change(difference) {
  if (Math.abs(difference) < 0.005) return "±0";
  return `${difference > 0 ? "+" : "−"}${Math.abs(difference).toFixed(2)}`;
}

function absent(name, state) {
  const said = {
    edited: ["–", "no edits yet"],
    audited: state.audit
      ? [`${state.audit.answered} / ${state.audit.questions}`, "blind answers"]
      : ["–", "not audited yet"],
  }[name];
  return [element("p", { class: "value none", text: said[0] }), element("p", { class: "interval", text: said[1] })];
}

function notEvaluable(score) {
  const because = (score.because ?? []).join("; ");
  return element("p", { class: "value none", text: "not evaluable", title: because });
}

// The number line: shapes tell the three scores apart, thickness the one that leads.

function showNumberLine(svg, state) {
  const parts = [...TICKS.map(tick), ...state.cutoffs.map(cutoffLine)];
  SCORES.forEach(([name], row) => {
    const score = state[name];
    if (score && score.cps !== null) parts.push(...scoreOnLine(score, name, 14 + row * 12));
  });
  svg.replaceChildren(drawn("title", { text: sentence(state) }), ...parts);
}

function tick(value) {
  const x = placeOf(value);
  const text = value === LOWEST ? "≤0.1" : String(value);
  return drawn(
    "g",
    { class: "tick" },
    drawn("line", { x1: x, x2: x, y1: 46, y2: 50 }),
    drawn("text", { x, y: 61, text, "text-anchor": value === 100 ? "end" : value === LOWEST ? "start" : "middle" }),
  );
}

function cutoffLine({ value }) {
  const x = placeOf(value);
  return drawn("line", { class: "cutoff", x1: x, x2: x, y1: 2, y2: 46 });
}

function scoreOnLine(score, name, y) {
  const x = placeOf(score.cps);
  const shapes = {
    network: drawn("circle", { cx: x, cy: y, r: 4 }),
    edited: drawn("rect", { x: x - 3.6, y: y - 3.6, width: 7.2, height: 7.2 }),
    audited: drawn("path", { d: `M${x} ${y - 5.4}l5.4 5.4l-5.4 5.4l-5.4 -5.4Z` }),
  };
  const [low, high] = score.interval ?? [score.cps, score.cps];
  const line = drawn("line", { x1: placeOf(low), x2: placeOf(high), y1: y, y2: y });
  return [drawn("g", { class: `on-line ${name}` }, line, shapes[name])];
}

function sentence(state) {
  const said = SCORES.filter(([name]) => state[name] && state[name].cps !== null).map(
    ([name, label]) => `${label} CPS ${state[name].reported}, ${state[name].interval_reported}`,
  );
  return said.join("; ") || "No score";
}

// Cut-offs, last action, answers left.

function showCutoffs(host, state) {
  const by = leading(state);
  const items = state.cutoffs.map((cutoff) => {
    const decided = cutoff[by] ?? cutoff.network;
    const [mark, word] = DECISIONS[decided?.decision] ?? ["–", "not decided"];
    const share = decided && decided.probability !== null && decided.probability !== undefined;
    const title = share
      ? `${cutoff.basis}: probability ${decided.probability.toFixed(2)} that the CPS is ${cutoff.value} or more`
      : cutoff.basis;
    return element(
      "li",
      { class: `decision ${word.replace(" ", "-")}`, title },
      element("span", { class: "mark", "aria-hidden": "true", text: mark }),
      element("span", { text: `CPS ≥ ${cutoff.value}` }),
      element("b", { text: word }),
    );
  });
  const said = { network: "By the network's score", edited: "By the score after edits", audited: "By the audited score" }[by];
  host.replaceChildren(element("li", { id: "cutoffs-by", text: said }), ...items);
}

function showLast(host, state) {
  const { last } = state;
  host.classList.toggle("none", !last);
  if (!last) {
    host.textContent = "Nothing was decided yet";
    return;
  }
  host.textContent = `${last.text}${effect(last)}`;
  host.title = host.textContent;
}

function effect({ before, after }) {
  if (before === null || after === null || before === undefined || after === undefined) return "";
  const [earlier, now] = [before, after].map(twoDecimals);
  return earlier === now ? " · score unchanged" : ` · ${earlier} → ${now}`;
}

function showLeft(host, state) {
  host.textContent = leftSentence(state);
}

/** Return how many answers are missing to the wanted interval, in words. */
export function leftSentence({ audit, wanted, audited }) {
  if (!audit) return "No audit yet: 100 blind answers give an interval that rests on them";
  if (!audit.complete) {
    const open = audit.questions - audit.answered;
    const squares = audit.squares - audit.squares_answered;
    const parts = [open ? counted(open, "answer") : null, squares ? counted(squares, "square") : null];
    return `${parts.filter(Boolean).join(" and ")} left`;
  }
  if (!audited) return "The audit is complete";
  if (wanted.left === null) return "The audit is complete; the interval is still wide";
  if (wanted.left > 0)
    return `${counted(wanted.left, "answer")} more: upper end ${wanted.fold} times the lower`;
  return `The interval is narrow enough (${wanted.fold}-fold)`;
}

function showSignature(host, { signature }) {
  host.hidden = !signature;
  if (!signature) return;
  host.textContent = `Signed: ${signature.meaning} by ${signature.name}, ${signature.utc}`;
  host.title = `${signature.events} events, head ${signature.head_hash}`;
}

/** Follow the review. */
export function startScoreLine() {
  review.on("state", showScores);
  showScores(review.state);
}
