// What is counted of what one has not read. templates/_room_link.html has the same rules.

const MOST = 99;

/** How much of it in a room ({kind, unread, mentions, muted}) calls this person, or is said to them alone. */
export function forMe({ kind, unread, mentions, muted }) {
  return kind === "direct" ? (muted ? 0 : unread) : mentions;
}

/** A count as people are shown it: a number, or words of it. */
export function short(number) {
  return number > MOST ? `${MOST}+` : number;
}

/** How many reports wait, in each of `counts` (templates/_room_link.html has the markup). */
export function showReports(counts, number) {
  for (const count of counts) {
    count.hidden = number === 0;
    count.querySelector(".reports-number").textContent = short(number);
  }
}
