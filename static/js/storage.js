// What this browser remembers for a person. Storage may be full or forbidden: then nothing new is remembered.

const PREFIX = "chatapp.";

/** Returns whether it is remembered; if not, what was remembered under this key before still is. */
export function remember(key, value) {
  try {
    localStorage.setItem(PREFIX + key, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

export function recall(key) {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + key));
  } catch {
    return null;
  }
}

export function forget(key) {
  try {
    localStorage.removeItem(PREFIX + key);
  } catch {
    // Where nothing can be removed nothing was kept.
  }
}

/** The keys that begin with `start`, in order. */
export function keys(start) {
  try {
    return Object.keys(localStorage)
      .filter((key) => key.startsWith(PREFIX + start))
      .map((key) => key.slice(PREFIX.length))
      .sort();
  } catch {
    return [];
  }
}

/** Calls `hear(key)` when another page of this browser remembered or forgot something. */
export function hearOthers(hear) {
  addEventListener("storage", ({ key }) => key?.startsWith(PREFIX) && hear(key.slice(PREFIX.length)));
}
