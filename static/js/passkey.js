/* Asks the browser for a passkey and sends the form with it. The forms say by data-passkey what they want ("create" or
   "get"), and by data-options or the address data-ask what to ask for. Without script they stay hidden. */
"use strict";
(() => {
  const { supported, create, get } = window.webauthnJSON ?? { supported: () => false };
  if (!supported()) return;

  const why = (error) => error.name === "NotAllowedError"
    ? "Nothing was chosen in time. Press the button again."
    : error.name === "InvalidStateError"
      ? "This device has a passkey for you here already."
      : "The browser could not do it. Try once more, or take another way.";

  async function asked(form) {
    if (form.dataset.options) return JSON.parse(form.dataset.options);
    const answer = await fetch(form.dataset.ask, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(`${answer.status}`);
    return (await answer.json()).request_options;
  }

  async function send(form) {
    const button = form.querySelector("button");
    const wrong = form.querySelector("[data-passkey-wrong]");
    wrong.textContent = "";
    button.disabled = true;
    try {
      const options = await asked(form);
      const credential = await (form.dataset.passkey === "create" ? create : get)(options);
      form.elements.credential.value = JSON.stringify(credential);
      form.submit();
    } catch (error) {
      wrong.textContent = why(error);
      button.disabled = false;
    }
  }

  document.querySelectorAll("form[data-passkey]").forEach((form) => {
    form.hidden = false;
    form.addEventListener("submit", (event) => { event.preventDefault(); send(form); });
  });
})();
