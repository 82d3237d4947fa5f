// Says what is true of the line: a word in the head, the details on asking, and a banner when it
// has been down for longer than a moment.

import { _, duration, figure, LOCALE, ngettext } from "./i18n.js";
import { momentOf } from "./times.js";

const GRACE = 3_000; // ms; shorter gaps change only the word
const TICK = 1_000; // ms
const AGO = new Intl.RelativeTimeFormat(LOCALE, { style: "short" });

export class Status {
  #connection;
  #outbox;
  #composer;
  #app = document.body;
  #button = document.getElementById("state");
  #word = this.#button.querySelector(".state-word");
  #banner = document.getElementById("banner");
  #announcement = document.getElementById("announcement");
  #said = "";

  constructor({ connection, outbox, composer }) {
    this.#connection = connection;
    this.#outbox = outbox;
    this.#composer = composer;
    connection.addEventListener("state", () => this.#show());
    outbox?.addEventListener("change", () => this.#show());
    document.getElementById("try-now").addEventListener("click", () => connection.tryNow());
    document.getElementById("details").addEventListener("toggle", () => this.#showDetails());
    setInterval(() => this.#show(), TICK);
    this.#show();
  }

  get #unsent() {
    return this.#outbox?.unsent ?? 0;
  }

  get #isOffline() {
    const { state, downSince } = this.#connection;
    return state !== "live" && state !== "ended" && Date.now() - downSince > GRACE;
  }

  #show() {
    const { state } = this.#connection;
    const offline = this.#isOffline;
    this.#button.hidden = offline || state === "ended";
    this.#button.classList.toggle("live", state === "live");
    write(this.#word, state === "live" ? _("Live") : _("Connecting"));
    this.#app.classList.toggle("offline", offline);
    if (this.#composer) this.#composer.isOffline = offline;
    this.#banner.hidden = !offline;
    write(this.#banner.querySelector(".banner-rest"), [unsent(this.#unsent), this.#complete].filter(Boolean).join(" · "));
    write(this.#banner.querySelector(".banner-next"), this.#nextTry());
    this.#announce(offline ? [_("Offline"), unsent(this.#unsent)].filter(Boolean).join(" · ") : "");
    this.#showDetails();
  }

  /** What is there, in words that mean something to who reads: the number is for who asks. */
  get #complete() {
    const { downSince } = this.#connection;
    return downSince === null ? _("up to date") : _("up to date as of %(time)s", { time: momentOf(downSince) });
  }

  #nextTry() {
    const { state, nextTry } = this.#connection;
    if (state !== "waiting" || !nextTry) return _("Trying now");
    const left = Math.max(1, Math.ceil((nextTry - Date.now()) / 1000));
    return _("Next try in %(time)s", { time: duration(left, "second", "short") });
  }

  /** For those who do not see it: only what changed, and that it is over. */
  #announce(words) {
    if (words === this.#said) return;
    this.#announcement.textContent = words || _("Live again");
    this.#said = words;
  }

  #showDetails() {
    if (!document.getElementById("details").matches(":popover-open")) return;
    const { state, cursor, lastHeard, transportTitle } = this.#connection;
    const over = { transport: transportTitle };
    const heading = state === "live" ? _("Live over %(transport)s", over) : _("Connecting over %(transport)s", over);
    write(document.getElementById("details-title"), heading);
    write(document.getElementById("details-cursor"), `${this.#complete} (#${cursor})`);
    write(document.getElementById("details-unsent"), figure(this.#unsent));
    const seconds = Math.round((Date.now() - lastHeard) / 1000);
    write(document.getElementById("details-answer"), lastHeard ? AGO.format(-seconds, "second") : _("none yet"));
  }
}

function unsent(count) {
  return count > 0 ? ngettext("%(num)s unsent", "%(num)s unsent", count) : "";
}

function write(element, words) {
  if (element.textContent !== words) element.textContent = words;
}
