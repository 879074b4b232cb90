"use strict";
(() => {
  const table = document.querySelector("table.slides");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const shown = document.querySelector("#shown");
  const key = (row, column) => row.cells[column].dataset.key ?? row.cells[column].textContent.trim();
  const compare = (a, b) => {
    if (a === "" || b === "") return (a === "") - (b === "");  // what is not known comes last
    const x = Number(a), y = Number(b);
    return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, "en", { numeric: true }) : x - y;
  };
  table.tHead.querySelectorAll("button").forEach((button) => {
    const head = button.closest("th");
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      table.tHead.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const sorted = rows.slice().sort((one, two) => {
        const a = key(one, head.cellIndex), b = key(two, head.cellIndex);
        const order = compare(a, b);
        return down && a !== "" && b !== "" ? -order : order;
      });
      body.append(...sorted);
    });
  });
  const filter = () => {
    const words = document.querySelector("#search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const review = document.querySelector("#review").checked;
    let number = 0;
    rows.forEach((row) => {
      const text = row.textContent.toLowerCase();
      const visible = words.every((word) => text.includes(word)) && (!review || row.dataset.review === "yes");
      row.hidden = !visible;
      number += visible;
    });
    shown.textContent = number === rows.length ? `${number} slides` : `${number} of ${rows.length} slides`;
  };
  document.querySelector("#search").addEventListener("input", filter);
  document.querySelector("#review").addEventListener("change", filter);
  filter();
})();
