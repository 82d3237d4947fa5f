// What is known of the messages: texts in their newest form, and what was said about them.
// The order in which things are learnt does not matter: a page of history may come after the
// reactions to it, and an edit while that page is on its way.

import { nameNow } from "./names.js";

export class Messages {
  #shown = new Map(); // seq -> text or notice
  #edits = new Map(); // seq of the text -> its newest edit
  #turns = new Map(); // seq of the text -> what deleted it, or brought it back, last
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
    const turn = this.#turns.get(seq);
    if (turn?.kind === "delete") return { ...message, mentions: [], body: "", html: "", deleted_at: turn.at, deleted_by: turn.author };
    const edit = this.#edits.get(seq);
    const text = broughtBack(message, turn, edit);
    const isNews = edit?.body && !text.deleted_at && edit.at > (text.edited_at ?? "");
    return isNews ? { ...text, ...wordsOf(edit), edited_at: edit.at } : text;
  }

  /** The reactions that stand: [{mark, names, own}], in the order of their first. */
  reactions(seq, viewer) {
    const tally = new Map();
    for (const { body: mark, author, remove } of this.#reactions.get(seq)?.values() ?? []) {
      if (remove) continue;
      const { names = [], own = false } = tally.get(mark) ?? {};
      tally.set(mark, { mark, names: [...names, nameNow(author)], own: own || author.id === viewer });
    }
    return [...tally.values()];
  }

  /** The newest text of somebody that still stands, or null. */
  lastBy(author) {
    const own = this.by(author).map((seq) => this.get(seq)).filter(({ kind, deleted_at: gone }) => kind === "text" && !gone);
    return own.reduce((last, each) => (last?.seq > each.seq ? last : each), null);
  }

  /** Who wrote what is known: {id, name}. */
  get authors() {
    return [...new Map([...this.#shown.values()].map(({ author }) => [author.id, author])).values()];
  }

  /** The seqs of what somebody wrote. */
  by(author) {
    return [...this.#shown].filter(([, message]) => message.author.id === author).map(([seq]) => seq);
  }

  get deleted() {
    return [...this.#shown].filter(([, message]) => message.deleted_at).map(([seq]) => seq);
  }

  forget(seq) {
    this.#shown.delete(seq);
  }

  clear() {
    for (const map of [this.#shown, this.#edits, this.#turns, this.#reactions]) map.clear();
  }

  /** A deletion that was taken back since says so itself; its text may be known in a newer form. */
  #noteDeletion(message) {
    if (!message.remove) keepNewest(this.#turns, message.of, message);
  }

  #reactionsTo(seq) {
    if (!this.#reactions.has(seq)) this.#reactions.set(seq, new Map());
    return this.#reactions.get(seq);
  }
}

/**
 * The text `message` with what `turn`, if that brought it back, says of it, unless it is known in a newer form: read
 * from the log after that, it was edited since. `edit`: its newest one known, of which the words may be gone.
 */
function broughtBack(message, turn, edit) {
  if (!turn?.body || turn.at <= (message.edited_at ?? "")) return message;
  const edited = edit && edit.at < turn.at && edit.at > (message.edited_at ?? "") ? edit.at : message.edited_at;
  return { ...message, ...wordsOf(turn), files: turn.files, deleted_at: null, edited_at: edited };
}

/** What a message says, how that is shown, and whom it calls. */
function wordsOf({ body, html, mentions, called }) {
  return { body, html, mentions, called };
}

function keepNewest(map, key, message) {
  if (!(map.get(key)?.seq > message.seq)) map.set(key, message);
}
