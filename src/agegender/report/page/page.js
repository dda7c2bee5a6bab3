// Sorts tables, and opens a folded section when a link leads to it. Everything else is plain HTML.
"use strict";

function sortBy(head) {
  const body = head.closest("table").tBodies[0];
  const opposite = { ascending: "descending", descending: "ascending" };
  const order = opposite[head.getAttribute("aria-sort")] || head.dataset.first;
  const sign = order === "ascending" ? 1 : -1;
  const rank = (row) => row.cells[head.cellIndex].dataset.rank;
  const rows = [...body.rows].sort((one, other) => {
    const [a, b] = [rank(one), rank(other)];
    if (a === undefined || b === undefined) return (a === undefined) - (b === undefined); // last in both directions
    return sign * (a - b);
  });
  body.append(...rows);
  for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", order);
}

for (const head of document.querySelectorAll("th[data-first]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...head.firstElementChild.childNodes);
  button.title = head.title; // described for the focused button as well
  button.addEventListener("click", () => sortBy(head));
  head.replaceChildren(button);
}

const caption = document.querySelector(".grid:has(th[data-first]) figcaption"); // the hint is shown once
if (caption) {
  const hint = document.createElement("span");
  hint.className = "hint";
  hint.textContent = " (click a heading to sort)";
  caption.append(hint);
}

function openTarget() {
  const folded = document.getElementById(location.hash.slice(1))?.querySelector("details.folded");
  if (folded) folded.open = true;
}

addEventListener("hashchange", openTarget);
openTarget();
