/* Turns alerts on for this browser: asks for leave, asks its push service for an address, sends both to the dashboard. */
"use strict";
(() => {
  const form = document.querySelector("form[data-device]");
  const says = document.querySelector("[data-device-says]");
  if (!form || !("serviceWorker" in navigator) || !("PushManager" in window)) {
    if (form) says.textContent = "This browser can't take messages here. On an iPhone, add this page to the home screen first; elsewhere the address must begin with https.";
    return;
  }
  form.hidden = false;
  says.textContent = Notification.permission === "denied"
    ? "Notifications of this page are blocked in the browser's settings. Allow them there, then turn it on."
    : "It takes no alerts, as far as this page knows.";

  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));

  async function current() {
    const worker = await navigator.serviceWorker.getRegistration("/");
    return worker ? worker.pushManager.getSubscription() : null;
  }

  async function turnOn() {
    const leave = await Notification.requestPermission();
    if (leave !== "granted") throw new Error("The browser was not allowed to show messages. Press the button again, or allow it in the browser's settings.");
    await navigator.serviceWorker.register(form.dataset.worker, { scope: "/" });
    const worker = await navigator.serviceWorker.ready;
    const key = bytes(form.dataset.device);
    const before = await worker.pushManager.getSubscription();
    if (before) await before.unsubscribe(); // it may be for another key
    return worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    says.textContent = "Asking the browser …";
    try {
      form.elements.subscription.value = JSON.stringify(await turnOn());
      form.submit();
    } catch (error) {
      button.disabled = false;
      says.textContent = error.name === "AbortError"
        ? "The browser's push service does not answer. This device needs the internet for that."
        : error.message;
    }
  });

  current().then((found) => {
    if (found) says.textContent = "This browser has an address for messages. If none come, turn it on anew.";
  });
})();
