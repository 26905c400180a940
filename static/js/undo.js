/* What can be undone for some seconds goes away when they are over. The server's clock counts, as in live.js. */
"use strict";
(() => {
  let offset = 0;
  function readClock() {
    const part = document.querySelector("[data-now]");
    if (part) offset = Number(part.dataset.now) * 1000 - Date.now();
  }
  function tick() {
    document.querySelectorAll("[data-gone-at]").forEach((part) => {
      // Not under the finger, nor while the answer is on its way.
      if (part.matches(":active, .htmx-request")) return;
      if (Date.now() + offset >= Number(part.dataset.goneAt) * 1000) part.remove();
    });
  }
  document.addEventListener("htmx:afterSettle", readClock);
  readClock();
  setInterval(tick, 500);
})();
