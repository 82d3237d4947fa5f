// The room page: makes its parts and lets them hear of each other.

import { About } from "./about.js";
import { Composer } from "./composer.js";
import { CLOSED } from "./closing.js";
import { Connection } from "./connection.js";
import { showEnding } from "./ending.js";
import { showFound } from "./found.js";
import { Head } from "./head.js";
import { History } from "./history.js";
import { sendLeftovers } from "./leftovers.js";
import { Log } from "./log.js";
import { LongPollTransport } from "./longpoll.js";
import { learnNames } from "./names.js";
import { MessageMenu } from "./message_menu.js";
import { Outbox } from "./outbox.js";
import { People } from "./people.js";
import { Reading } from "./reading.js";
import { RoomsList } from "./rooms_list.js";
import { SseTransport } from "./sse.js";
import { Status } from "./status.js";
import { Typing } from "./typing.js";
import { WebSocketTransport } from "./websocket.js";

const LADDERS = {
  auto: [WebSocketTransport, SseTransport, LongPollTransport],
  "long-poll": [LongPollTransport],
};

const byId = (id) => document.getElementById(id);
const page = JSON.parse(byId("page").textContent);
const { room, identity: me } = page;
let remover = null; // who sent this person out, where a notice said so
learnNames(page.names);
let begunAt = 0; // seq up to which messages after a reset are old ones

const connection = new Connection({
  room: room.id,
  cursor: page.newer ? room.cursor : (page.messages.at(-1)?.seq ?? room.cursor),
  epoch: room.epoch,
  ladder: LADDERS[page.transport],
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
const reading = new Reading({ title: document.title, log, connection, room: me && room.id });
const head = new Head(room);
const people = new People(page.people, me, page.parts);
const about = new About({ room: room.id, me });
const typing = new Typing(byId("typing"));
const rooms = new RoomsList({
  lists: { rooms: byId("rooms"), direct: byId("direct"), archived: byId("archived") },
  current: room.id,
  me,
  connection,
});
const composer =
  byId("composer") && new Composer(byId("composer"), { limit: page.limit, draftKey: `draft.${room.id}.${me.id}` });

new MessageMenu(byId("messages"));
showPace();
showFirstPage();
listen();
new Status({ connection, outbox });
showName();
connection.start();
if (me) sendLeftovers(me.id, room.id);
if (composer && matchMedia("(pointer: fine)").matches) composer.focus();
showFound();
addEventListener("hashchange", showFound);

function showFirstPage() {
  log.begin(page.messages, page.newer ? page.messages.at(-1).seq : connection.cursor);
  log.atEdge = !page.newer;
  for (const message of page.messages) confirmOwn(message);
  if (outbox) log.showPending(outbox.items);
  showEmpty();
  showJump();
}

function listen() {
  connection.addEventListener("state", turned);
  connection.addEventListener("message", ({ detail: message }) => hear(message));
  connection.addEventListener("reset", ({ detail: frame }) => {
    if (frame.room === room.id) startOver(frame);
    else rooms.begunAnew(frame);
  });
  connection.addEventListener("joined", ({ detail: frame }) => frame.room === room.id && head.rename(frame.name));
  connection.addEventListener("presence", ({ detail: frame }) => frame.room === room.id && people.heard(frame));
  connection.addEventListener("typing", ({ detail: frame }) => frame.room === room.id && typed(frame));
  connection.addEventListener("rooms", () => rooms.refresh());
  connection.addEventListener("read", ({ detail: frame }) => rooms.read(frame.room));
  connection.addEventListener("error", ({ detail: frame }) => frame.re === "join" && lost(frame));
  connection.addEventListener("person", ({ detail: frame }) => changed(frame));
  head.addEventListener("name", showName);
  about.addEventListener("change", showPace);
  log.addEventListener("change", () => {
    showEmpty();
    reading.look();
    showJump();
  });
  reading.addEventListener("change", showJump);
  byId("log").addEventListener("scroll", scrolled, { passive: true });
  byId("jump").addEventListener("click", jump);
  if (outbox) listenToWriting();
}

function listenToWriting() {
  connection.addEventListener("ack", ({ detail: frame }) => {
    outbox.confirm(frame.client_id);
    log.acknowledge(frame.client_id, frame.seq);
  });
  connection.addEventListener("error", ({ detail: frame }) => frame.re === "send" && refused(frame));
  outbox.addEventListener("change", () => log.showPending(outbox.items));
  outbox.addEventListener("discard", ({ detail: clientId }) => log.dropPending(clientId));
  outbox.addEventListener("check", () => connection.check());
  byId("messages").addEventListener("click", decide);
  composer.addEventListener("typing", () => connection.send({ type: "typing", room: room.id }));
  composer.addEventListener("send", say);
}

function hear(message) {
  rooms.heard(message);
  if (message.detail?.removed && message.detail.removed === me?.id) removed(message);
  if (message.room !== room.id) return;
  confirmOwn(message);
  typing.fade(message.author.id);
  log.hear(message);
  const isNews = message.kind === "text" && message.author.id !== me?.id && message.seq > begunAt;
  if (isNews) reading.heard(message);
  if (message.kind === "notice" && message.detail) change(message.detail);
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
  if (frame.code === "too_fast" && about.slowSeconds) composer.wait(Date.now(), frame.retry_after ?? 0);
  if (frame.code === "forbidden" || frame.code === "room_closed") about.refresh();
}

/** The notice comes before the line is closed, and only it tells from which room and by whom. */
function removed({ room: from, author }) {
  if (from !== room.id) connection.leave(from);
  else remover = author.id === "system" ? "Somebody who runs this server" : author.name;
}

/** A room, here or at the side, is gone or not to be read any more. */
function lost({ code, room: from }) {
  if (code === "no_such_room") rooms.remove(from);
  else if (from !== room.id) rooms.refresh();
}

function startOver({ name, cursor }) {
  head.rename(name);
  begunAt = cursor;
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

function end({ code, reason }) {
  showEnding({ code, room, by: remover, reason, member: Boolean(me && !me.guest) });
  if (code === CLOSED.GONE) rooms.remove(room.id);
}

function changed(person) {
  learnNames({ [person.id]: person.name });
  people.changed(person);
  log.renamed(person);
}

function typed({ who }) {
  if (who.id !== me?.id) typing.heard(who);
}

async function say(event) {
  if (outbox.isFull) {
    event.preventDefault();
    byId("announcement").textContent = "Too many messages are unsent. Your words stay in the field.";
    return;
  }
  log.markNew(null);
  outbox.add(event.detail);
  log.toFoot();
  await history.toNewest();
  log.toFoot();
}

/** "Send again", "Edit" and "Discard" of a message that was refused. */
function decide({ target }) {
  const clientId = target.closest("[data-client-id]")?.dataset.clientId;
  if (target.closest(".send-again")) outbox.sendAgain(clientId);
  else if (target.closest(".edit")) composer.bringBack(outbox.takeBack(clientId));
  else if (target.closest(".discard")) outbox.discard(clientId);
  else return;
  composer.focus();
}

async function jump(event) {
  event.preventDefault();
  await history.toNewest();
  log.toFoot();
}

function scrolled() {
  reading.look();
  showJump();
}

function showJump() {
  const button = byId("jump");
  const words = reading.unread > 0 ? `${reading.unread} new` : "Newest";
  const isNear = log.atEdge && -byId("log").scrollTop < byId("log").clientHeight;
  button.hidden = log.isAtNewest || (reading.unread === 0 && isNear);
  button.querySelector(".jump-word").textContent = words;
}

function showEmpty() {
  byId("empty").hidden = !log.isEmpty || !history.isExhausted;
}

function showPace() {
  if (composer) composer.pace = about.slowSeconds;
}

function showName() {
  reading.title = `${room.name} · ${page.site}`;
  if (composer) composer.placeholder = `Write to ${room.name}`;
}
