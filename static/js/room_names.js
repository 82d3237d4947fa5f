// "#Lobby" leads to the room, for who has it at the side: what a message tells of rooms is words to all others.

const CODE = "code, pre, a";
const SIGN = /(?<![\p{L}\p{N}_#/&])#(?=[^\s#])/gu;
const END = /^(?![\p{L}\p{N}_])/u;

/** In all messages of `list`, also those that come; `rooms()`: [{id, name, element}]. */
export function linkRooms(list, rooms) {
  const link = (rows) => {
    const known = rooms().filter(({ element }) => !element.closest("#direct"));
    const longestFirst = known.sort((one, other) => other.name.length - one.name.length);
    for (const words of rows.flatMap((row) => [...row.querySelectorAll(".words")])) linkIn(words, longestFirst);
  };
  const added = (changes) => changes.flatMap(({ addedNodes }) => [...addedNodes]);
  new MutationObserver((changes) => link(added(changes))).observe(list, { childList: true });
  link([list]);
}

function linkIn(words, rooms) {
  const walker = document.createTreeWalker(words, NodeFilter.SHOW_TEXT);
  const nodes = [];
  while (walker.nextNode()) if (!walker.currentNode.parentElement.closest(CODE)) nodes.push(walker.currentNode);
  for (const node of nodes) {
    const parts = cut(node.data, rooms);
    if (parts.length > 1) node.replaceWith(...parts);
  }
}

function cut(text, rooms) {
  const parts = [];
  let end = 0;
  for (const { index } of text.matchAll(SIGN)) {
    const behind = text.slice(index + 1);
    const room = rooms.find(({ name }) => startsWith(behind, name) && END.test(behind.slice(name.length)));
    if (!room || index < end) continue;
    parts.push(text.slice(end, index));
    end = index + 1 + room.name.length;
    parts.push(linkTo(room, text.slice(index, end)));
  }
  return [...parts, text.slice(end)];
}

function startsWith(text, name) {
  return text.slice(0, name.length).toLowerCase() === name.toLowerCase();
}

function linkTo({ id }, words) {
  const link = document.createElement("a");
  link.href = `/chats/${id}/`;
  link.dir = "auto";
  link.textContent = words;
  return link;
}
