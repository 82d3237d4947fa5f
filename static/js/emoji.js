// The emoji and their codes, loaded when somebody begins one.

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
