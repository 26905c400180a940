/* How much waits for me, in the browser's tab: the number on the icon. live.js writes it into the title. */
"use strict";
(() => {
  const icon = document.querySelector("link[rel=icon]");
  if (!icon) return;
  const plain = icon.href;
  let shown = 0;

  function drawn(number) {
    const text = number > 9 ? "9+" : String(number);
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="16" cy="16" r="16" fill="#b3420f"/>`
      + `<text x="16" y="23" text-anchor="middle" font-family="sans-serif" font-weight="700" font-size="20" fill="#fff">${text}</text></svg>`;
  }

  function show() {
    const number = Number(document.getElementById("needs")?.dataset.count ?? 0);
    if (number === shown) return;
    shown = number;
    icon.href = number ? `data:image/svg+xml,${encodeURIComponent(drawn(number))}` : plain;
  }

  document.addEventListener("htmx:afterSettle", show);
  show();
})();
