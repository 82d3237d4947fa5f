// Keys that hold anywhere on the page: Ctrl+K (or Cmd+K) goes to another room, Ctrl+/ (outside of fields also "?")
// shows all keys. What they open is loaded when somebody wants it.

const FIELDS = "input, textarea, select, [contenteditable]";

/** `rooms()`: those to go to, as [{id, name, unread, element}]; `me`: who goes, or null. */
export function openByKeys(rooms, me) {
  const open = async (what) => (await import("./switcher.js"))[what](rooms, me);
  document.addEventListener("keydown", (event) => {
    const what = event.isComposing || event.altKey ? null : wanted(event);
    if (!what) return;
    event.preventDefault();
    open(what);
  });
  for (const button of document.querySelectorAll("[data-opens]")) {
    button.addEventListener("click", () => open(button.dataset.opens));
  }
}

function wanted({ key, ctrlKey, metaKey, shiftKey, target }) {
  const control = ctrlKey || metaKey;
  if (control && !shiftKey && key.toLowerCase() === "k") return "switcher";
  if (control && key === "/") return "keys"; // with Shift on some keyboards
  return key === "?" && !control && !target.closest(FIELDS) ? "keys" : null;
}
