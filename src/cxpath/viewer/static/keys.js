/** Keys: one table for what they do and for the sheet that shows them; none acts while somebody types. */

export const SHEET = [
  [
    "Everywhere",
    [
      ["1", "tumour cell"],
      ["2", "immune cell that counts (lymphocyte, macrophage)"],
      ["3", "other cell"],
      ["4", "not a cell"],
      ["P", "switch between stained and not stained"],
      ["Space", "accept what is shown, next cell"],
      ["Z", "undo, without limit"],
      ["[ ]", "previous and next"],
      ["H", "hold: hide all marks"],
      ["?", "this sheet"],
      ["Esc", "put the tool away, deselect"],
    ],
  ],
  [
    "Audit",
    [
      ["U", "cannot tell"],
      ["N", "not stained"],
      ["+ −", "nearer, farther"],
    ],
  ],
  [
    "Fields and slide",
    [
      ["F", "accept the field"],
      ["X", "leave the field out"],
      ["L", "lasso, then a key for all cells in it"],
      ["I E T", "draw a region: include, exclude, not invasive tumour"],
      ["A", "add a cell that was missed"],
      ["Enter C ⌫", "corner in the middle of the view, close, take back"],
      ["← ↑ → ↓", "move the slide"],
      ["+ − 0", "nearer, farther, whole slide"],
    ],
  ],
  [
    "Gallery",
    [
      ["← ↑ → ↓", "move; with Shift, extend the selection"],
      ["Shift-click", "choose all up to here"],
      ["Ctrl A", "choose all"],
      ["]", "decide later: the next cells"],
    ],
  ],
  ["Views", [[", .", "previous and next view"]]],
];

const TYPING = "input:not([type=checkbox], [type=radio], [type=button]), select, textarea, dialog[open] *";
const PRESSED_BY_SPACE = "button, a, summary, input, [role=tab]";

/** Whether a key belongs to what has the focus, not to the page. */
export function belongsToFocus(event) {
  const focus = event.target instanceof Element ? event.target : document.body;
  if (focus.closest(TYPING)) return true;
  return (event.key === " " || event.key === "Enter") && focus.closest(PRESSED_BY_SPACE) !== null;
}

/** Return a key's name in tables of handlers: letters small, "ctrl+a", "shift+arrowleft". */
export function nameOf(event) {
  const key = event.key.toLowerCase();
  const held = [
    [event.ctrlKey || event.metaKey, "ctrl+"],
    [event.altKey, "alt+"],
    [event.shiftKey && key.length > 1, "shift+"],
  ];
  return held.map(([down, name]) => (down ? name : "")).join("") + key;
}

/**
 * Follow the keyboard.
 * @param {(name: string) => ((event: KeyboardEvent) => void) | undefined} handlerOf
 * @param {(hidden: boolean) => void} hideMarks while H is held
 */
export function startKeys(handlerOf, hideMarks) {
  document.addEventListener("keydown", (event) => {
    document.body.classList.add("by-keyboard");
    if (belongsToFocus(event) || event.isComposing) return;
    if (nameOf(event) === "h") {
      if (!event.repeat) hideMarks(true);
      return;
    }
    const handler = handlerOf(nameOf(event));
    if (!handler) return;
    event.preventDefault();
    handler(event);
  });
  document.addEventListener("keyup", (event) => event.key.toLowerCase() === "h" && hideMarks(false));
  window.addEventListener("blur", () => hideMarks(false));
  document.addEventListener("pointerdown", () => document.body.classList.remove("by-keyboard"), true);
}
