// What can be completed while one writes: people by "@", rooms by "#", emoji by ":", commands by "/".

import { moderates } from "./about.js";
import { request, roomPath } from "./api.js";
import { commandsLike } from "./commands.js";
import { findEmoji } from "./emoji.js";
import { fillFace } from "./faces.js";
import { _, LANGUAGE } from "./i18n.js";
import { nameNow } from "./names.js";

const BEFORE_PERSON = /(?:^|[\s("'[{])(@([^\n@]{0,40}))$/u;
const BEFORE_ROOM = /(?:^|[\s("'[{])(#([^\n#]{0,80}))$/u;
const BEFORE_EMOJI = /(?:^|[\s("'[{])(:([\p{L}\p{N}_+-]{2,40}))$/u;
const BEFORE_COMMAND = /^(\/(\p{L}*))$/u;
const BEFORE_INVITED = /^\/invite\s+(@?([^\n@]{1,40}))$/iu;
const BEFORE_SENT_OUT = /^\/kick\s+(@?([^\n@]{1,40}))$/iu;
const MEMBERS_FRESH = 60_000; // ms for which what was answered is good
const PEOPLE_FRESH = 5_000; // the same, where it is asked for by letters
const LOOK_MORE = 1; // letters from which on everybody with an account is asked for

const names = new Intl.Collator(LANGUAGE, { sensitivity: "base" });

/**
 * `room`: as the page has it; `me`; `here()`: who is present, `authors()`: who wrote what is on the page, `rooms()`:
 * the rooms at the side; each a list of {id, name}.
 */
export function suggestions({ room, me, here, authors, rooms }) {
  const people = new PeopleKnown({ room, me, here, authors });
  return [
    { before: BEFORE_COMMAND, find: (words) => commandsLike(words, moderates()) },
    { before: BEFORE_INVITED, find: (words, isAgain) => people.findOutside(words, isAgain), isLive: true },
    { before: BEFORE_SENT_OUT, find: (words, isAgain) => people.find(words, isAgain), isLive: true },
    { before: BEFORE_PERSON, find: (words, isAgain) => people.find(words, isAgain), isLive: true },
    { before: BEFORE_ROOM, find: (words) => matching(rooms(), words).map(roomLine), isLive: true },
    { before: BEFORE_EMOJI, find: (words) => findEmoji(words) },
  ];
}

class PeopleKnown {
  #room;
  #me;
  #here;
  #authors;
  #members = { of: null, at: 0, answer: [] };
  #people = { of: null, at: 0, answer: [] };

  constructor({ room, me, here, authors }) {
    this.#room = room;
    this.#me = me;
    this.#here = here;
    this.#authors = authors;
  }

  /** `isAgain`: not because of another letter: everybody with an account is not asked for anew. */
  async find(words, isAgain) {
    const [members, more] = await Promise.all([this.#askForMembers(), this.#everybody(words, isAgain)]);
    const isPublic = this.#room.kind === "public";
    // In a room that is not public only its members can be called, in others guests while they are there or members,
    // and no program anywhere.
    const authors = this.#authors().filter(({ guest }) => !guest);
    const near = isPublic ? [...this.#here(), ...authors, ...members] : members;
    const known = new Map();
    for (const person of [...near, ...more]) if (!/^h|^system$|^guest$/.test(person.id)) known.set(person.id, person);
    known.delete(this.#me?.id);
    const found = matching([...known.values()], words);
    // Of a server's hundred Graces the one who is here is meant: the list has no room for all.
    const nearIds = new Set(near.map(({ id }) => id));
    const isNear = ({ id }) => nearIds.has(id);
    return [...found.filter(isNear), ...found.filter((person) => !isNear(person))].map(personLine);
  }

  /** Those with an account who are no members. */
  async findOutside(words, isAgain) {
    const [members, all] = await Promise.all([this.#askForMembers(), this.#askFor(words, isAgain)]);
    const ids = new Set(members.map(({ id }) => id));
    return matching(all.filter(({ id }) => !ids.has(id)), words).map(personLine);
  }

  #askForMembers() {
    return this.#ask(this.#members, MEMBERS_FRESH, roomPath(this.#room.id, "/members"), ({ members }) => members);
  }

  async #everybody(words, isAgain) {
    return this.#room.kind === "public" ? this.#askFor(words, isAgain) : [];
  }

  async #askFor(words, isAgain) {
    if (!this.#me || this.#me.guest || words.length < LOOK_MORE) return [];
    const path = `/api/people?${new URLSearchParams({ q: words })}`;
    return this.#ask(this.#people, isAgain ? Infinity : PEOPLE_FRESH, path, ({ people }) => people);
  }

  /** Who asks while the answer to the same is under way waits for that one: an earlier look may be given up. */
  #ask(last, fresh, path, people) {
    if (last.of === path && Date.now() - last.at < fresh) return last.answer;
    const before = last.of === path ? last.answer : [];
    const failed = () => ((last.at = 0), before); // it is asked for again with the next letter
    const answer = request(path).then(people, failed);
    Object.assign(last, { of: path, at: Date.now(), answer });
    return answer;
  }
}

function personLine(person) {
  const name = nameNow(person);
  const note = person.id.startsWith("g") && person.guest ? _("guest") : (person.status ?? "");
  return { text: `@${name}`, name, note, fill: (face) => fillFace(face, { ...person, name }, { own: false }) };
}

function roomLine({ name }) {
  return { text: `#${name}`, name, sign: "#" };
}

/** Those whose name, or a word of it, begins with `words`: those first whose name does. */
function matching(all, words) {
  const sought = folded(words);
  const rank = ({ name }) => {
    const full = folded(name);
    if (full.startsWith(sought)) return 0;
    return full.split(/[\s\p{P}]+/u).some((word) => word.startsWith(sought)) ? 1 : 2;
  };
  return all
    .map((each) => [rank(each), each])
    .filter(([place]) => place < 2)
    .sort(([one, { name }], [other, { name: next }]) => one - other || names.compare(name, next))
    .map(([, each]) => each);
}

/** As names are compared here: without capitals and marks. */
function folded(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}
