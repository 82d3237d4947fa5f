// The scrolling part of the conversation. It is laid out from its foot (static/css/layout.css):
// scrollTop is 0 there and negative above, and at the foot it stays there by itself.

const FOOT = 40; // px that still count as being at the foot

export class Scroller {
  #element;
  #rows;

  constructor(element, rows) {
    this.#element = element;
    this.#rows = rows;
  }

  get atFoot() {
    return -this.#element.scrollTop <= FOOT;
  }

  /** Whether an element (or none) is within what one sees. */
  shows(element) {
    if (!element) return false;
    const { top, bottom } = this.#element.getBoundingClientRect();
    const row = element.getBoundingClientRect();
    return row.bottom > top && row.top < bottom;
  }

  toFoot() {
    this.#element.scrollTop = 0;
  }

  /** Does `change` to the rows so that what is being read stays where it is. */
  keepPlace(change) {
    const id = this.#firstInView()?.id;
    const before = topOf(id);
    change();
    // Some browsers keep the place themselves: only what is then still off is mended.
    if (document.getElementById(id)) this.#element.scrollTop += topOf(id) - before;
  }

  #firstInView() {
    const top = this.#element.getBoundingClientRect().top;
    return Array.from(this.#rows.children).find((row) => row.id && row.getBoundingClientRect().bottom > top);
  }
}

function topOf(id) {
  return document.getElementById(id)?.getBoundingClientRect().top;
}
