// Whom a message calls, marked in its words. chatapp/mentions.py has the same rule for the server's pages.

const CODE = "code, pre";

/** Whether `message` calls the person with the id `me`. */
export function calls({ mentions = [] }, me) {
  return Boolean(me) && mentions.includes(me);
}

/** Marks in the text within `element`, which may have any markup, whom `message` calls; `me`: who reads it. */
export function markMentions(element, { mentions = [], called = [] }, me) {
  if (mentions.length === 0) return;
  const people = new Map(called.map((words, index) => [words, mentions[index]]));
  const longestFirst = [...people.keys()].sort((one, other) => other.length - one.length);
  const call = new RegExp(`(?<![\\p{L}\\p{N}_@/])@(?:${longestFirst.map(escaped).join("|")})`, "gu");
  for (const node of textNodes(element)) {
    const parts = cut(node.data, call);
    if (parts.length > 1 || parts[0].isCall) node.replaceWith(...parts.map((part) => shown(part, people, me)));
  }
}

/** `text` in parts: {words, isCall}. */
function cut(text, call) {
  const parts = [];
  let end = 0;
  for (const { 0: words, index } of text.matchAll(call)) {
    if (index > end) parts.push({ words: text.slice(end, index), isCall: false });
    parts.push({ words, isCall: true });
    end = index + words.length;
  }
  if (end < text.length) parts.push({ words: text.slice(end), isCall: false });
  return parts;
}

function shown({ words, isCall }, people, me) {
  if (!isCall) return words;
  const element = document.createElement("bdi");
  element.className = people.get(words.slice(1)) === me ? "mention own" : "mention";
  element.textContent = words;
  return element;
}

function textNodes(element) {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    if (walker.currentNode.data && !walker.currentNode.parentElement.closest(CODE)) found.push(walker.currentNode);
  }
  return found;
}

function escaped(words) {
  return words.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
