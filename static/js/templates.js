// The page's <template> elements, rendered on the server from the same partials as its own markup.

/** A copy of the one element in the template `<name>-template`. */
export function copyOf(name) {
  return document.getElementById(`${name}-template`).content.firstElementChild.cloneNode(true);
}
