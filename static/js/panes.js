// The people's pane, where it lies over the room: to go back a page closes it. Loaded once it is opened.

const OVER = matchMedia("(width < 1200px)"); // elsewhere it stands beside the room (static/css/layout.css)

const pane = document.getElementById("people");
let isLeaving = false; // an entry of the browser's history, which takes a moment

pane.addEventListener("toggle", settle);
addEventListener("popstate", () => {
  if (!isLeaving && (OVER.matches || isOpenHere())) pane.togglePopover(isOpenHere());
  isLeaving = false;
  settle();
});
if (isOpenHere()) pane.togglePopover(true); // as before a reload
settle();

/** The entry that one is at says whether the pane is open: there are no two of them for one opening. */
function isOpenHere() {
  return history.state?.pane === pane.id;
}

function settle() {
  const isOpen = pane.matches(":popover-open");
  if (isLeaving || isOpen === isOpenHere()) return;
  if (isOpen && OVER.matches) history.pushState({ pane: pane.id }, "");
  isLeaving = !isOpen;
  if (isLeaving) history.back();
}
