// The message to which a link leads: `#m418`, as a search and a quote have it, or just `#418`.

const LINK = /^#m?([1-9]\d*)$/;
const AROUND = 25; // messages behind it on the page of history that is loaded for it

/** Brings the message to which the address leads into view, marked; loads the history around it if need be. */
export function showFound() {
  const [, seq] = LINK.exec(location.hash) ?? [];
  if (!seq) return;
  document.querySelector(".message.found")?.classList.remove("found");
  const row = document.getElementById(`m${seq}`);
  const before = Number(seq) + AROUND;
  if (row) {
    row.classList.add("found");
    row.scrollIntoView();
  } else if (new URLSearchParams(location.search).get("before") !== String(before)) {
    location.replace(`?before=${before}#m${seq}`);
  }
}
