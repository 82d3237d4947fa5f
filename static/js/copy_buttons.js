// Buttons beside what is shown once: `data-copies` is the id of what they copy.

import { copied } from "./copying.js";
import { _ } from "./i18n.js";

for (const button of document.querySelectorAll("[data-copies]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copies);
    if (await copied(source.innerText)) button.textContent = _("Copied");
  });
}
