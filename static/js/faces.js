// The letter on a face, and its tint. chatapp/pages/faces.py has the same two rules.

const ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz";
const TINTS = 8;

export function fillFace(element, { id, name }, { own }) {
  element.textContent = initial(name);
  element.dataset.tint = tint(id);
  element.classList.toggle("own", own);
}

function initial(name) {
  return Array.from(name.trim())[0]?.toUpperCase() ?? "?";
}

function tint(id) {
  const weigh = (sum, char, index) => sum + (2 * index + 1) * (ALPHABET.indexOf(char) + 1);
  return Array.from(id.toLowerCase()).reduce(weigh, 0) % TINTS;
}
