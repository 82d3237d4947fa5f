// What a message looks like: the server's HTML of it as elements, made one by one by what is allowed here, since
// the page's policy lets no script make markup of a text. Words that are hidden until somebody wants them, and
// long messages, which are folded.

import { _ } from "./i18n.js";

// Tags and attributes that chatapp/markdown.py has, and what may stand in them.
const TINTS = "keyword|string|number|comment|inserted|deleted";
const DIRECTION = { dir: /^auto$/ };
const ALLOWED = {
  a: { href: /^(https?:\/\/|mailto:)/i, target: /^_blank$/, rel: /^noopener noreferrer nofollow$/ },
  blockquote: DIRECTION,
  br: {},
  code: {},
  em: {},
  li: {},
  ol: { ...DIRECTION, start: /^\d{1,9}$/ },
  p: DIRECTION,
  pre: { dir: /^ltr$/, tabindex: /^0$/ },
  s: {},
  span: { class: new RegExp(`^(spoiler|${TINTS})$`), tabindex: /^0$/ },
  strong: {},
  ul: DIRECTION,
};
const PIECE = /<(\/?)([a-z]+)((?: [a-z]+="[^"]*")*)>|[^<]+/gy;
const ATTRIBUTE = / ([a-z]+)="([^"]*)"/g;
const CHARACTERS = { amp: "&", lt: "<", gt: ">", quot: '"', nbsp: "\u00a0" };
const SPOILER = /\|\|(?=\S)[^|]+(?:\|[^|]+)*(?<=\S)\|\|/g; // chatapp/markdown.py has the same rule
const COVER = "▒▒▒";
// One to three emoji and nothing else. chatapp/emoji.py has the same rule.
const PICTURE =
  "(?:[\\u{1f300}-\\u{1faff}\\u{1f004}\\u{1f0cf}\\u{1f18e}\\u{1f191}-\\u{1f19a}\\u231a\\u231b\\u23e9-\\u23ec\\u23f0\\u23f3" +
  "\\u2614\\u2615\\u2648-\\u2653\\u267f\\u2693\\u26a1\\u26bd\\u26be\\u26c4\\u26c5\\u26d4\\u26ea\\u26f2\\u26f3\\u26f5\\u26fa\\u26fd\\u2705" +
  "\\u270a\\u270b\\u2728\\u274c\\u274e\\u2753-\\u2755\\u2757\\u2795-\\u2797\\u2b1b\\u2b1c\\u2b50\\u2b55]\\ufe0f?" +
  "|[\\u203c-\\u3299]\\ufe0f)[\\u{1f3fb}-\\u{1f3ff}]?";
const EMOJI = `(?:[\\u{1f1e6}-\\u{1f1ff}]{2}|${PICTURE}(?:\\u200d${PICTURE})*)`;
const FEW_EMOJI = new RegExp(`^${EMOJI}(?:\\s?${EMOJI}){0,2}$`, "u");
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;
const CALL = /(?<![\p{L}\p{N}_])@(?=[A-Za-z\u00c0-\u024f])/gu;
const BREAKING = "p, br, pre, blockquote, ul, ol, li"; // what begins a line, and what follows it another one
const SIGN = /[*_`~|[\\<]|^[ \t]*(?:[-+>]|\d{1,9}[.)])/m;

const COVERED = _("Hidden words: show");
const [SHOW_ALL, SHOW_LESS] = [_("Show all"), _("Show less")];
const FOLDED_LINES = 24; // a message of more is folded,
const LINE = matchMedia("(width < 800px)").matches ? 40 : 70; // in lines of about so many characters

/** The words of `message` in `words`, the element for them. */
export function fillMarkup(words, { body, html }) {
  const marked = html && elementsOf(html);
  words.classList.toggle("marked", Boolean(marked));
  words.classList.toggle("emoji", FEW_EMOJI.test(body.trim()));
  words.parentElement.classList.toggle("of-blocks", Boolean(marked));
  // Blocks have a direction each, and then what is around them has none of theirs.
  if (marked) words.parentElement.removeAttribute("dir");
  else words.parentElement.dir = "auto";
  words.replaceChildren(marked || body);
  for (const spoiler of words.querySelectorAll(".spoiler")) cover(spoiler);
}

/**
 * The words of a message for a place that has one line for them: without its markup, what its author has hidden
 * covered, and of what it quotes nothing, where it says something itself; among words from the right code and who is
 * called read as they are written. chatapp/markdown.py has the same rule.
 */
export function inLine({ body, html }) {
  const marked = html && elementsOf(html);
  if (!marked) return oneLine(body.replace(SPOILER, COVER));
  for (const spoiler of marked.querySelectorAll(".spoiler")) spoiler.replaceWith(COVER);
  for (const end of marked.querySelectorAll(BREAKING)) end.before(" "), end.after(" ");
  if (RIGHT_TO_LEFT.test(html)) for (const code of marked.querySelectorAll("code")) code.prepend("\u2066"), code.append("\u2069");
  const whole = oneLine(marked.textContent);
  for (const quote of marked.querySelectorAll("blockquote")) quote.remove();
  return oneLine(marked.textContent) || whole;
}

/** Whether the words of `body` may be others than are written there. */
export function mayHaveMarkup(body) {
  return SIGN.test(body);
}

/** Folds the message in `row`, whose body is `body`, if it is long. */
export function foldIfLong(row, body) {
  const lines = body.split("\n").reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / LINE)), 0);
  if (lines > FOLDED_LINES) fold(row, true);
}

/** What somebody has opened in the row `before` is open in `row` too; words, if they are the same. */
export function keepOpen(before, row) {
  if (before.querySelector(".reactions.open")) row.querySelector(".reactions")?.classList.add("open");
  const [were, are] = [before, row].map((each) => each.querySelector(".words"));
  if (were?.textContent !== are?.textContent) return;
  if (isUnfolded(before)) fold(row, false);
  const spoilers = row.querySelectorAll(".spoiler");
  before.querySelectorAll(".spoiler").forEach((spoiler, index) => isCovered(spoiler) || uncover(spoilers[index]));
}

/** Opens what is pressed in `list`. `keepPlace(change)` makes a change without moving what is being read. */
export function openWhatIsPressed(list, keepPlace) {
  list.addEventListener("click", (event) => {
    const spoiler = event.target.closest(".spoiler");
    const button = event.target.closest(".unfold");
    const rest = event.target.closest(".rest");
    if (rest) keepPlace(() => openRest(rest));
    if (button) keepPlace(() => fold(button.closest(".message"), isUnfolded(button)));
    if (!spoiler || !isCovered(spoiler)) return;
    event.preventDefault(); // it may be within a link
    uncover(spoiler);
  });
  list.addEventListener("keydown", (event) => {
    if (!["Enter", " "].includes(event.key) || !isCovered(event.target)) return;
    event.preventDefault();
    uncover(event.target);
  });
  list.addEventListener("focusin", ({ target }) => {
    const row = target.closest(".words") && target.closest(".folded");
    if (row) keepPlace(() => fold(row, false));
  });
}

function oneLine(words) {
  const line = words.split(/\s+/).filter(Boolean).join(" ");
  return RIGHT_TO_LEFT.test(line) ? line.replace(CALL, "\u200e@") : line;
}

function elementsOf(html) {
  const whole = document.createDocumentFragment();
  const open = [whole];
  let read = 0;
  for (const [piece, end, tag, attributes] of html.matchAll(PIECE)) {
    read += piece.length;
    if (!tag) open.at(-1).append(unescaped(piece));
    else if (end) {
      if (open.length === 1 || open.pop().localName !== tag) return null;
    } else {
      const element = elementOf(tag, attributes);
      if (!element) return null;
      open.at(-1).append(element);
      if (tag !== "br") open.push(element);
    }
  }
  return read === html.length && open.length === 1 ? whole : null;
}

function elementOf(tag, attributes) {
  if (!Object.hasOwn(ALLOWED, tag)) return null;
  const element = document.createElement(tag);
  for (const [, name, escaped] of attributes.matchAll(ATTRIBUTE)) {
    const value = unescaped(escaped);
    if (!Object.hasOwn(ALLOWED[tag], name) || !ALLOWED[tag][name].test(value)) return null;
    element.setAttribute(name, value);
  }
  return element;
}

function unescaped(text) {
  return text.replace(/&(amp|lt|gt|quot|nbsp);/g, (_, name) => CHARACTERS[name]);
}

// Without a script the words show while they have the focus; here they stay, once somebody has pressed.
function cover(spoiler) {
  spoiler.setAttribute("role", "button");
  spoiler.setAttribute("aria-label", COVERED);
}

function isCovered(element) {
  return element.matches(".spoiler[role=button]");
}

function uncover(spoiler) {
  spoiler.classList.add("shown");
  spoiler.removeAttribute("role");
  spoiler.removeAttribute("aria-label");
  spoiler.tabIndex = -1; // it may have the focus, and is no more to be come to
}

/** The focus goes on to the first of the reactions that were hidden, in the place of the button. */
function openRest(rest) {
  const hidden = [...rest.parentElement.children].filter((each) => !each.checkVisibility());
  rest.parentElement.classList.add("open");
  hidden[0].querySelector("button")?.focus();
}

function fold(row, folded) {
  const button = row.querySelector(".unfold");
  row.classList.toggle("folded", folded);
  button.hidden = false;
  button.textContent = folded ? SHOW_ALL : SHOW_LESS;
  button.setAttribute("aria-expanded", String(!folded));
}

function isUnfolded(element) {
  return element.closest(".message")?.querySelector(".unfold")?.getAttribute("aria-expanded") === "true";
}
