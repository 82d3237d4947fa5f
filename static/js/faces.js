// Initials and tints. chatapp/pages/faces.py has the same two rules.

const ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz";
const TINTS = 8;

export function fillFace(element, { id, name }, { own, letters = 1 }) {
  element.textContent = initials(name, letters);
  element.dataset.tint = tint(id);
  element.classList.toggle("own", own);
}

function initials(name, letters) {
  const words = name.trim().split(/\s+/u).map((word) => Array.from(word));
  const first = words[0]?.[0] ?? "?";
  // Letters without a case join their neighbours (Arabic) or are words (Han): one of them is enough.
  const last = letters === 2 && words.length > 1 ? words.at(-1)[0] : "";
  return first.toUpperCase() + (last.toUpperCase() === last.toLowerCase() ? "" : last.toUpperCase());
}

function tint(id) {
  const weigh = (sum, char, index) => sum + (2 * index + 1) * (ALPHABET.indexOf(char) + 1);
  return Array.from(id.toLowerCase()).reduce(weigh, 0) % TINTS;
}
