// Buttons that have a passkey do something: make one, also for an account that there is not yet, sign in with
// it, say again who one is. The server gives a challenge (`data-passkey`), the browser answers it, the server
// checks the answer.

import { Problem, request } from "./api.js";
import { _ } from "./i18n.js";

const LIMIT = 90_000; // ms: the device asks for a finger or a key
const THERE = Boolean(window.PublicKeyCredential?.parseCreationOptionsFromJSON);

for (const button of document.querySelectorAll("[data-passkey]")) {
  button.hidden = !THERE;
  button.addEventListener("click", () => use(button));
}
for (const hint of document.querySelectorAll("[data-no-passkeys]")) hint.hidden = THERE;

async function use(button) {
  const card = button.closest(".card");
  const name = card.querySelector("input[name=name]"); // of what is to be made
  const usage = card.querySelector("input[name=usage]:checked")?.value ?? "first";
  if (name && !name.reportValidity()) return;
  const refusals = card.querySelectorAll(".refusal");
  for (const refusal of refusals) refusal.hidden = true;
  button.disabled = true;
  try {
    location.assign(await (name ? make(button.dataset, name.value, usage) : say(button.dataset)));
  } catch (error) {
    const refusal = card.querySelector("[data-passkey-refusal]");
    refusal.textContent = reason(error);
    refusal.hidden = false;
    button.disabled = false;
  }
}

async function make({ passkey, next }, name, usage) {
  const { wan_state: state, credential_options: options } = await post(passkey, { name, usage });
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  const credential = await navigator.credentials.create({ publicKey });
  try {
    return way(await finish(passkey, state, credential), next);
  } catch (error) {
    if (error.status >= 400 && error.status < 500) forget(options.rp.id, credential.id);
    throw error;
  }
}

async function say({ passkey, next }) {
  const { wan_state: state, credential_options: options } = await post(passkey, {});
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  return way(await finish(passkey, state, await navigator.credentials.get({ publicKey })), next);
}

function finish(passkey, state, credential) {
  return post(`${passkey}/${state}`, { credential: JSON.stringify(credential.toJSON()) });
}

function way(done, next) {
  if (!done.tf_required) return next || done.post_login_url || "/account/";
  // The key asked for no finger and no PIN: the second factor is still to be said.
  const door = done.tf_select ? "/sign-in/choose" : (done.tf_signin_url ?? "/sign-in/code");
  return next ? `${door}?next=${encodeURIComponent(next)}` : door;
}

/** The server did not take it: the device need not offer it. */
function forget(rpId, credentialId) {
  PublicKeyCredential.signalUnknownCredential?.({ rpId, credentialId }).catch(() => {});
}

async function post(path, json) {
  const { response } = await request(path, { json, limit: LIMIT });
  return response;
}

function reason(error) {
  if (error.name === "NotAllowedError") return _("That was given up, or took too long. Try again, or use a password.");
  if (error.name === "InvalidStateError") return _("This device has a passkey for your account already.");
  if (error instanceof Problem && error.detail) return error.detail;
  return _("That did not work. Try again, or use a password.");
}
