// Formats by keys: what is marked in the field gets the signs around it, or loses them.

const SIGNS = { b: "**", i: "_", e: "`" };

export function formatByKeys(field) {
  field.addEventListener("keydown", (event) => {
    const sign = SIGNS[event.key.toLowerCase()];
    if (!sign || event.isComposing || event.altKey || event.shiftKey || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    toggle(field, sign);
  });
}

function toggle(field, sign) {
  const { selectionStart: start, selectionEnd: end, value } = field;
  const words = value.slice(start, end);
  const size = sign.length;
  const isMarked = value.slice(start - size, start) === sign && value.slice(end, end + size) === sign;
  if (isMarked) {
    field.setSelectionRange(start - size, end + size);
    insert(field, words);
    field.setSelectionRange(start - size, end - size);
  } else {
    insert(field, sign + words + sign);
    field.setSelectionRange(start + size, end + size);
  }
}

/** As if typed: so that it can be undone by keys. */
function insert(field, words) {
  if (document.execCommand("insertText", false, words)) return;
  field.setRangeText(words);
  field.dispatchEvent(new InputEvent("input", { bubbles: true }));
}
