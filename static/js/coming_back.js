// Who has to say who they are first comes back to the message that a link named (#418): no server hears of it by itself.

function withPlace(path) {
  return location.hash ? path.replace(/#.*/, "") + location.hash : path;
}

addEventListener("click", ({ target }) => {
  const link = target.closest("a[href]:not(.words a)"); // what is said leads where it says
  const address = link && new URL(link.href);
  if (address?.origin !== location.origin || !address.searchParams.has("next")) return;
  address.searchParams.set("next", withPlace(address.searchParams.get("next")));
  link.href = address;
});

addEventListener("submit", ({ target }) => {
  const { next } = target.elements;
  if (next) next.value = withPlace(next.value);
});
