// The reader's language. What scripts say stands here in English; in another language the page names the module that
// has those sentences (chatapp/pages/languages.py). Of numbers and times the browser knows how they are written.

const { lang, dir, dataset } = document.documentElement;
const ISOLATED = dir === "rtl"; // what a value says does not turn the sentence around it (UAX 9)

export const LANGUAGE = lang;
// The reader's own variety of the page's language: en-US and en-GB order a date differently. Figures as on the server.
const variety = navigator.languages.find((each) => each === lang || each.startsWith(`${lang}-`)) ?? lang;
export const LOCALE = new Intl.Locale(variety, { numberingSystem: "latn" });

const english = { words: {}, form: (number) => Number(number !== 1) };
const load = () => Promise.all([import(dataset.words), import("./notices.js")]);
// Who cannot have them reads English.
const [{ words, form, notices }, kept] = dataset.words ? await load().catch(() => [english]) : [english];
const numbers = new Intl.NumberFormat(LOCALE);

/** `sentence` in the reader's language, with `values` in its places, which are written `%(name)s`. */
export function _(sentence, values = {}) {
  return filled(words[sentence] ?? sentence, values);
}

/** The same by number: which of the forms it takes is the language's; `%(num)s` is the number. */
export function ngettext(one, many, number, values = {}) {
  const forms = words[one] ?? [one, many];
  return filled(forms[form(number)] ?? many, { num: number, ...values });
}

/** A sentence in pieces, for `replaceChildren`, with elements in its places. */
export function pieces(sentence, elements) {
  const parts = (words[sentence] ?? sentence).split(/%\((\w+)\)s/);
  return parts.map((part, place) => (place % 2 ? elements[part] : part));
}

/** A number as people write it. */
export function figure(number) {
  return numbers.format(number);
}

/** A length of time, as "10 minutes"; `unitDisplay`: "short" for "10 min". */
export function duration(number, unit, unitDisplay = "long") {
  return new Intl.NumberFormat(LOCALE, { style: "unit", unit, unitDisplay }).format(number);
}

/** Names as people write several of them. */
export function listed(names) {
  return names.map(written).join(_(", "));
}

/** What a notice has kept in English, in the reader's language where that is known. */
export function noticed(said) {
  const found = kept?.read(said, notices, duration);
  return found ? filled(...found) : said;
}

function filled(sentence, values) {
  return sentence.replace(/%\((\w+)\)s/g, (_place, name) => written(values[name]));
}

function written(value) {
  if (typeof value === "number") return figure(value);
  return ISOLATED ? `\u2068${value}\u2069` : value;
}
