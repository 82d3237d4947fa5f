// Completion, and emoji for their codes, are loaded once somebody begins something of that kind: most visits go
// without them.

const BEGINNING = /[@#:/]/u;
const SHORTCODE = /:[\p{L}\p{N}_+-]{2,40}:/u;
const PATIENCE = 2_000; // ms for which what is sent at once waits to have its codes read

/** `known`: see suggestions.js. */
export function completeWhenBegun(field, known) {
  let loading = null;
  let isThere = false;
  let release = null; // sends what is held
  field.addEventListener("input", () => {
    if (!BEGINNING.test(field.value)) return;
    loading ??= load(field, known).then(() => (isThere = true), () => (loading = null)); // tried again with the next letter
  });
  const sent = (event) => {
    const goes = isThere || release || !loading || !SHORTCODE.test(field.value);
    release = null;
    if (goes) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const held = (release = () => field.form.requestSubmit());
    const late = new Promise((resolve) => setTimeout(resolve, PATIENCE));
    Promise.race([loading, late]).then(() => release === held && held());
  };
  field.addEventListener("beforeinput", () => release?.()); // who writes on has it sent as it is
  field.form.addEventListener("submit", sent, { capture: true }); // before the composer reads it
}

async function load(field, known) {
  const [{ Completion }, { suggestions }, { writeEmoji }] = await Promise.all([
    import("./completion.js"),
    import("./suggestions.js"),
    import("./shortcodes.js"),
  ]);
  new Completion(field, suggestions(known)).look();
  writeEmoji(field);
}
