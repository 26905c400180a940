/* The row of pages on a phone: the one that is open is in sight, and the edges say where there is more. */
"use strict";
(() => {
  const row = document.querySelector(".top nav");
  if (!row) return;

  function edges() {
    const rest = row.scrollWidth - row.clientWidth - row.scrollLeft;
    row.classList.toggle("more-before", row.scrollLeft > 1);
    row.classList.toggle("more-after", rest > 1);
  }

  const here = row.querySelector("[aria-current]");
  if (here) row.scrollLeft = here.offsetLeft - row.offsetLeft - (row.clientWidth - here.offsetWidth) / 2;
  row.addEventListener("scroll", edges, { passive: true });
  new ResizeObserver(edges).observe(row);
})();
