// Buttons that have a passkey do something: make one, sign in with it, say again who one is.
// The server gives a challenge (`data-passkey`), the browser answers it, the server checks (`data-finish`).

import { request } from "./api.js";
import { _ } from "./i18n.js";

const LIMIT = 90_000; // ms: the device asks for a finger or a key

for (const button of document.querySelectorAll("[data-passkey]")) {
  button.hidden = !window.PublicKeyCredential;
  button.addEventListener("click", () => use(button));
}

async function use(button) {
  const refusal = button.parentElement.querySelector("[data-passkey-refusal]");
  refusal.hidden = true;
  button.disabled = true;
  try {
    location.assign(await perform(button));
  } catch (error) {
    refusal.textContent = reason(error);
    refusal.hidden = false;
    button.disabled = false;
  }
}

async function perform({ dataset, parentElement }) {
  const name = parentElement.querySelector("input[name=name]")?.value;
  const begun = await post(dataset.passkey, name === undefined ? {} : { name, usage: "first" });
  const options = begun.credential_options;
  const credential =
    name === undefined
      ? await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) })
      : await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) });
  const answer = { credential: JSON.stringify(credential.toJSON()) };
  const done = await post(`${dataset.finish}/${begun.wan_state}`, answer);
  return dataset.next || done.tf_signin_url || done.post_login_url || "/account/";
}

async function post(path, json) {
  const { response } = await request(path, { json, limit: LIMIT });
  return response;
}

function reason(error) {
  if (error.name === "NotAllowedError") return _("That was given up, or took too long. Try again.");
  if (error.name === "InvalidStateError") return _("This device has a passkey for your account already.");
  if (error.code === "too_fast") return error.message;
  return _("That did not work. Try again, or use your password.");
}
