// The room page: makes its parts and lets them hear of each other.

import { Composer } from "./composer.js";
import { CLOSED } from "./closing.js";
import { Connection } from "./connection.js";
import { showEnding } from "./ending.js";
import { Head } from "./head.js";
import { History } from "./history.js";
import { sendLeftovers } from "./leftovers.js";
import { Log } from "./log.js";
import { LongPollTransport } from "./longpoll.js";
import { learnNames } from "./names.js";
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
learnNames(page.names);
let remover = "Somebody who runs this room";
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
const people = new People(page.people, me);
const typing = new Typing(byId("typing"));
const rooms = new RoomsList({ list: byId("rooms"), current: room.id, me, connection });
const composer =
  byId("composer") && new Composer(byId("composer"), { limit: page.limit, draftKey: `draft.${room.id}.${me.id}` });

showFirstPage();
listen();
new Status({ connection, outbox });
showName();
connection.start();
if (me) sendLeftovers(me.id, room.id);
if (composer && matchMedia("(pointer: fine)").matches) composer.focus();

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
  connection.addEventListener("read", ({ detail: frame }) => rooms.read(frame.room));
  connection.addEventListener("error", ({ detail: frame }) => frame.code === "no_such_room" && rooms.remove(frame.room));
  connection.addEventListener("person", ({ detail: frame }) => renamed(frame));
  head.addEventListener("name", showName);
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
  connection.addEventListener("error", ({ detail: frame }) => frame.re === "send" && outbox.refuse(frame));
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
  if (message.kind === "notice" && message.detail) head.change(message.detail);
}

function confirmOwn({ author, client_id: clientId }) {
  if (clientId && author.id === me?.id) outbox.confirm(clientId);
}

/** The notice comes before the line is closed, and only it tells from which room and by whom. */
function removed({ room: from, author }) {
  if (from !== room.id) connection.leave(from);
  else if (author.id !== "system") remover = author.name;
}

function startOver({ name, cursor }) {
  head.rename(name);
  begunAt = cursor;
  log.begin([], 0);
  log.atEdge = true;
  history.reset();
}

function turned() {
  if (connection.state === "live") outbox?.resume((frame) => connection.send(frame));
  else outbox?.pause();
  reading.look();
  if (connection.state === "ended") end(connection.ending.code);
}

function end(code) {
  showEnding({ code, name: room.name, by: remover, member: Boolean(me && !me.guest) });
  if (code === CLOSED.GONE) rooms.remove(room.id);
}

function renamed(person) {
  learnNames({ [person.id]: person.name });
  people.renamed(person);
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

function showName() {
  reading.title = `${room.name} · ${page.site}`;
  if (composer) composer.placeholder = `Write to ${room.name}`;
}
