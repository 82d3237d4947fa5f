// The rows by keyboard: arrows move from one to the next, Home and End to the ends of what is on the page. A row
// that is shown anew keeps the focus.

const STEPS = { ArrowUp: -1, ArrowDown: 1 };

/** `scroller`: what has the focus before a row has it; `list`: the element that has the rows. */
export function moveByKeys(scroller, list) {
  scroller.addEventListener("keydown", (event) => {
    const inRow = event.target.closest(".message, .notice");
    if ((event.target !== scroller && event.target !== inRow) || event.ctrlKey || event.metaKey || event.altKey) return;
    const rows = [...list.querySelectorAll(":scope > .message, :scope > .notice")];
    const row = next(rows, inRow, event.key);
    if (!row) return;
    event.preventDefault();
    row.focus();
  });
}

function next(rows, current, key) {
  if (key === "Home") return rows[0];
  if (key === "End") return rows.at(-1);
  if (!(key in STEPS)) return null;
  if (!current) return rows.at(-1);
  return rows[rows.indexOf(current) + STEPS[key]];
}

/** Puts `after` in the place of `before`; what had the focus in it has it in the new row, or that row itself. */
export function replaceRow(before, after) {
  const focused = before.contains(document.activeElement) ? document.activeElement : null;
  before.replaceWith(after);
  if (!focused) return;
  counterpart(focused, after)?.focus({ preventScroll: true });
  if (!after.contains(document.activeElement)) after.focus({ preventScroll: true });
}

function counterpart(focused, row) {
  if (focused.matches(".tools > a")) return row.querySelector(`.tools > .${focused.classList.value.replaceAll(" ", ".")}`);
  const mark = focused.querySelector(".mark")?.textContent;
  const reactions = focused.matches(".reaction") ? [...row.querySelectorAll("button.reaction")] : [];
  return reactions.find((each) => each.querySelector(".mark").textContent === mark);
}
