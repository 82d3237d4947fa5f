// Completion, and emoji for their codes, are loaded once somebody begins something of that kind: most visits go
// without them.

const BEGINNING = /[@#:/]/u;

/** `known`: see suggestions.js. */
export function completeWhenBegun(field, known) {
  let loading = null;
  field.addEventListener("input", () => {
    if (!BEGINNING.test(field.value)) return;
    loading ??= load(field, known).catch(() => (loading = null)); // tried again with the next letter
  });
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
