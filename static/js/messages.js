// What is known of the messages: texts in their newest form, and what was said about them.
// The order in which things are learnt does not matter: a page of history may come after the
// reactions to it, and an edit while that page is on its way.

import { nameNow } from "./names.js";

export class Messages {
  #shown = new Map(); // seq -> text or notice
  #edits = new Map(); // seq of the text -> its newest edit
  #deletes = new Map(); // seq of the text -> what deleted it, or brought it back, last
  #reactions = new Map(); // seq of the text -> Map of "author mark" -> newest reaction

  /** Takes note of a message. Returns the seq of the row to show anew, or null. */
  add(message) {
    const { kind, seq, of } = message;
    if (kind === "text" || kind === "notice") this.#shown.set(seq, message);
    else if (kind === "edit") keepNewest(this.#edits, of, message);
    else if (kind === "delete" || kind === "restore") this.#noteDeletion(message);
    else if (kind === "reaction") keepNewest(this.#reactionsTo(of), `${message.author.id} ${message.body}`, message);
    else return null;
    return of !== null && kind !== "text" && this.#shown.has(of) ? of : null;
  }

  has(seq) {
    return this.#shown.has(seq);
  }

  /** The text or notice `seq` as it is now: `deleted_by` is the author who deleted it, as far as is known. */
  get(seq) {
    const message = this.#shown.get(seq);
    if (message?.kind !== "text") return message;
    const last = this.#deletes.get(seq);
    if (last?.kind === "delete") return { ...message, body: "", deleted_at: last.at, deleted_by: last.author };
    const isBack = last?.at > message.deleted_at;
    const text = isBack ? { ...message, body: last.body, deleted_at: null } : message;
    const edit = this.#edits.get(seq);
    const isNews = edit?.body && !text.deleted_at && edit.at > (text.edited_at ?? "");
    return isNews ? { ...text, body: edit.body, edited_at: edit.at } : text;
  }

  /** The reactions that stand: [{mark, count, own}], in the order of their first. */
  reactions(seq, viewer) {
    const tally = new Map();
    for (const { body: mark, author, remove } of this.#reactions.get(seq)?.values() ?? []) {
      if (remove) continue;
      const { count = 0, own = false } = tally.get(mark) ?? {};
      tally.set(mark, { mark, count: count + 1, own: own || author.id === viewer });
    }
    return [...tally.values()];
  }

  /** The seqs of what somebody wrote. */
  by(author) {
    return [...this.#shown].filter(([, message]) => message.author.id === author).map(([seq]) => seq);
  }

  forget(seq) {
    this.#shown.delete(seq);
  }

  clear() {
    for (const map of [this.#shown, this.#edits, this.#deletes, this.#reactions]) map.clear();
  }

  /** A deletion that was taken back since says so itself; its text may be known in a newer form. */
  #noteDeletion(message) {
    if (!message.remove) keepNewest(this.#deletes, message.of, message);
  }

  #reactionsTo(seq) {
    if (!this.#reactions.has(seq)) this.#reactions.set(seq, new Map());
    return this.#reactions.get(seq);
  }
}

function keepNewest(map, key, message) {
  if (!(map.get(key)?.seq > message.seq)) map.set(key, message);
}
