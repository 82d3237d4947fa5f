// What a client says, over HTTP instead of a socket: a frame in, its answering frame out.

import { Problem, request, roomPath } from "./api.js";

/** The `ack` or `error` that /ws would have answered; null for frames that have no answer. */
export async function write(frame) {
  const { type, room } = frame;
  try {
    if (type === "send") return acknowledgement(frame, await request(roomPath(room, "/messages"), { json: said(frame) }));
    if (type === "typing") await request(roomPath(room, "/typing"), { json: {} });
    if (type === "read") await request(roomPath(room, "/read"), { json: { seq: frame.seq, unread: frame.unread }, outlives: true });
    return null;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return type === "typing" ? null : refusal(frame, error);
  }
}

function said({ body, client_id, kind, of, remove, files }) {
  return { body, client_id, kind, of, remove, files };
}

function acknowledgement({ room, client_id }, { seq, at }) {
  return { type: "ack", room, client_id, seq, at };
}

function refusal({ type, room, client_id }, { code, message, retryAfter }) {
  return { type: "error", re: type, room, client_id, code, message, retry_after: retryAfter };
}
