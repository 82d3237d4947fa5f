// Why a transport ended. Over HTTP the same reasons come as problem codes instead of close codes.

export const CLOSED = {
  LOST: 1006,
  GOING: 1001,
  RESTARTING: 1012,
  SIGN_IN: 4401,
  REMOVED: 4403,
  GONE: 4404,
  TOO_FAST: 4429,
};

const BY_PROBLEM = {
  sign_in: CLOSED.SIGN_IN,
  forbidden: CLOSED.REMOVED,
  no_such_room: CLOSED.GONE,
  too_fast: CLOSED.TOO_FAST,
  draining: CLOSED.RESTARTING,
};

/** The reason to close for a Problem or an error frame; `retryAfter` in seconds. */
export function closedBy({ code, message, retryAfter, retry_after: wait }) {
  return { code: BY_PROBLEM[code] ?? CLOSED.LOST, reason: message, retryAfter: retryAfter ?? wait ?? null };
}
