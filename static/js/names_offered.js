// Fields for names of people, with commas between them: each offers those that begin as what is being written.

import { request } from "./api.js";

for (const field of document.querySelectorAll("[list=names]")) field.addEventListener("input", () => offer(field));

async function offer(field) {
  const { value, list } = field;
  const [, before = "", begun] = value.match(/^(.*[,،]\s*)?(.*)$/su);
  if (!begun) return;
  const { people } = await request(`/api/people?${new URLSearchParams({ q: begun })}`).catch(() => ({ people: [] }));
  if (field.value !== value) return; // somebody has written on meanwhile
  const written = new Set(before.split(/[,،]/u).map((name) => name.trim()));
  const names = people.map(({ name }) => name).filter((name) => !written.has(name));
  list.replaceChildren(...names.map((name) => Object.assign(document.createElement("option"), { value: before + name })));
}
