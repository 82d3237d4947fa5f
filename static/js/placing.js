// Where a menu stands that something on the page has opened.

const GAP = 4; // px between the two, and to the window's edges
const NARROW = "(width < 800px)"; // where it is a sheet at the foot of the window

/** Beside `origin`, a rectangle, ending where that ends, and whole within the window. */
export function placeBeside(menu, { top, bottom, left, right }) {
  if (matchMedia(NARROW).matches) return menu.style.removeProperty("inset");
  const { offsetHeight: height, offsetWidth: width } = menu;
  const below = bottom + GAP + height < innerHeight;
  const y = below ? bottom + GAP : Math.max(GAP, top - GAP - height);
  const isTurned = menu.matches(":dir(rtl)");
  const x = Math.max(GAP, Math.min(isTurned ? left : right - width, innerWidth - width - GAP));
  menu.style.inset = `${y}px auto auto ${x}px`;
}

/** What is chosen in it may make it taller: then it moves up by as much as it takes. */
export function keepWhole(menu) {
  const over = menu.getBoundingClientRect().bottom + GAP - innerHeight;
  if (over <= 0 || matchMedia(NARROW).matches) return;
  menu.style.insetBlockStart = `${Math.max(GAP, menu.offsetTop - over)}px`;
}
