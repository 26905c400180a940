/* The worker of the installed dashboard: shows alerts, opens their page, and says so when there is no network. It keeps
   no page: what is decided on is never an old copy. */
"use strict";

const OFFLINE = `<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>No network · Handover</title><h1>No network</h1>
<p>This device does not reach the dashboard. What runs goes on without you: upgrades, rollbacks and deadlines are the
controller's. Nothing that you typed was sent.</p><p><a href="">Try again</a></p>`;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  if (event.request.mode !== "navigate" || event.request.method !== "GET") return;
  event.respondWith(fetch(event.request).catch(() =>
    new Response(OFFLINE, { status: 503, headers: { "Content-Type": "text/html; charset=utf-8" } })));
});

self.addEventListener("push", (event) => {
  let told = {};
  try {
    told = event.data.json();
  } catch {
    told = { title: "Handover", body: "There is an alert.", url: "/alerts/" };
  }
  const { title, body, url, tag } = told;
  event.waitUntil(self.registration.showNotification(title, { body, tag, renotify: Boolean(tag), data: { url } }));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  // Only pages of this dashboard: what stands in a message is no reason to leave it.
  const wanted = new URL(event.notification.data?.url ?? "/", self.location.origin);
  const url = wanted.origin === self.location.origin ? wanted.href : self.location.origin;
  event.waitUntil((async () => {
    const open = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
    const same = open.find((page) => page.url === url) ?? open[0];
    if (!same) return self.clients.openWindow(url);
    await same.focus();
    return same.url === url ? same : same.navigate(url);
  })());
});
