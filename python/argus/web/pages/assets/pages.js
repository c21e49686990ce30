// What pages need a script for: passkeys, and small comforts. Everything else works by forms alone.
// Passkeys go as JSON in a field of a form, so that the server sees one kind of answer.
"use strict";

const running = { conditional: null };

const speaksJson = typeof PublicKeyCredential !== "undefined" &&
  typeof PublicKeyCredential.parseRequestOptionsFromJSON === "function";

async function begin(form) {
  if (form.dataset.json) return JSON.parse(form.dataset.json);
  const answer = await fetch(form.dataset.options, {
    method: "POST",
    headers: { "content-type": "application/json", "x-argus-csrf": "1" },
    body: "{}",
    credentials: "same-origin",
  });
  if (!answer.ok) throw new DOMException("options", "NotReadableError");
  return answer.json();
}

function send(form, credential) {
  form.elements.namedItem("webauthn").value = JSON.stringify(credential.toJSON());
  form.submit();
}

function tell(form, error) {
  const place = form.querySelector("[data-said]");
  const texts = form.dataset;
  const given = error.name === "InvalidStateError" ? texts.already : error.name === "NotReadableError" ? texts.failed : texts.refused;
  place.textContent = given;
  place.hidden = false;
}

async function create(form) {
  const options = PublicKeyCredential.parseCreationOptionsFromJSON(await begin(form));
  send(form, await navigator.credentials.create({ publicKey: options }));
}

async function get(form) {
  if (running.conditional) running.conditional.abort();
  const options = PublicKeyCredential.parseRequestOptionsFromJSON(await begin(form));
  send(form, await navigator.credentials.get({ publicKey: options }));
}

async function offerInFields(form) {
  if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
  running.conditional = new AbortController();
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(await begin(form));
  const signal = running.conditional.signal;
  if (signal.aborted) return;
  send(form, await navigator.credentials.get({ publicKey, mediation: "conditional", signal }));
}

function passkeys() {
  if (!speaksJson) return;
  for (const line of document.querySelectorAll("[data-with-passkeys]")) line.hidden = false;
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.hidden = false;
    const act = form.dataset.passkey === "create" ? create : get;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const button = form.querySelector("button");
      button.setAttribute("aria-busy", "true");
      form.querySelector("[data-said]").hidden = true;
      act(form)
        .catch((error) => tell(form, error))
        .finally(() => button.removeAttribute("aria-busy"));
    });
    if (form.dataset.mediation === "conditional") offerInFields(form).catch(() => {});
  }
}

function comforts() {
  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).innerText);
      button.textContent = button.dataset.done;
    });
  }
  for (const button of document.querySelectorAll("button[data-reveal]")) {
    const input = document.getElementById(button.dataset.reveal);
    const show = (isShown) => {
      input.type = isShown ? "text" : "password";
      button.setAttribute("aria-pressed", String(isShown));
      button.textContent = isShown ? button.dataset.hide : button.dataset.show;
    };
    button.hidden = false;
    button.addEventListener("click", () => show(input.type === "password"));
    // What is sent is hidden, so that no browser keeps it among what was typed into fields of text.
    input.form.addEventListener("submit", () => show(false));
  }
  // Links of mails carry their secret behind the hash, which no server, log or referrer sees.
  const token = document.querySelector("input[data-from-hash]");
  if (token && location.hash.length > 1) {
    token.value = location.hash.slice(1);
    history.replaceState(null, "", location.pathname + location.search);
  }
}

// What tells one machine from another, for forms by which somebody signs in. Only keyed hashes of it are kept, and it
// is scored for likeness: it identifies nobody. docs/guides/devices.md lists it.
function fingerprint() {
  const said = {
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    languages: navigator.languages?.join(","),
    screen: `${screen.width}x${screen.height}@${devicePixelRatio}`,
    color_depth: screen.colorDepth,
    platform: navigator.userAgentData?.platform || navigator.platform,
    hardware_concurrency: navigator.hardwareConcurrency,
    device_memory: navigator.deviceMemory,
    max_touch_points: navigator.maxTouchPoints,
  };
  const known = Object.entries(said).filter(([, value]) => value !== undefined && value !== "");
  const text = JSON.stringify(Object.fromEntries(known.map(([name, value]) => [name, String(value)])));
  for (const form of document.querySelectorAll('form[action*="/sign-in"]')) {
    const field = document.createElement("input");
    Object.assign(field, { type: "hidden", name: "fingerprint", value: text });
    form.append(field);
  }
}

passkeys();
comforts();
fingerprint();
