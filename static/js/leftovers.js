// Sends what was left unsent in other rooms: who goes on to another page need not come back for it.

import { Outbox } from "./outbox.js";
import { roomsOf } from "./unsent.js";
import { write } from "./writes.js";

const outboxes = new Map(); // by room

/** `author`: as whom one writes here; `except`: the id of the room that the page itself sends for. */
export function sendLeftovers(author, except = null) {
  for (const room of roomsOf(author)) {
    if (room === except || outboxes.has(room)) continue;
    outboxes.set(room, new Outbox({ room, author }));
    sendFor(outboxes.get(room));
  }
}

function sendFor(outbox) {
  outbox.resume(async (frame) => {
    const answer = await write(frame);
    if (answer.type === "ack") outbox.confirm(answer.client_id);
    else outbox.refuse(answer);
  });
}
