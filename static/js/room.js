// The room page: makes its parts and lets them hear of each other.

import { About } from "./about.js";
import { completeWhenBegun } from "./completing.js";
import { Composer } from "./composer.js";
import { CLOSED } from "./closing.js";
import { Connection } from "./connection.js";
import { short, showReports } from "./counts.js";
import { watchFaults } from "./files.js";
import { Head } from "./head.js";
import { History } from "./history.js";
import { _, ngettext } from "./i18n.js";
import { Log } from "./log.js";
import { calls } from "./mentions.js";
import { learnNames } from "./names.js";
import { MessageMenu } from "./message_menu.js";
import { moveByKeys } from "./row_focus.js";
import { Outbox } from "./outbox.js";
import { People } from "./people.js";
import { Reading } from "./reading.js";
import { RoomsList } from "./rooms_list.js";
import { Status } from "./status.js";
import { openByKeys } from "./shortcuts.js";
import { Tab } from "./tab.js";
import { heardAt, serverNow } from "./times.js";
import { roomsOf } from "./unsent.js";
import { WebSocketTransport } from "./websocket.js";

const toStream = async () => (await import("./sse.js")).SseTransport;
const toPoll = async () => (await import("./longpoll.js")).LongPollTransport;

const FULL = _("Too many messages are unsent.");
const ANNOUNCED = 6_000; // ms
const UNREACHABLE = { refused: _("The server cannot be reached: try again") };

const byId = (id) => document.getElementById(id);
const page = JSON.parse(byId("page").textContent);
const { room, identity: me } = page;
let announced = null; // the timer of what is said over the field
let isCommanding = false;
let wantsLast = false; // ↑ was pressed, and one's last words are not back yet
let completing = null; // see completing.js
let linksRooms = false; // see room_names.js
let typing = null; // shows who writes, once somebody does
let removal = null; // the notice that said so where this person was sent out
learnNames(page.names);
heardAt(page.now);
let stoppedAt = page.unread_from; // where the reading stopped before this visit, until that has been in view
const begunAt = new Map(); // seq of a room up to which messages after a reset are old ones
let newest = room.cursor; // the highest seq that this page has known, whatever log it shows

const connection = new Connection({
  room: room.id,
  cursor: page.newer ? room.cursor : (page.messages.at(-1)?.seq ?? room.cursor),
  epoch: room.epoch,
  transport: page.transport === "auto" ? WebSocketTransport : await toPoll(),
  others: page.transport === "auto" ? [toStream, toPoll] : [],
  roomsLimit: page.rooms_limit,
});
const outbox = me && new Outbox({ room: room.id, author: me.id });
const log = new Log({ list: byId("messages"), scroller: byId("log"), me });
const history = new History({
  room: room.id,
  log,
  connection,
  older: byId("older"),
  foot: byId("log-foot"),
  scroller: byId("log"),
});
const reading = new Reading({ log, connection, room: me && room.id });
const tab = new Tab(document.title);
const head = new Head(room);
const people = new People(room.id, page.people, me, page.parts);
const about = new About({ room: room.id, me });
const rooms = new RoomsList({
  lists: { rooms: byId("rooms"), direct: byId("direct"), archived: byId("archived") },
  current: room.id,
  me,
  connection,
});
const { Attachments } = byId("attached") ? await import("./attachments.js") : {}; // who may send no files needs it not
const attachments =
  Attachments && new Attachments({ room: room.id, ...page.files, form: byId("composer"), connection });
const composer =
  byId("composer") &&
  new Composer(byId("composer"), { limit: page.limit, draftKey: `draft.${room.id}.${me.id}`, attachments });
let notifications = null;
if (window.Notification?.permission === "granted") beginToNotify();
byId("people").addEventListener("toggle", () => (beginToNotify(), followBack()), { once: true });
if (window.history.state?.pane) followBack();
if (composer) {
  const known = { here: () => people.here, authors: () => log.authors, rooms: () => rooms.all };
  completing = completeWhenBegun(byId("composer").querySelector("textarea"), { room, me, ...known });
}

const menu = me && new MessageMenu({ list: byId("messages"), log, me, mayWrite: () => about.mayWrite });
moveByKeys(byId("log"), byId("messages"));
openByKeys(() => rooms.all, me);
watchFaults(byId("messages"));
showPace();
showFirstPage();
listen();
new Status({ connection, outbox, composer });
showName();
connection.start();
if (me) sendLeftovers();
if (me) import("./drafts.js").then(({ goOn }) => goOn(me.id, room.id, composer, log), () => null);
addEventListener("pageshow", ({ persisted }) => me && persisted && sendLeftovers()); // that the browser has kept asleep
addEventListener("hashchange", goToPermalink);
if (location.hash) goToPermalink();
else if (composer && matchMedia("(pointer: fine)").matches) composer.focus();

function showFirstPage() {
  log.begin(page.messages, page.newer ? page.messages.at(-1).seq : connection.cursor);
  log.atEdge = !page.newer;
  for (const message of page.messages) confirmOwn(message);
  if (outbox) log.showPending(outbox.rows);
  if (stoppedAt) log.markNew(stoppedAt);
  linkRooms();
  showEmpty();
  showJump();
  showFirstUnread();
}

/** Loaded once somebody may have named one; then it sees by itself what comes. */
function linkRooms() {
  const list = byId("messages");
  if (linksRooms || !list.textContent.includes("#")) return;
  linksRooms = true;
  import("./room_names.js").then((names) => names.linkRooms(list, () => rooms.all), () => (linksRooms = false));
}

function listen() {
  connection.addEventListener("state", turned);
  connection.addEventListener("message", ({ detail: message }) => hear(message));
  connection.addEventListener("reset", ({ detail: frame }) => {
    begunAt.set(frame.room, frame.cursor);
    if (frame.room === room.id) startOver(frame);
    else rooms.begunAnew(frame);
  });
  connection.addEventListener("joined", ({ detail: frame }) => frame.room === room.id && head.rename(frame.name));
  connection.addEventListener("presence", ({ detail: frame }) => frame.room === room.id && came(frame));
  connection.addEventListener("typing", ({ detail: frame }) => frame.room === room.id && typed(frame));
  connection.addEventListener("rooms", ({ detail: frame }) => {
    rooms.refreshSoon();
    if (frame.seq) notifications?.calledIn(frame);
  });
  connection.addEventListener("read", ({ detail: frame }) => read(frame));
  connection.addEventListener("here", ({ detail: frame }) => rooms.came(frame));
  connection.addEventListener("error", ({ detail: frame }) => frame.re === "join" && lost(frame));
  connection.addEventListener("error", ({ detail: frame }) => frame.re === "read" && notMarked(frame));
  connection.addEventListener("person", ({ detail: frame }) => changed(frame));
  head.addEventListener("name", showName);
  about.addEventListener("change", showPace);
  about.addEventListener("turn", turnedModerator);
  log.addEventListener("change", () => {
    linkRooms();
    showEmpty();
    reading.look();
    showJump();
    completing?.lookAgain();
  });
  reading.addEventListener("change", () => (showJump(), showTab()));
  rooms.addEventListener("change", () => (showTab(), showWaiting(), completing?.lookAgain()));
  byId("log").addEventListener("scroll", scrolled, { passive: true });
  byId("jump").addEventListener("click", jump);
  byId("first-unread").addEventListener("click", goToFirstUnread);
  if (outbox) listenToWriting();
}

/** Where something was left unsent in other rooms. */
async function sendLeftovers() {
  if ([...roomsOf(me.id)].some((id) => id !== room.id)) (await import("./leftovers.js")).sendLeftovers(me.id, room.id);
}

/** The people's pane, where it lies over the room. */
function followBack() {
  import("./panes.js").catch(() => null);
}

/** Loaded once browsers may tell something, or somebody looks at their choices. */
async function beginToNotify() {
  const { Notifications } = await import("./notifications.js");
  notifications ??= new Notifications({ room, me, rooms });
}

function listenToWriting() {
  connection.addEventListener("ack", ({ detail: frame }) => {
    outbox.confirm(frame.client_id);
    log.acknowledge(frame.client_id, frame.seq);
  });
  connection.addEventListener("error", ({ detail: frame }) => frame.re === "send" && refused(frame));
  outbox.addEventListener("change", () => log.showPending(outbox.rows));
  outbox.addEventListener("discard", ({ detail: clientId }) => log.dropPending(clientId));
  outbox.addEventListener("check", () => connection.check());
  outbox.addEventListener("refused", ({ detail: why }) => announce(_("Not done: %(reason)s", { reason: why })));
  byId("messages").addEventListener("click", decide);
  composer.addEventListener("typing", () => connection.send({ type: "typing", room: room.id }));
  composer.addEventListener("send", say);
  composer.addEventListener("last", editLast);
  log.addEventListener("change", () => wantsLast && editLast());
  byId("enter-breaks").checked = composer.enterBreaks;
  byId("enter-breaks").addEventListener("change", ({ target }) => (composer.enterBreaks = target.checked));
  menu.addEventListener("reply", ({ detail: message }) => composer.answer(message));
  menu.addEventListener("edit", ({ detail: message }) => composer.edit(message));
  menu.addEventListener("unread", ({ detail: message }) => markUnread(message));
  menu.addEventListener("change", ({ detail: change }) => outbox.isFull ? announce(FULL) : act(change));
  menu.addEventListener("said", ({ detail: words }) => announce(words));
  byId("composer").addEventListener("input", () => (byId("command-refused").hidden = true));
}

/** Pressed while one's last words are on their way, ↑ waits for them: one does not mean those before. */
function editLast() {
  wantsLast = composer.isEmpty && !log.hasAllOwn;
  if (!wantsLast && composer.isEmpty && log.lastOwn) composer.edit(log.lastOwn);
}

function hear(message) {
  heardAt(message.at);
  const isNew = rooms.heard(message);
  if (isNew && message.kind === "text" && message.author.id !== me?.id) notifications?.heard(message);
  if (me) turnAway(message);
  if (message.room !== room.id) return;
  newest = Math.max(newest, message.seq);
  confirmOwn(message);
  typing?.then((shown) => shown.fade(message.author.id), () => {});
  log.hear(message);
  const forMe = room.kind === "direct" || calls(message, me?.id);
  const isNews = message.kind === "text" && message.author.id !== me?.id && !isOld(message);
  if (isNews) reading.heard(message, forMe);
  else if (["edit", "delete", "restore"].includes(message.kind)) reading.changed(message, forMe);
  if (message.kind === "notice" && message.detail) change(message.detail);
}

function isOld({ room: where, seq }) {
  return seq <= (begunAt.get(where) ?? 0);
}

/** The message and what follows it count as unread, here and elsewhere, until one comes back to the room. */
function markUnread({ seq }) {
  if (connection.state !== "live") return announce(_("Not done: there is no connection to the server right now"));
  connection.send({ type: "read", room: room.id, seq: seq - 1, unread: true });
  unreadFrom(seq);
  announce(_("Unread from here"));
}

/** Only what is to be unread again can be too fast; what was read is told again without a word. */
function notMarked({ code, message }) {
  if (code === "too_fast") announce(_("Not done: %(reason)s", { reason: message }));
}

/** This person has read a room elsewhere, or wants to have it unread. */
function read(frame) {
  if (frame.room === room.id && frame.unread) unreadFrom(frame.seq + 1);
  rooms.read(frame);
}

function unreadFrom(seq) {
  reading.hold();
  log.markNew(seq);
}

/** What a notice says has changed. */
function change(detail) {
  head.change(detail);
  about.heard(detail);
  if (detail.member) people.became(detail.member);
  if (detail.removed) people.became({ id: detail.removed, role: null });
}

function confirmOwn({ kind, at, author, client_id: clientId }) {
  if (author.id !== me?.id) return;
  if (clientId) outbox.confirm(clientId);
  if (kind === "text" && about.slowSeconds) composer.wait(Date.parse(at));
}

function refused(frame) {
  outbox.refuse(frame);
  if (frame.code === "too_fast" && about.slowSeconds) composer.wait(serverNow(), frame.retry_after ?? 0);
  if (frame.code === "forbidden" || frame.code === "room_closed") about.refresh();
}

/**
 * Whether this person was sent out, or is there again: they wrote, or somebody took them in. The notice comes before
 * the line is closed, and only it tells from which room and by whom. After a reset the last messages come again.
 */
function turnAway(message) {
  const { room: from, seq, author, detail } = message;
  const isOut = detail?.removed === me.id;
  if (from !== room.id) return isOut && !isOld(message) && connection.leave(from);
  if (seq <= newest) return;
  if (isOut) {
    removal = message;
    connection.sentOut();
  } else if (author.id === me.id || (detail?.member?.id === me.id && detail.member.role)) {
    removal = null;
    connection.cameBack();
  }
}

/** A room, here or at the side, is gone or not to be read any more. */
function lost({ code, room: from }) {
  if (code === "no_such_room") rooms.remove(from);
  else if (from !== room.id) rooms.refresh();
}

function startOver({ name, cursor }) {
  head.rename(name);
  log.begin([], 0);
  log.atEdge = true;
  history.reset();
  about.refresh();
}

function turned() {
  if (connection.state === "live") outbox?.resume((frame) => connection.send(frame));
  else outbox?.pause();
  reading.look();
  if (connection.state === "ended") end(connection.ending);
}

/** The server has said so: what is shown then is to be had from it. */
async function end({ code, reason }) {
  const ending = await import("./ending.js").catch(() => null);
  if (!ending) return location.reload(); // the server says it as well
  ending.showEnding({ code, room, removal, reason, member: Boolean(me && !me.guest) });
  if (code === CLOSED.GONE) rooms.remove(room.id);
}

/** Somebody came to this room or left it. */
function came(frame) {
  people.heard(frame);
  completing?.lookAgain();
}

function changed(person) {
  learnNames({ [person.id]: person.name });
  people.changed(person);
  log.renamed(person);
  completing?.lookAgain();
}

function typed({ who }) {
  if (who.id === me?.id) return;
  typing ??= import("./typing.js").then(({ Typing }) => new Typing(byId("typing")));
  typing.then((shown) => shown.heard(who), () => (typing = null));
}

async function say(event) {
  if (outbox.isFull) {
    event.preventDefault();
    return announce(`${FULL} ${_("Your words stay in the field.")}`);
  }
  const { kind, of, body } = event.detail;
  if (kind === "edit") return act(event.detail);
  if (of === null && body.startsWith("/")) {
    event.preventDefault();
    if (!isCommanding) await command(body).finally(() => (isCommanding = false));
    return;
  }
  await send(event.detail);
}

/** About a message. It stays as it is until the server has answered, so who is offline is told that it was heard. */
function act(change) {
  outbox.add(change);
  if (!byId("banner").hidden) announce(_("That is done when you are back"));
}

async function send(said) {
  log.markNew(null);
  stoppedAt = null;
  showFirstUnread();
  reading.release();
  outbox.add(said);
  log.toFoot();
  await history.toNewest();
  log.toFoot();
}

/** What begins with a slash: its words stay in the field until it is done. */
async function command(body) {
  isCommanding = true;
  const commands = await import("./commands.js").catch(() => null);
  const { say: words, offered, refused: why } = (await commands?.carryOut(body, room.id)) ?? UNREACHABLE;
  byId("command-refused").hidden = !why;
  byId("command-refused").textContent = why ?? "";
  if (why) return;
  composer.replace(body, "");
  if (offered) await completing.offer(offered);
  if (words) await send({ body: words });
}

/** "Send again", "Edit" and "Discard" of a message that was refused. */
function decide({ target }) {
  const clientId = target.closest("[data-client-id]")?.dataset.clientId;
  if (target.closest(".send-again")) outbox.sendAgain(clientId);
  else if (target.closest(".edit")) bringBack(outbox.takeBack(clientId));
  else if (target.closest(".discard")) outbox.discard(clientId);
  else return;
  composer.focus();
}

/** What was refused is written anew. */
function bringBack({ kind, body, of, files }) {
  const other = of && log.message(of);
  if (kind === "edit" && other && !other.deleted_at) return composer.edit(other, body);
  composer.bringBack(body);
  if (kind === "text" && other) composer.answer(other);
  attachments?.bringBack(files ?? []);
}

/** For who sees and who listens. */
function announce(words) {
  clearTimeout(announced);
  byId("announcement").textContent = byId("said").textContent = words;
  byId("said").hidden = false;
  announced = setTimeout(() => (byId("said").hidden = true), ANNOUNCED);
}

/** `#418`, or `#m418` as a quote and a search have it, is the message 418, wherever in the log it is. */
async function goToPermalink() {
  const seq = Number(/^#m?(\d{1,15})$/.exec(location.hash)?.[1]);
  if (!seq) return;
  const isThere = await history.goTo(seq);
  if (isThere === null) announce(_("Message #%(number)s could not be loaded: try again", { number: String(seq) }));
  else if (!isThere) announce(_("There is no message #%(number)s here (any more)", { number: String(seq) }));
}

async function jump(event) {
  event.preventDefault();
  await history.toNewest();
  log.toFoot();
}

function scrolled() {
  reading.look();
  showJump();
  showFirstUnread();
}

/** Leads up to where the reading stopped, as long as that is above what is in view. */
function showFirstUnread() {
  if (stoppedAt && log.isInView(stoppedAt)) stoppedAt = null;
  byId("first-unread").hidden = !stoppedAt;
}

async function goToFirstUnread() {
  const seq = stoppedAt;
  stoppedAt = null;
  showFirstUnread();
  log.markNew(seq);
  if (await history.goTo(seq)) return;
  stoppedAt = seq;
  showFirstUnread();
}

function showJump() {
  const button = byId("jump");
  const words = reading.unread > 0 ? ngettext("%(num)s new", "%(num)s new", reading.unread, { num: short(reading.unread) }) : _("Newest");
  const isNear = log.atEdge && -byId("log").scrollTop < byId("log").clientHeight;
  button.hidden = log.isAtNewest || (reading.unread === 0 && isNear);
  button.querySelector(".jump-word").textContent = words;
}

function showEmpty() {
  byId("log-column").classList.toggle("vacant", log.isEmpty && history.isExhausted);
}

function showTab() {
  rooms.countsCurrent = reading.isHeld;
  tab.show({ forMe: reading.forMe + rooms.forMe, unread: reading.unread });
}

/** What waits for who moderates this room, and for who runs the server. */
function showWaiting() {
  if (rooms.reports === null) return;
  const here = rooms.about(room.id)?.reports ?? 0;
  const inHead = byId("to-reports");
  if (inHead) inHead.hidden = here === 0;
  showReports(document.querySelectorAll("#to-reports .reports-count, .ways-on .reports-count"), here);
  showReports(document.querySelectorAll("#to-admin .reports-count"), rooms.reports);
}

/** One has come to moderate, or does no more. */
function turnedModerator() {
  log.turned();
  rooms.refresh(); // which has the reports that wait
}

function showPace() {
  if (composer) composer.pace = about.slowSeconds;
}

function showName() {
  tab.title = `${room.name} · ${page.site}`;
  if (composer) composer.addressee = room.name;
}
