// The emoji and their codes, loaded when somebody begins one.

// Of many that begin with the same letters these are meant: those of Unicode's list of the most frequent that are for
// talking, and what teams say with one sign.
const USUAL = Array.from(
  new Intl.Segmenter().segment(
    "😂❤️👍🎉🤣😭🙏😘🥰😍😊😁🥺😅🔥🤦🤷🙄😆🤗😉🎂🤔👏🙂😳🥳😎👌😔💪✨👀😋😏😢💯🎈😃😡😜🙈🤞😄🙌😀💔🤩🙃😬😱😴😇🎶✌️😞☀️🎁✅👋🌟🌈🤯👎⚡☕🍀⭐🤝🍻😟😠🚀💡🐛❌⚠️👉👇📌📎🍕🍰⏰📅🐱🐶",
  ),
  ({ segment }) => bare(segment),
);

let loading = null;

/** [[emoji, "code another_code"]]; rejected where they cannot be had, and tried again then. */
export function allEmoji() {
  loading ??= fetch("/static/data/emoji.json")
    .then((answer) => answer.json())
    .catch((error) => {
      loading = null;
      throw error;
    });
  return loading;
}

/** Those whose codes have `words`, as lines of completion.js: the usual ones first among their like. */
export async function findEmoji(words) {
  const all = await allEmoji().catch(() => []);
  const sought = words.toLowerCase();
  const found = [];
  for (const [mark, codes] of all) {
    const ranked = codes.split(" ").map((code) => [rankOf(code, sought), code]);
    const [rank, code] = ranked.sort(([one], [other]) => one - other)[0];
    if (rank < 3) found.push({ rank, usual: placeOf(mark), text: mark, name: `:${code}:`, sign: mark });
  }
  return found.sort((one, other) => one.rank - other.rank || one.usual - other.usual);
}

function rankOf(code, sought) {
  if (code === sought) return 0;
  if (code.startsWith(sought)) return 1;
  return code.includes(`_${sought}`) ? 2 : 3;
}

function placeOf(mark) {
  const place = USUAL.indexOf(bare(mark));
  return place < 0 ? USUAL.length : place;
}

/** Without what asks for a picture rather than a letter, which some have and some lack. */
function bare(mark) {
  return mark.replace("\uFE0F", "");
}
