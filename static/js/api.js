// Requests to the server's HTTP API, and its refusals as values with a stable code.

import { _, LANGUAGE } from "./i18n.js";
import { heardAt } from "./times.js";

const REQUEST_LIMIT = 15_000; // ms
export const CSRF_TOKEN = document.querySelector('meta[name="csrf-token"]')?.content ?? "";

/** A refusal (RFC 9457 with a `code`), or `network` where no answer came. `retryAfter` in seconds; `detail`: what the
 * server said of it, if anything. */
export class Problem extends Error {
  constructor({ code, message, status = 0, retryAfter = null, detail = null }) {
    super(message);
    this.code = code;
    this.status = status;
    this.retryAfter = retryAfter;
    this.detail = detail;
  }
}

export function roomPath(room, rest = "") {
  return `/api/rooms/${room}${rest}`;
}

/**
 * The answer's JSON, or null where it has none; what has `json` is a POST unless `method` says otherwise; `outlives`: it goes out also while the page is left. Throws
 * Problem, and AbortError where `signal` ended it.
 */
export async function request(path, { method = "POST", json, signal, limit = REQUEST_LIMIT, outlives = false } = {}) {
  const answer = await exchange(path, method, json, signal, limit, outlives);
  const body = await answer.json().catch(() => null);
  signal?.throwIfAborted();
  if (answer.ok && (body || answer.status === 204)) return body;
  if (answer.ok) throw cut();
  throw refused(answer.status, body, answer.headers.get("Retry-After"));
}

/** The Problem that an answer is; `body`: its JSON, or null. */
export function refused(status, body, retryAfter) {
  return new Problem({
    code: body?.code ?? (status >= 500 ? "not_kept" : "bad_request"),
    message: body?.detail ?? body?.title ?? _("The server answered %(status)s", { status: String(status) }),
    status,
    retryAfter: body?.retry_after ?? (Number(retryAfter) || null),
    detail: body?.detail ?? null,
  });
}

async function exchange(path, method, json, signal, limit, keepalive) {
  const timeout = AbortSignal.timeout(limit);
  const headers = { "Accept-Language": LANGUAGE };
  const options = { cache: "no-store", signal: signal ? AbortSignal.any([signal, timeout]) : timeout, keepalive, headers };
  if (json !== undefined) {
    options.method = method;
    Object.assign(headers, { "Content-Type": "application/json", "X-CSRF-Token": CSRF_TOKEN });
    options.body = JSON.stringify(json);
  }
  try {
    const answer = await fetch(path, options);
    heardAt(answer.headers.get("Date"));
    return answer;
  } catch (error) {
    if (signal?.aborted) throw error;
    throw cut();
  }
}

export function cut() {
  return new Problem({ code: "network", message: _("No answer from the server") });
}
