// ":tada:", written in full, is 🎉: but not in code, nor where the colons belong to something else ("10:30:45").

import { holdUntilRead, SHORTCODE } from "./completing.js";
import { allEmoji } from "./emoji.js";

// What stands in code comes first, so that nothing in it is looked at; chatapp/mentions.py has the same rule for it.
const PIECE =
  /^ {0,3}(```|~~~)[^]*?(?:^ {0,3}\1|$(?![^]))|(?<!`)(`+)(?!`)[^]+?(?<!`)\2(?!`)|(?<![\p{L}\p{N}_:/]):([\p{L}\p{N}_+-]+):(?![\p{L}\p{N}_:])/gmu;

let marks = null; // code -> emoji, once they are there

/**
 * A code becomes its emoji with the space behind it, or when it is sent. Until the emoji are there the words stay in
 * the field; who writes on has them sent as they are.
 */
export function writeEmoji(field) {
  const written = ({ data }) => {
    if (!SHORTCODE.test(field.value)) return;
    if (!marks) load();
    else if (data === " ") replaceBeforeCaret(field);
  };
  written({});
  field.addEventListener("input", written);
  holdUntilRead(field, () => (marks ? null : load()));
  const sent = () => marks && (field.value = withEmoji(field.value));
  field.form.addEventListener("submit", sent, { capture: true }); // before the composer reads it
}

async function load() {
  const all = await allEmoji().catch(() => null);
  if (all) marks ??= new Map(all.flatMap(([mark, codes]) => codes.split(" ").map((code) => [code, mark])));
}

function withEmoji(text) {
  return text.replace(PIECE, (piece, fence, ticks, code) => (code && marks.get(code.toLowerCase())) || piece);
}

/** A code that ends where the caret is, but for one space. */
function replaceBeforeCaret(field) {
  const { selectionStart: caret, value } = field;
  const before = value.slice(0, caret);
  const code = before.match(/:[^\s:]+:\s$/u)?.[0];
  const isInCode = before.split("`").length % 2 === 0; // of which the end is not written yet
  if (!code || isInCode) return;
  const start = caret - code.length;
  const words = withEmoji(before);
  if (words === before || !words.startsWith(before.slice(0, start))) return;
  field.setRangeText(words.slice(start), start, caret, "end");
}
