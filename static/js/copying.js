// What a button copies.

import { _ } from "./i18n.js";

/** Whether `words` are copied; where browsers give no clipboard, as without TLS, they are shown to be copied by hand. */
export async function copied(words) {
  try {
    await navigator.clipboard.writeText(words);
    return true;
  } catch {
    prompt(_("Copy this:"), words);
    return false;
  }
}
