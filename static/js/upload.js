// One file on its way to the server. `fetch` does not tell how much of a body has gone: this takes what does.

import { CSRF_TOKEN, cut, refused, roomPath } from "./api.js";
import { LANGUAGE } from "./i18n.js";

const STALL_LIMIT = 30_000; // ms without a byte going out, or without an answer to all of them

/**
 * Sends `file` to `room`; what a message names it by. `told(part)` hears how much of it has gone, 0 to 1.
 * Throws Problem, and AbortError where `signal` ended it.
 */
export function upload(room, file, { told, signal }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let timer = null;
    const wait = () => {
      clearTimeout(timer);
      timer = setTimeout(() => request.abort(), STALL_LIMIT);
    };
    const settle = (action, value) => {
      clearTimeout(timer);
      action(value);
    };
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      wait();
      told(total ? loaded / total : 1);
    });
    request.addEventListener("load", () => {
      const { status, response: body } = request;
      if (status === 201 && body) settle(resolve, body);
      else settle(reject, refused(status, body, request.getResponseHeader("Retry-After")));
    });
    request.addEventListener("error", () => settle(reject, cut()));
    request.addEventListener("abort", () => settle(reject, signal.aborted ? signal.reason : cut()));
    signal.addEventListener("abort", () => request.abort());
    request.open("POST", roomPath(room, `/files?name=${encodeURIComponent(file.name)}`));
    request.responseType = "json";
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.setRequestHeader("X-CSRF-Token", CSRF_TOKEN);
    request.setRequestHeader("Accept-Language", LANGUAGE);
    wait();
    request.send(file);
  });
}

/** Whether the same file, sent again, would be refused again. */
export function isForGood(problem) {
  return problem.status >= 400 && problem.status < 500 && problem.code !== "too_fast";
}
