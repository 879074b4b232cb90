/** Elements made in script: the page's policy allows no inline markup or style. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Return an element.
 * `set` maps attributes; `on…` keys are listeners, `text` is its text, false and null leave an attribute out.
 */
export function element(tag, set = {}, ...children) {
  return filled(document.createElement(tag), set, children);
}

/** Return an SVG element, in the same way. */
export function drawn(tag, set = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), set, children);
}

function filled(made, set, children) {
  for (const [name, value] of Object.entries(set)) {
    if (name === "text") made.textContent = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false)
      made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Return the element with this id. */
export const byId = (id) => document.getElementById(id);

/** Return a button that carries its key as a cap; assistive technology is given `keys`, too. */
export function keyButton(label, key, onclick, set = {}) {
  const cap = key ? element("kbd", { "aria-hidden": "true", text: key }) : null;
  return element(
    "button",
    { type: "button", onclick, "aria-keyshortcuts": key || null, ...set },
    ...[cap, element("span", { text: label })].filter(Boolean),
  );
}

/** Replace what an element contains; a control that had the focus gives it to the one of the same name. */
export function refill(host, ...children) {
  const focus = document.activeElement;
  const named = (one) => `${one.tagName} ${one.id} ${one.getAttribute("aria-label") ?? one.textContent}`;
  const name = focus !== host && host.contains(focus) ? named(focus) : null;
  host.replaceChildren(...children.filter(Boolean));
  if (name === null) return;
  const again = [...host.querySelectorAll("button, input, select, summary")].find((one) => named(one) === name);
  again?.focus({ preventScroll: true });
}

/** Say something to people who do not see the page; the same sentence twice is said twice. */
export function announce(sentence) {
  const region = byId("announcer");
  region.textContent = "";
  requestAnimationFrame(() => {
    region.textContent = sentence;
  });
}

/** Return "1 cell", "2 cells", "1,204 cells". */
export function counted(number, noun, plural = `${noun}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? noun : plural}`;
}
