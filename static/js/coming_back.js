// Who has to say who they are first comes back to the message that a link named (#418): no server hears of it by itself.

function withPlace(path) {
  return location.hash ? path.replace(/#.*/, "") + location.hash : path;
}

addEventListener("click", ({ target }) => {
  const link = target.closest("a[href*='next=']");
  if (!link) return;
  const address = new URL(link.href);
  address.searchParams.set("next", withPlace(address.searchParams.get("next")));
  link.href = address;
});

addEventListener("submit", ({ target }) => {
  const { next } = target.elements;
  if (next) next.value = withPlace(next.value);
});
