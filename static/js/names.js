// What people are called now who were called otherwise when they wrote.

const names = new Map(); // id -> name

/** `people`: an object of names by id. */
export function learnNames(people) {
  for (const [id, name] of Object.entries(people)) names.set(id, name);
}

/** A name in an element of its own: it does not turn the direction of what is around it. */
export function isolated(name) {
  const element = document.createElement("bdi");
  element.textContent = name;
  return element;
}

export function nameNow({ id, name }) {
  return names.get(id) ?? name;
}
