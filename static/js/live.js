/* What keeps a page fresh: countdowns, the live badge, polling when the stream is silent, and swaps that respect people.
   No eval, no inline script: the Content-Security-Policy forbids both. */
"use strict";
(() => {
  const SILENT_MS = 12000; // the stream says "alive" every 5 s
  const POLL_MS = 10000;
  const AGAIN_MS = 1500;
  const HIDDEN_MS = 10000; // a browser opens 6 connections to one place: hidden tabs give theirs back
  const state = { source: null, heard: 0, polled: 0, offset: 0, said: "" };
  const heardOn = new WeakSet();
  const all = (selector, root = document) => root.querySelectorAll(selector);

  function duration(seconds) {
    const units = [[86400, "d", 3600, "h"], [3600, "h", 60, "min"], [60, "min", 1, "s"]];
    const whole = Math.max(0, Math.round(seconds));
    for (const [size, unit, part, partUnit] of units) {
      if (whole < size) continue;
      const rest = Math.floor((whole % size) / part);
      return `${Math.floor(whole / size)} ${unit}` + (rest ? ` ${rest} ${partUnit}` : "");
    }
    return `${whole} s`;
  }

  /* The server's clock counts: a phone may be off by minutes. */
  function readClock() {
    const part = document.querySelector("[data-now]");
    if (part) state.offset = Number(part.dataset.now) * 1000 - Date.now();
  }

  function announce() {
    const say = document.querySelector("[data-say]")?.dataset.say ?? "";
    const sentence = say.replace(/\d+ (s|min|h|d)\b/g, ""); // a ticking number is no news
    if (state.said && sentence !== state.said) document.getElementById("said").textContent = say;
    state.said = sentence;
  }

  function tick() {
    const now = Date.now();
    all("time[data-until]").forEach((time) => {
      time.textContent = duration(Number(time.dataset.until) - (now + state.offset) / 1000);
    });
    const badge = document.getElementById("live");
    if (!badge) return;
    const live = state.heard && now - state.heard < SILENT_MS;
    badge.classList.toggle("is-live", Boolean(live));
    badge.classList.toggle("is-polling", !live);
    const ago = Math.floor((now - Math.max(state.heard, state.polled)) / 1000);
    badge.textContent = live ? `live · ${ago} s ago` : state.polled ? `polling · ${ago} s ago` : "connecting";
    if (!live && now - Math.max(state.polled, started) > POLL_MS) poll(now);
  }

  function poll(now) {
    state.polled = now;
    all("[hx-trigger*='poll']").forEach((part) => htmx.trigger(part, "poll"));
  }

  function hear(source) {
    state.source = source;
    if (heardOn.has(source)) return;
    heardOn.add(source);
    const note = () => { state.heard = Date.now(); };
    ["alive", "resync", "changed", "inbox", "readings"].forEach((name) => source.addEventListener(name, note));
  }

  /* The extension opens its source when an element is processed; a closed one is opened again in the same way. */
  function reopen() {
    if (!state.source || state.source.readyState !== EventSource.CLOSED) return;
    htmx.trigger(document.body, "htmx:afterProcessNode");
    all("[hx-trigger*='sse:']").forEach((part) => htmx.trigger(part, "htmx:afterProcessNode"));
  }

  function onVisibility() {
    if (document.hidden) {
      setTimeout(() => { if (document.hidden) state.source?.close(); }, HIDDEN_MS);
    } else {
      reopen();
    }
  }

  const refreshes = (event) => event.detail.requestConfig?.verb === "get";

  /* A refresh must not take away what somebody types in, presses or waits for: it comes a moment later instead.
     A form that has grown too old meanwhile is refused with a sentence anyway. */
  function inUse(target) {
    const focus = document.activeElement;
    const typing = focus?.matches("input:not([type=hidden]), textarea, select") && target.contains(focus);
    return typing || pressed || posting > 0;
  }

  function beforeSwap(event) {
    const target = event.detail.target;
    if (!refreshes(event) || !event.detail.shouldSwap) return;
    if (target.hasAttribute("hx-get") && inUse(target)) {
      event.detail.shouldSwap = false;
      clearTimeout(again);
      again = setTimeout(() => { if (target.isConnected) htmx.trigger(target, "poll"); }, AGAIN_MS);
      return;
    }
    // Not cleared here: the swap before may not have settled yet, and what it keeps would be lost.
    all("input[id], textarea[id]", target).forEach((field) => { if (field.value) kept.set(field.id, field.value); });
    all("details[id][open]", target).forEach((detail) => opened.add(detail.id));
  }
  const kept = new Map();
  const opened = new Set();
  let again = 0;
  let pressed = false;
  let posting = 0;
  const released = () => setTimeout(() => { pressed = false; }, 0); // after the click that follows
  const post = (step) => (event) => { if (!refreshes(event)) posting = Math.max(0, posting + step); };

  function afterSwap(event) {
    readClock();
    announce();
    const needs = document.getElementById("needs");
    if (needs) {
      const count = Number(needs.dataset.count);
      document.title = (count ? `(${count})` : "") + document.title.replace(/^\(\d+\)/, "");
    }
    if (!refreshes(event)) return;
    kept.forEach((value, id) => {
      const field = document.getElementById(id);
      if (field && !field.value && field.type !== "file") field.value = value;
    });
    opened.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
    kept.clear();
    opened.clear();
    tick();
  }

  function onUpload(event) {
    const bar = document.getElementById("upload");
    if (!bar || !event.detail.lengthComputable || !event.target.matches("form[enctype]")) return;
    bar.classList.remove("hidden");
    bar.value = (100 * event.detail.loaded) / event.detail.total;
  }

  const started = Date.now();
  document.addEventListener("htmx:sseOpen", (event) => hear(event.detail.source));
  document.addEventListener("htmx:beforeSwap", beforeSwap);
  document.addEventListener("htmx:beforeRequest", post(1));
  document.addEventListener("htmx:afterRequest", post(-1));
  document.addEventListener("pointerdown", () => { pressed = true; });
  ["pointerup", "pointercancel", "blur"].forEach((name) => window.addEventListener(name, released));
  document.addEventListener("htmx:afterSettle", afterSwap);
  document.addEventListener("htmx:xhr:progress", onUpload);
  document.addEventListener("visibilitychange", onVisibility);
  readClock();
  announce();
  tick();
  setInterval(tick, 1000);
})();
