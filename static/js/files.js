// The files of a message, filled into the markup of templates/_files.html.

import { _, LOCALE } from "./i18n.js";
import { copyOf } from "./templates.js";

// The box, in px, into which a picture is scaled. templates/_files.html has the same rule.
const WIDEST = 360;
const HIGHEST = 320;
const ENDING = 16; // characters behind the last dot of a name that are shown in any case
const UNITS = ["kilobyte", "megabyte", "gigabyte"];
const GONE = _("This file is not there any more");

/** Whether `body` is what a message without words has as its body: the names of its files. */
export function areNames(body, files) {
  return Boolean(files?.length) && body === files.map(({ name }) => name).join("\n");
}

export function fillFiles(list, { room, files = [], deleted_at: deleted }) {
  list.hidden = !files.length || Boolean(deleted);
  list.replaceChildren(...(list.hidden ? [] : files.map((file) => item(file, room))));
}

/** Bytes in words. chatapp/pages/filters.py has the same rule. */
export function sizeOf(bytes) {
  if (bytes < 1000) return sized(bytes, "byte", { unitDisplay: "long" });
  let [unit, rest] = [-1, bytes];
  for (; rest >= 1000 && unit < UNITS.length - 1; rest /= 1000) unit++;
  return sized(rest, UNITS[unit], { minimumFractionDigits: 1, maximumFractionDigits: 1 });
}

function sized(number, unit, how) {
  return new Intl.NumberFormat(LOCALE, { style: "unit", unit, ...how }).format(number);
}

export function thumbnailPath(room, { id }) {
  return `/chats/${room}/thumbs/${id}`;
}

/** In rows of `list`, what this browser cannot play can be downloaded, and what is gone says so. */
export function watchFaults(list) {
  list.addEventListener("error", ({ target }) => isShown(target) && replace(target), { capture: true });
}

function isShown(element) {
  return element.matches?.(".file :is(img, audio, video)");
}

/** Its message may have come back when the file was gone; or the line is down, and it stays as it is. */
async function replace(element) {
  const file = element.closest(".file");
  const path = element.closest("a")?.href ?? element.src;
  const answer = await fetch(path, { method: "HEAD" }).catch(() => null);
  if (answer?.ok && element.localName !== "img") {
    const words = (name) => file.querySelector(`.file-${name}`).textContent;
    file.replaceWith(card({ name: words("name"), size: words("size") }, path));
  } else if (answer?.status === 404) {
    file.replaceChildren(Object.assign(document.createElement("p"), { className: "file-gone", textContent: GONE }));
  }
}

function item(file, room) {
  const path = `/chats/${room}/files/${file.id}/${encodeURIComponent(file.name)}`;
  const words = { name: file.name, size: sizeOf(file.size) };
  if (file.width) return picture(file, path, thumbnailPath(room, file));
  if (file.type.startsWith("audio/")) return played(copyOf("sound"), words, path);
  if (file.type.startsWith("video/")) return played(copyOf("film"), words, path);
  return card(words, path);
}

function picture({ name, alt, width, height }, path, thumbnail) {
  const row = copyOf("picture");
  const image = row.querySelector("img");
  const scale = Math.min(1, WIDEST / width, HIGHEST / height);
  image.width = Math.round(width * scale) || 1;
  image.height = Math.round(height * scale) || 1;
  image.alt = alt || name;
  image.src = thumbnail;
  row.querySelector("a").href = path;
  return row;
}

function played(row, words, path) {
  const player = row.querySelector("audio, video");
  player.src = path;
  player.setAttribute("aria-label", words.name);
  return named(row, words);
}

function card(words, path) {
  const row = named(copyOf("card"), words);
  const link = row.querySelector("a");
  link.href = path;
  link.setAttribute("aria-label", _("%(name)s, %(size)s", words));
  return row;
}

function named(row, { name, size }) {
  const dot = name.lastIndexOf(".");
  const cut = dot > 0 && name.length - dot - 1 <= ENDING ? dot : name.length;
  row.querySelector(".file-stem").textContent = name.slice(0, cut);
  row.querySelector(".file-ending").textContent = name.slice(cut);
  row.querySelector(".file-size").textContent = size;
  return row;
}
