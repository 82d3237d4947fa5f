// Any emoji as a reaction: the field beside the few takes one by its code, and the browser offers them by their codes.

import { allEmoji } from "./emoji.js";

/** The emoji of a code, with its colons or without; else the text itself. */
export async function emojiOf(text) {
  const code = text.toLowerCase().replace(/^:|:$/g, "");
  const all = await allEmoji().catch(() => []);
  return all.find(([, codes]) => codes.split(" ").includes(code))?.[0] ?? text;
}

/** What is chosen of the list is sent at once. */
export async function offerEmoji(field) {
  const all = await allEmoji().catch(() => []);
  if (field.list || !all.length) return;
  const list = document.createElement("datalist");
  list.id = "all-emoji";
  list.append(...all.map(([mark, codes]) => new Option(codes, mark)));
  field.after(list);
  field.setAttribute("list", list.id);
  const marks = new Set(all.map(([mark]) => mark));
  field.addEventListener("input", ({ inputType }) => {
    const isChosen = !inputType || inputType === "insertReplacementText"; // typing has other names
    if (isChosen && marks.has(field.value)) field.form.requestSubmit();
  });
}
