/* How far an upload is: in numbers while the browser sends, in words while the server looks at what came.
   Without this file the form works all the same. */
"use strict";
(() => {
  const MB = 1e6;
  const amount = (bytes) => `${Math.max(1, Math.round(bytes / MB)).toLocaleString("en")} MB`;
  const state = { sent: false };

  function show(form, share, words) {
    const bar = form.querySelector("progress");
    const say = form.querySelector("#upload-say");
    [bar, say].forEach((part) => part.classList.toggle("hidden", !words));
    if (share === null) bar.removeAttribute("value"); // it takes as long as it takes
    else bar.value = share;
    if (say.textContent !== words) say.textContent = words;
  }

  /* The same event tells of the answer's bytes, too: what has been sent once is not sent again. */
  function onProgress(event) {
    const form = event.target.closest("[data-upload]");
    if (!form || state.sent || !event.detail.lengthComputable) return;
    const { loaded, total } = event.detail;
    state.sent = loaded >= total;
    if (state.sent) show(form, null, `All ${amount(total)} are there. Signatures, hashes and every member are being checked.`);
    else show(form, (loaded / total) * 100, `${amount(loaded)} of ${amount(total)} sent.`);
  }

  function onBefore(event) {
    const form = event.target.closest("[data-upload]");
    if (!form) return;
    state.sent = false;
    show(form, 0, "Sending.");
  }

  function onAfter(event) {
    const form = event.target.closest("[data-upload]");
    if (!form) return;
    const lost = event.detail.xhr?.status === 0;
    show(form, 0, lost ? "The connection broke, so nothing was kept. Send it again: your choice of files stands." : "");
  }

  function onChoice(event) {
    const input = event.target.closest("[data-upload] input[type=file]");
    if (!input) return;
    const largest = Math.max(0, ...Array.from(input.files, (file) => file.size));
    const most = Number(input.dataset.most);
    const say = `The largest of these files has ${amount(largest)}; a bundle may have ${amount(most)}.`;
    input.setCustomValidity(largest > most ? say : "");
  }

  document.body.addEventListener("htmx:beforeSend", onBefore);
  document.body.addEventListener("htmx:xhr:progress", onProgress);
  document.body.addEventListener("htmx:afterRequest", onAfter);
  document.body.addEventListener("change", onChoice);
})();
