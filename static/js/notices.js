// What notices have kept in English, found again as sentences (chatapp/acts.py has the same rule). In English nobody
// loads this.

const GROUPS = { time: "\\d+ [a-z]+", number: "\\d+", count: "\\d+" }; // what stands in the places of these names

const patterns = new Map(); // by sentence

/**
 * What `said` is in the reader's language, and what stands in its places; null where none of `notices` fits.
 * `duration`: see i18n.js, which cannot be imported here, for it waits for this.
 */
export function read(said, notices, duration) {
  for (const [sentence, meant] of notices) {
    if (!patterns.has(sentence)) patterns.set(sentence, patternOf(sentence));
    const found = patterns.get(sentence).exec(said);
    if (found) return [meant, { ...found.groups, ...timed(found.groups?.time, duration) }];
  }
  return null;
}

function patternOf(sentence) {
  const parts = sentence.split(/%\((\w+)\)s/);
  const source = parts.map((part, place) => (place % 2 ? `(?<${part}>${GROUPS[part] ?? ".+"})` : escaped(part)));
  return new RegExp(`^${source.join("")}$`, "su");
}

function escaped(part) {
  return part.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

function timed(said, duration) {
  if (!said) return {};
  const [number, unit] = said.split(" ");
  return { time: duration(Number(number), unit === "s" ? "second" : unit.replace(/s$/, "")) };
}
