// What is written behind a "/" is done instead of said: a few deeds that the server has doors for. Two slashes say
// what begins with one, and a path ("/etc/hosts") is no command.

import { Problem, request, roomPath } from "./api.js";
import { _ } from "./i18n.js";

const COMMAND = /^\/(\p{L}+)(?:\s+([\s\S]*))?$/u;

/** In the order in which they are offered. `does(room, words)` returns what is to be said, or null. */
const COMMANDS = {
  topic: {
    ofModerators: true,
    says: _("what the room is about"),
    does: (room, topic) => request(roomPath(room), { method: "PATCH", json: { topic } }).then(() => null),
  },
  me: {
    says: _("what you are doing"),
    needs: _("Say what you are doing: /me waves"),
    does: (room, words) => `_${words}_`,
  },
  invite: {
    ofModerators: true,
    says: _("somebody into the room"),
    needs: _("Say whom: /invite Ada"),
    does: (room, name) => takeIn(room, bare(name)),
  },
  kick: {
    ofModerators: true,
    says: _("somebody out, who may come back"),
    needs: _("Say whom: /kick Ada"),
    does: (room, name) => request(roomPath(room, "/kick"), { json: { name: bare(name) } }).then(() => null),
  },
  help: { says: _("what can be done like this"), does: () => "/", offers: true },
};

/** The commands that begin with `words`, as lines of the completion: of moderators' only where one `moderates`. */
export function commandsLike(words, moderates) {
  return Object.entries(COMMANDS)
    .filter(([name, { ofModerators }]) => name.startsWith(words.toLowerCase()) && (moderates || !ofModerators))
    .map(([name, { says }]) => ({ text: `/${name}`, name: `/${name}`, note: says }));
}

/**
 * Does what `body`, which begins with a slash, commands. Returns {say, refused, offered}: words to be sent, why it was
 * not done, or with what all that begins is to be offered.
 */
export async function carryOut(body, room) {
  if (body.startsWith("//")) return { say: body.slice(1) };
  if (!COMMAND.test(body)) return { say: body };
  const [, name, words = ""] = body.match(COMMAND);
  const command = COMMANDS[name.toLowerCase()];
  if (!command) return { refused: _("There is no command /%(name)s. /help has them all; //%(name)s says it.", { name }) };
  if (command.needs && !words.trim()) return { refused: command.needs };
  try {
    const said = await command.does(room, words.trim());
    return command.offers ? { offered: said } : { say: said };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { refused: error.message };
  }
}

/** They may be in already, and then the server has nothing to tell. */
async function takeIn(room, name) {
  const path = roomPath(room, `/members/${encodeURIComponent(name)}`);
  if (await request(path, { method: "PUT", json: {} })) return null;
  throw new Problem({ message: _("%(name)s is a member already", { name }) });
}

/** The name, as it was completed or not. */
function bare(name) {
  return name.replace(/^@/, "");
}
