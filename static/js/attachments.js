// Files on their way into the next message: picked, pasted or dropped, uploaded while one still writes.

import { sizeOf, thumbnailPath } from "./files.js";
import { _, LOCALE, ngettext } from "./i18n.js";
import { copyOf } from "./templates.js";
import { isForGood, upload } from "./upload.js";

const AT_ONCE = 2; // uploads
const RETRY = 3_000; // ms before what met no answer is tried again
const MARK = 40; // px of the picture beside a name
const percent = new Intl.NumberFormat(LOCALE, { style: "percent", roundingMode: "floor" });

// Resting: it met no answer, and waits to be tried again.
const [WAITING, RESTING, GOING, DONE, FAILED] = ["waiting", "resting", "going", "done", "failed"];

/** Events: `change`, when one came, went, arrived or failed. */
export class Attachments extends EventTarget {
  #room;
  #most;
  #limit;
  #list;
  #connection;
  #items = [];
  #holdUp = (event) => event.preventDefault();

  /** `most` files of `limit` bytes each in a message. */
  constructor({ room, most, limit, form, connection }) {
    super();
    this.#room = room;
    this.#most = most;
    this.#limit = limit;
    this.#list = form.querySelector(".attached");
    this.#connection = connection;
    this.#list.addEventListener("click", (event) => this.#clicked(event));
    form.querySelector(".attach").addEventListener("click", () => this.#pick());
    form.querySelector("textarea").addEventListener("paste", (event) => this.#pasted(event));
    // In the description of a picture, Enter goes back to the words: the message is sent from there.
    this.#list.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.target.type !== "text") return;
      event.preventDefault();
      form.querySelector("textarea").focus();
    });
    connection.addEventListener("state", () => this.#turned());
    new DropPlace(form.closest(".room"), document.getElementById("drop"), (files) => this.add(files));
  }

  get count() {
    return this.#items.length;
  }

  get isUploaded() {
    return this.#items.every(({ state }) => state === DONE);
  }

  get hasFailed() {
    return this.#items.some(({ state }) => state === FAILED);
  }

  /** What was uploaded, as a message has it. */
  get files() {
    return this.#items.map(({ kept, row }) => ({ ...kept, alt: row.querySelector(".alt").value.trim() }));
  }

  add(files) {
    const room = this.#most - this.#items.length;
    for (const file of files.slice(0, room)) this.#append({ file, name: file.name, size: file.size });
    const said = ngettext("%(name)s is attached", "%(num)s files are attached", files.length, { name: files[0]?.name });
    const most = ngettext("A message takes one file: the rest were left out", "A message takes %(num)s files: the rest were left out", this.#most);
    const failed = this.#items.slice(-files.length).filter(({ state }) => state === FAILED);
    const why = failed.map(({ name, said: reason }) => `${name}: ${reason}`).join(" ");
    this.#announce(files.length > room ? most : why || said);
    this.#changed();
    intoSight(failed[0]);
  }

  /** Brings back what was uploaded before, and has not gone out. */
  bringBack(files) {
    for (const file of files) this.#append({ kept: file, name: file.name, size: file.size });
    this.#changed();
  }

  /** They are on their way with a message. */
  clear() {
    this.#items = [];
    this.#changed();
  }

  #append({ file = null, kept = null, name, size }) {
    const item = { file, kept, name, size, state: kept ? DONE : WAITING, said: "", part: 0, row: copyOf("attachment") };
    item.row.querySelector(".attached-name").textContent = name;
    item.row.querySelector(".alt").setAttribute("aria-label", _("Describe %(name)s", { name }));
    if (kept?.alt) item.row.querySelector(".alt").value = kept.alt;
    if (size > this.#limit) fail(item, _("Too large: at most %(size)s", { size: sizeOf(this.#limit) }));
    this.#items.push(item);
  }

  #next() {
    const going = this.#items.filter(({ state }) => state === GOING).length;
    const next = this.#items.filter(({ state }) => state === WAITING).slice(0, AT_ONCE - going);
    for (const item of next) this.#send(item);
  }

  async #send(item) {
    item.state = GOING;
    item.ending = new AbortController();
    try {
      const told = (part) => this.#show(Object.assign(item, { part }));
      item.kept = await upload(this.#room, item.file, { told, signal: item.ending.signal });
      Object.assign(item, { state: DONE, said: "" });
    } catch (problem) {
      if (item.ending.signal.aborted) return;
      this.#refuse(item, problem);
    }
    this.#changed();
    if (item.state === FAILED) intoSight(item);
  }

  /** What met no answer, or a server that is busy, waits and is tried again; all else is said. */
  #refuse(item, { code, message, status, retryAfter }) {
    const again = code === "network" || code === "too_fast" || code === "draining";
    Object.assign(item, { state: again ? RESTING : FAILED, said: again ? "" : message, part: 0 });
    if (!again) this.#announce(`${item.name}: ${message}`);
    item.isFinal = !again && isForGood({ code, status });
    if (again) setTimeout(() => this.#wake(item), retryAfter ? 1000 * retryAfter : RETRY);
  }

  #wake(item) {
    if (item.state !== RESTING) return;
    item.state = WAITING;
    this.#changed();
  }

  #turned() {
    if (this.#connection.state === "live") for (const item of this.#items) this.#wake(item);
    for (const item of this.#items) this.#show(item);
  }

  #pick() {
    const input = Object.assign(document.createElement("input"), { type: "file", multiple: true });
    input.addEventListener("change", () => this.add([...input.files]));
    input.click();
  }

  /** Pictures and files; words that come along with a picture (from an office program) are what is meant then. */
  #pasted(event) {
    const { files, types } = event.clipboardData;
    if (!files.length || types.includes("text/plain")) return;
    event.preventDefault();
    this.add([...files]);
  }

  #clicked({ target }) {
    const item = this.#items.find(({ row }) => row.contains(target));
    if (target.closest(".again")) Object.assign(item, { state: WAITING, said: "" });
    else if (target.closest(".remove")) this.#remove(item);
    else return;
    this.#changed();
  }

  #remove(item) {
    item.ending?.abort();
    const index = this.#items.indexOf(item);
    this.#items.splice(index, 1);
    this.#announce(_("%(name)s is not attached any more", item));
    const beside = this.#items[Math.min(index, this.#items.length - 1)]?.row.querySelector(".remove");
    (beside ?? this.#list.closest("form").querySelector("textarea")).focus({ preventScroll: true });
  }

  #show(item) {
    const { row, state, name, size, said, part, kept } = item;
    const within = (selector) => row.querySelector(selector);
    row.classList.toggle("failed-file", state === FAILED);
    within(".attached-state").textContent = said || this.#stateOf(state, size, part);
    within(".again").hidden = state !== FAILED || Boolean(item.isFinal);
    within(".remove").setAttribute("aria-label", state === DONE || state === FAILED ? _("Remove %(name)s", { name }) : _("Cancel %(name)s", { name }));
    within("progress").hidden = state === DONE || state === FAILED;
    within("progress").value = state === GOING ? part : 0;
    within("progress").setAttribute("aria-label", _("%(name)s on its way", { name }));
    within(".alt").hidden = !kept?.width;
    if (kept?.width && !row.querySelector("img")) within(".attached-mark").replaceChildren(mark(this.#room, kept));
  }

  #stateOf(state, size, part) {
    if (state === DONE) return sizeOf(size);
    if (state === GOING) return part < 1 ? _("%(part)s of %(size)s", { part: percent.format(part), size: sizeOf(size) }) : _("Almost there");
    return this.#connection.state === "live" ? _("Waiting") : _("Not uploaded: goes on when you are online");
  }

  #changed() {
    this.#next();
    this.#list.hidden = !this.#items.length;
    const rows = this.#items.map(({ row }) => row);
    for (const row of [...this.#list.children]) if (!rows.includes(row)) row.remove();
    for (const row of rows) if (!row.isConnected) this.#list.append(row);
    for (const item of this.#items) this.#show(item);
    if (this.#items.length) addEventListener("beforeunload", this.#holdUp);
    else removeEventListener("beforeunload", this.#holdUp);
    this.dispatchEvent(new Event("change"));
  }

  #announce(words) {
    document.getElementById("announcement").textContent = words;
  }
}

/** Where files are dropped: all of the room, which says so while they hang over it. */
class DropPlace {
  #sign;
  #depth = 0; // of elements that they were dragged into and have not left

  constructor(place, sign, take) {
    this.#sign = sign;
    place.addEventListener("dragenter", (event) => bringsFiles(event) && this.#show(this.#depth + 1));
    place.addEventListener("dragleave", (event) => bringsFiles(event) && this.#show(this.#depth - 1));
    place.addEventListener("dragover", (event) => bringsFiles(event) && event.preventDefault());
    place.addEventListener("drop", (event) => {
      if (!bringsFiles(event)) return;
      event.preventDefault();
      this.#show(0);
      take(filesOf(event.dataTransfer));
    });
  }

  #show(depth) {
    this.#depth = Math.max(0, depth);
    this.#sign.hidden = !this.#depth;
  }
}

function fail(item, said) {
  Object.assign(item, { state: FAILED, said, isFinal: true });
}

/** The list shows a few at a time: why one cannot go is to be read. */
function intoSight(item) {
  item?.row.scrollIntoView({ block: "nearest" });
}

function bringsFiles({ dataTransfer }) {
  return dataTransfer.types.includes("Files");
}

/** Without folders, which are no files. */
function filesOf({ items, files }) {
  const isFile = [...items].filter(({ kind }) => kind === "file").map((item) => !item.webkitGetAsEntry?.()?.isDirectory);
  return [...files].filter((_, index) => isFile[index] ?? true);
}

function mark(room, file) {
  return Object.assign(new Image(MARK, MARK), { src: thumbnailPath(room, file), alt: "" });
}
