// One socket to /ws; PROTOCOL's frames pass as they are.
//
// Every transport has this surface: open(), send(frame), close(), and the callbacks onopen(),
// onmessage(frame) and onclose({code, reason, retryAfter}), which comes at most once and not after
// close(). `manyRooms`: whether it can follow more rooms than the first one it joined.

import { CLOSED } from "./closing.js";
import { LANGUAGE } from "./i18n.js";

const PROTOCOL = "chatapp.v1";
// In which language refusals are said; a socket's request takes no headers from a page.
const ASKED = LANGUAGE === "en" ? "" : `?language=${LANGUAGE}`;

export class WebSocketTransport {
  static title = "WebSocket";

  manyRooms = true;
  onopen = null;
  onmessage = null;
  onclose = null;

  #socket = null;

  open() {
    try {
      this.#socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/ws${ASKED}`, PROTOCOL);
    } catch {
      queueMicrotask(() => this.onclose?.({ code: CLOSED.LOST }));
      return;
    }
    this.#socket.onopen = () => this.onopen();
    this.#socket.onmessage = ({ data }) => this.onmessage(JSON.parse(data));
    this.#socket.onclose = ({ code, reason }) => this.onclose({ code, ...parsed(reason) });
  }

  send(frame) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  close() {
    this.onclose = null;
    if (!this.#socket) return;
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
  }
}

function parsed(reason) {
  try {
    const { retry_after: retryAfter = null, room = null, message = reason } = JSON.parse(reason);
    return { reason: message, retryAfter, room };
  } catch {
    return { reason, retryAfter: null };
  }
}
