/* Charts: the figure comes as JSON, the colours from the page's own style. plotly.js is fetched when a chart is near. */
"use strict";
(() => {
  const LIBRARY = new URL("../vendor/plotly-basic-4.1.1.min.js", document.currentScript.src).href;
  const CONFIG = { displayModeBar: false, scrollZoom: false, responsive: true, doubleClick: false };
  const figures = new WeakMap();
  const near = new Set();
  let library = null;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  function fetchLibrary() {
    library ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = LIBRARY;
      script.onload = resolve;
      script.onerror = reject;
      document.head.append(script);
    });
    return library;
  }

  /* A part says what it is; what that looks like is the theme's matter. */
  function dressed(figure) {
    const { data, layout } = structuredClone(figure);
    const tones = { limit: "limit", mark: "soft", canary: "canary", control: "control" };
    data.forEach((trace) => { trace.line.color = colour(trace.meta.tone); });
    (layout.shapes ?? []).forEach((shape) => { shape.line.color = colour(tones[shape.name] ?? "soft"); });
    (layout.annotations ?? []).forEach((note) => {
      note.font = { size: 11.5, color: colour(tones[note.name] ?? "soft") };
    });
    Object.assign(layout, { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", autosize: true });
    layout.font = { family: getComputedStyle(document.body).fontFamily, size: 11.5, color: colour("soft") };
    layout.hoverlabel = { bgcolor: colour("card"), bordercolor: colour("line"), font: { color: colour("ink") } };
    ["xaxis", "yaxis"].forEach((axis) => {
      Object.assign(layout[axis], { gridcolor: colour("line"), linecolor: colour("line"), zeroline: false });
    });
    return { data, layout };
  }

  function draw(place) {
    const figure = figures.get(place);
    if (!figure || !window.Plotly) return;
    const { data, layout } = dressed(figure);
    Plotly.react(place, data, layout, CONFIG);
  }

  async function load(place) {
    if (place.dataset.busy) return;
    place.dataset.busy = "1";
    try {
      const answer = await fetch(place.dataset.chart, { headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error(`chart answered ${answer.status}`);
      const { figure, say, empty } = await answer.json();
      place.setAttribute("aria-label", say);
      figures.set(place, figure);
      if (empty) {
        place.dataset.state = "empty";
        return;
      }
      await fetchLibrary();
      place.dataset.state = "drawn";
      draw(place);
    } catch {
      if (place.dataset.state !== "drawn") place.dataset.state = "failed";
    } finally {
      delete place.dataset.busy;
    }
  }

  const watcher = new IntersectionObserver((entries) => {
    entries.forEach(({ target, isIntersecting }) => {
      if (!isIntersecting) return near.delete(target);
      near.add(target);
      return load(target);
    });
  }, { rootMargin: "200px" });

  /* Preserved places come through a swap as they are; new ones are watched from now on. */
  function look() {
    near.forEach((place) => {
      if (!place.isConnected) near.delete(place);
      else load(place);
    });
    document.querySelectorAll("[data-chart]:not([data-watched])").forEach((place) => {
      place.dataset.watched = "1";
      watcher.observe(place);
    });
  }

  document.addEventListener("htmx:afterSettle", look);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    document.querySelectorAll("[data-chart][data-state=drawn]").forEach(draw); // those out of sight, too
  });
  look();
})();
