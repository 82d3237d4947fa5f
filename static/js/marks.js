// Any emoji as a reaction: the field beside the few takes one, or a word, and offers emoji by their codes.

import { Completion } from "./completion.js";
import { allEmoji, findEmoji } from "./emoji.js";

// Anything may be the beginning of a code, with its colon or without.
const BEFORE_MARK = /^(:?([^\s:]+))$/u;
const LIMIT = 16; // characters; REACTION_LIMIT of chatapp/text.py

/** What is chosen of the list is sent at once. */
export function offerEmoji(field) {
  const list = field.form.querySelector(".completions");
  if (field.getAttribute("aria-controls") === list.id) return;
  const completion = new Completion(field, [{ before: BEFORE_MARK, find: findEmoji }], list);
  field.addEventListener("input", ({ inputType }) => {
    field.form.querySelector(".refusal").hidden = true;
    if (inputType === "insertReplacementText") field.form.requestSubmit();
  });
  completion.look();
}

/** What was written as a reaction: the emoji of a code, or a word; else nothing, and it is said why. */
export async function markOf(form) {
  const written = form.elements.mark.value.trim();
  const code = written.toLowerCase().replace(/^:|:$/g, "");
  const all = await allEmoji().catch(() => []);
  const mark = all.find(([, codes]) => codes.split(" ").includes(code))?.[0] ?? written;
  const isMark = !/\s/u.test(mark) && [...mark].length <= LIMIT;
  form.querySelector(".refusal").hidden = isMark;
  return isMark ? mark : "";
}
