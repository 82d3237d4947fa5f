// Completion is loaded once somebody begins something that can be completed: most visits go without it.

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
  const [{ Completion }, { suggestions }] = await Promise.all([import("./completion.js"), import("./suggestions.js")]);
  new Completion(field, suggestions(known)).look();
}
