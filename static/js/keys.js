/* Keys for those who like them: "/" searches, "g r" goes to the rollouts, "?" tells of all, j and k and the arrows move
   in lists. A key only follows a link or moves the focus: none presses a button. They can be switched off, as
   WCAG 2.1.4 asks: who speaks to the computer would press them by accident. */
"use strict";
(() => {
  const CHORD_MS = 1500;
  const help = document.getElementById("keys-help");
  if (!help) return;
  const places = new Map([...help.querySelectorAll("[data-keys]")].map((link) => [link.dataset.keys, link.href]));
  const box = document.getElementById("keys-on");
  let begun = "";
  let forget = 0;

  function stored() {
    try { return localStorage.getItem("handover-keys") !== "off"; } catch { return true; }
  }
  function store(on) {
    try { localStorage.setItem("handover-keys", on ? "on" : "off"); } catch { /* no storage: on until the page goes */ }
  }

  const typing = (target) => target.isContentEditable || target.matches("input, textarea, select");
  const lists = () => [...document.querySelectorAll("main [data-arrows], main table tbody, main ul.list, main ol.list")];

  /* The first link of each row that has one. */
  const stops = (list) => [...list.children].map((row) => row.querySelector("a[href]")).filter((link) => link?.offsetParent);

  function move(step) {
    const here = document.activeElement;
    const list = lists().find((one) => one.contains(here)) ?? lists().find((one) => stops(one).length);
    if (!list) return false;
    const links = stops(list);
    const at = links.findIndex((link) => link === here || link.closest("tr, li") === here.closest("tr, li"));
    const next = links[at < 0 ? (step > 0 ? 0 : links.length - 1) : at + step];
    next?.focus();
    return Boolean(next);
  }

  function search() {
    const field = document.getElementById("q");
    if (!field) { location.assign(places.get("/")); return; }
    field.focus();
    field.select();
  }

  function single(key) {
    if (begun) {
      const to = places.get(`${begun} ${key}`);
      begun = "";
      if (to) location.assign(to);
      return Boolean(to);
    }
    if (key === "g") {
      begun = key;
      clearTimeout(forget);
      forget = setTimeout(() => { begun = ""; }, CHORD_MS);
      return true;
    }
    if (key === "/") { search(); return true; }
    if (key === "?") { help.showModal(); return true; }
    if (key === "j" || key === "k") return move(key === "j" ? 1 : -1);
    return false;
  }

  function onKey(event) {
    const chord = event.ctrlKey || event.metaKey || event.altKey;
    if (event.defaultPrevented || event.repeat && event.key.length === 1 || event.isComposing || chord) return;
    if (help.open || typing(event.target)) return;
    const arrow = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    // Arrows scroll the page as ever, but for who is in a list already.
    const taken = arrow ? lists().some((list) => list.contains(event.target)) && move(arrow)
      : stored() && event.key.length === 1 && single(event.key);
    if (taken) event.preventDefault();
  }

  box.checked = stored();
  box.addEventListener("change", () => store(box.checked));
  document.addEventListener("keydown", onKey);
  document.querySelectorAll("[data-keys-open]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", () => help.showModal());
  });
})();
