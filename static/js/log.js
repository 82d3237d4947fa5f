// A window on the room's log, from `first` to `last`, as rows on the page. At the edge (`atEdge`)
// the window ends where the log ends and new messages join it; elsewhere they are loaded when the
// reader comes down to them.

import { AHEAD, PAGE } from "./history.js";
import { openWhatIsPressed } from "./markup.js";
import { Messages } from "./messages.js";
import { Rows } from "./rows.js";
import { Scroller } from "./scroller.js";

const LOWEST = 24; // px of a row
const OVER = 25; // rows that may come in before as many go at the head: not one with each message
const HIDDEN_PAUSE = 50; // ms

export class Log extends EventTarget {
  first = null;
  last = null;
  atEdge = true;

  #me;
  #messages = new Messages();
  #rows;
  #scroller;
  #arrived = [];
  #flushing = false;
  #newFrom = null;
  #most = mostRows();

  /** `me`: the author as which one writes here, or null. Event `change`: when rows came or went. */
  constructor({ list, scroller, me }) {
    super();
    this.#me = me;
    this.#rows = new Rows(list, me, this.#messages);
    this.#scroller = new Scroller(scroller, list);
    document.addEventListener("visibilitychange", () => this.#flush());
    addEventListener("resize", () => (this.#most = mostRows()));
    openWhatIsPressed(list, (change) => this.#scroller.keepPlace(change));
  }

  get rowCount() {
    return this.#rows.count;
  }

  get isEmpty() {
    return this.#rows.isEmpty;
  }

  /** Who wrote what is on the page. */
  get authors() {
    return this.#messages.authors;
  }

  /** Whether the newest message of all is in view. */
  get isAtNewest() {
    return this.atEdge && this.#scroller.atFoot;
  }

  /** The text or notice `seq` as it is now, where it is on the page. */
  message(seq) {
    return this.#rows.row(seq) && this.#messages.get(seq);
  }

  /** The reactions to it, as Messages has them. */
  reactions(seq) {
    return this.#messages.reactions(seq, this.#me?.id);
  }

  /** One's own newest text on the page, or null. */
  get lastOwn() {
    return this.#me && this.#messages.lastBy(this.#me.id);
  }

  /** Whether nothing of one's own is still on its way here: what was sent, or kept and not yet read back. */
  get hasAllOwn() {
    return !this.#rows.isAwaiting;
  }

  /** Whether the row of the message `seq` is within what one sees. */
  isInView(seq) {
    return this.#scroller.shows(this.#rows.row(seq));
  }

  /** Leads to the row of the message `seq`; whether it is on the page. */
  reveal(seq) {
    const row = this.#rows.row(seq);
    if (!row) return false;
    row.scrollIntoView({ block: "center" });
    row.focus({ preventScroll: true });
    row.classList.add("found");
    row.addEventListener("blur", () => row.classList.remove("found"), { once: true });
    return true;
  }

  /** Starts over with `messages`, a piece of the log without gaps that ends at `last`. */
  begin(messages, last) {
    this.#messages.clear();
    this.#rows.clear();
    this.#arrived = [];
    this.first = messages[0]?.seq ?? null;
    this.last = messages[0] ? messages[0].seq - 1 : last;
    this.#addAtFoot(messages);
    this.last = Math.max(this.last, last);
    this.#scroller.toFoot();
  }

  /** A message that came in. */
  hear(message) {
    if (this.atEdge) {
      this.#arrived.push(message);
      this.#flushSoon();
    } else {
      this.#onlyNote(message);
    }
  }

  /** The page of history before `first`. Returns how many rows it brought. */
  addOlder(messages) {
    const shown = this.#note(messages);
    this.first = messages[0]?.seq ?? this.first;
    this.last = Math.max(this.last, messages.at(-1)?.seq ?? 0);
    this.#scroller.keepPlace(() => {
      this.#rows.prepend(shown);
      if (this.#rows.count > this.#most) this.#trimFoot();
      this.#rows.markNew(this.#newFrom);
    });
    this.#changed();
    return shown.length;
  }

  /** The page of history after `last`. Returns how many rows it brought. */
  addNewer(messages) {
    let brought = 0;
    this.#scroller.keepPlace(() => {
      brought = this.#addAtFoot(messages);
      if (this.#rows.count > this.#most) this.#trimHead();
    });
    return brought;
  }

  showPending(items) {
    const unsent = new Set(items.map((item) => item.client_id));
    for (const id of this.#rows.pendingIds) if (!unsent.has(id)) this.#rows.showAsKept(id);
    for (const item of items) this.#rows.showPending(item);
    this.#changed();
  }

  /** The message `clientId` is `seq`. If the page is past it, it was sent before, and is shown or above. */
  acknowledge(clientId, seq) {
    if (seq <= this.last || !this.atEdge) this.dropPending(clientId);
  }

  dropPending(clientId) {
    this.#rows.dropPending(clientId);
    this.#changed();
  }

  /** The line "New" stands above the message `seq`, once that is shown; null: nowhere. */
  markNew(seq) {
    this.#newFrom = seq;
    this.#rows.markNew(seq);
  }

  /** Somebody has a new name. */
  renamed({ id }) {
    this.#showAnew(this.#messages.by(id));
  }

  /** Who reads here has come to moderate, or does no more: what was deleted offers them other things. */
  turned() {
    this.#showAnew(this.#messages.deleted);
  }

  toFoot() {
    this.#scroller.toFoot();
  }

  /** A burst is one change of the page. A hidden page has no frames. */
  #flushSoon() {
    if (this.#flushing) return;
    this.#flushing = true;
    if (document.hidden) setTimeout(() => this.#flush(), HIDDEN_PAUSE);
    else requestAnimationFrame(() => this.#flush());
  }

  #flush() {
    this.#flushing = false;
    const messages = this.#arrived;
    this.#arrived = [];
    if (!messages.length) return;
    const reading = !this.#scroller.atFoot;
    if (reading && this.#rows.count + messages.length > this.#most + OVER) this.#leaveEdge(messages);
    else if (reading) this.#scroller.keepPlace(() => this.#addAtFoot(messages, { areNews: true }));
    else this.#follow(messages);
  }

  #leaveEdge(messages) {
    this.atEdge = false;
    for (const message of messages) this.#onlyNote(message);
    this.#changed();
  }

  #follow(messages) {
    this.#addAtFoot(messages, { areNews: true });
    if (this.#rows.count > this.#most + OVER) this.#trimHead();
    this.#scroller.toFoot();
    this.#changed();
  }

  #addAtFoot(messages, how = {}) {
    const news = messages.filter((message) => message.seq > this.last);
    if (!news.length) return 0;
    this.first ??= news[0].seq;
    this.last = news.at(-1).seq;
    const shown = this.#note(news);
    this.#rows.append(shown, how);
    if (shown.includes(this.#newFrom)) this.#rows.markNew(this.#newFrom);
    this.#changed();
    return shown.length;
  }

  #trimHead() {
    this.first = this.#rows.trimHead(this.#most);
    this.#rows.markNew(this.#newFrom);
  }

  #trimFoot() {
    this.last = this.#rows.trimFoot(this.#most);
    this.atEdge = false;
  }

  /** Takes note of `messages`. Returns the seqs of those that get rows of their own. */
  #note(messages) {
    for (const message of messages) {
      this.#settle(message);
      this.#refresh(this.#messages.add(message));
    }
    return messages.map(({ seq }) => seq).filter((seq) => this.#messages.has(seq));
  }

  /** What is said about messages on the page counts also where new ones do not join it. */
  #onlyNote(message) {
    this.#settle(message);
    const seq = this.#messages.add(message);
    this.#messages.forget(message.seq);
    if (seq !== null) this.#scroller.keepPlace(() => this.#refresh(seq));
  }

  #settle({ author, client_id: clientId }) {
    if (clientId && author.id === this.#me?.id) this.#rows.dropPending(clientId);
  }

  #showAnew(seqs) {
    this.#scroller.keepPlace(() => {
      for (const seq of seqs) this.#refresh(seq);
    });
  }

  #refresh(seq) {
    if (seq === null) return;
    this.#rows.refresh(seq);
    this.#rows.quoteAnew(seq);
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/** As few as will do: with fewer, what is loaded ahead of one end would take away what is ahead of the other. */
function mostRows() {
  return PAGE + Math.ceil((innerHeight + 2 * AHEAD) / LOWEST);
}
