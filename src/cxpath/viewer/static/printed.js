/** How scores are printed: rounded down as everywhere in cxpath, so that none crosses a cut-off. */

/** Return a score from 0 to 100 as a reader sees it: "0", "<1", "9.9", "12". */
export function printedForm(score) {
  if (score <= 0) return "0";
  return score < 1 ? "<1" : roundedDown(score, score < 10 ? 1 : 0);
}

/** Return a score with two decimals, for arithmetic and small changes. */
export const twoDecimals = (score) => roundedDown(score, 2);

/** Cut the shortest text of a number, as its decimal digits say it: 0.29 × 100 is not 29. */
function roundedDown(score, digits) {
  const [whole, rest = ""] = (score < 1e-6 ? "0" : String(score)).split(".");
  return digits ? `${whole}.${rest.padEnd(digits, "0").slice(0, digits)}` : whole;
}
