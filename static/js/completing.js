// Completion, and emoji for their codes, are loaded once somebody begins something of that kind: most visits go
// without them.

export const SHORTCODE = /:[\p{L}\p{N}_+-]{2,40}:/u;

const BEGINNING = /[@#:/]/u;
const PATIENCE = 2_000; // ms for which what is sent at once waits to have its codes read

/**
 * `known`: see suggestions.js. Returns `offer(words)`, which offers all that begins with some words though they are not
 * written, and `lookAgain()`, for when there is news of what is known.
 */
export function completeWhenBegun(field, known) {
  let loading = null; // a promise of the completion
  let completion = null;
  const begin = () =>
    (loading ??= load(field, known).then(
      (loaded) => (completion = loaded),
      () => (loading = null), // it is tried again with the next letter
    ));
  field.addEventListener("input", () => BEGINNING.test(field.value) && begin());
  holdUntilRead(field, () => (completion ? null : loading));
  return {
    offer: async (words) => (await begin())?.offer(words),
    lookAgain: () => completion?.lookAgain(),
  };
}

/** `reading()`: a promise of what reads the codes in `field`; null where nothing is to be waited for. */
export function holdUntilRead(field, reading) {
  let release = null; // sends what is held
  const sent = (event) => {
    const awaited = !release && SHORTCODE.test(field.value) ? reading() : null;
    release = null;
    if (!awaited) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const held = (release = () => field.form.requestSubmit());
    const late = new Promise((resolve) => setTimeout(resolve, PATIENCE));
    Promise.race([awaited, late]).then(() => release === held && held());
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
  const completion = new Completion(field, suggestions(known), document.getElementById("completions"));
  completion.look();
  writeEmoji(field);
  return completion;
}
