/* Charts: the figure comes as JSON, the colours from the page's own style. plotly.js is fetched when a chart is near. */
"use strict";
(() => {
  const LIBRARY = new URL("../vendor/plotly-basic-4.1.1.min.js", document.currentScript.src).href;
  const CONFIG = { displayModeBar: false, scrollZoom: false, responsive: true, doubleClick: false };
  const AGAIN_MS = 1000;
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

  const TONES = { limit: "limit", mark: "soft", canary: "canary", control: "control", other: "held", title: "ink" };
  const tone = (name) => colour(TONES[name] ?? "soft");

  /* A colour of the theme that lets what is below it through: #rrggbb → rgba(). */
  function thin(hex, share) {
    const [red, green, blue] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
    return `rgba(${red},${green},${blue},${share})`;
  }

  /* The top of an axis: above every line and most of the bands, a round number, so that it seldom moves. */
  function roof(traces) {
    const values = (wanted) => traces.filter(wanted).flatMap(({ y }) => y).filter((value) => value !== null);
    const bands = values(({ meta }) => meta.band).sort((one, other) => one - other);
    const high = Math.max(bands[Math.floor(0.95 * bands.length)] ?? 0, ...values(({ meta }) => !meta.band), 1e-3);
    const size = 10 ** Math.floor(Math.log10(1.05 * high));
    return size * [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((round) => round * size >= 1.05 * high);
  }

  /* A part says what it is; what that looks like is the theme's matter. */
  function dressed(figure) {
    const { data, layout } = structuredClone({ data: figure.data, layout: figure.layout });
    data.forEach((trace) => {
      trace.line.color = tone(trace.meta.tone);
      if (trace.meta.band) trace.fillcolor = thin(tone(trace.meta.tone), 0.16);
      if (figure.times) trace.x = figure.times[trace.meta.side];
    });
    (layout.shapes ?? []).forEach((shape) => { shape.line.color = tone(shape.name); });
    (layout.annotations ?? []).forEach((note) => {
      note.font = { size: 11.5, color: tone(note.name) };
    });
    Object.assign(layout, { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", autosize: true });
    layout.font = { family: getComputedStyle(document.body).fontFamily, size: 11.5, color: colour("soft") };
    layout.hoverlabel = { bgcolor: colour("card"), bordercolor: colour("line"), font: { color: colour("ink") } };
    Object.keys(layout).filter((name) => /^[xy]axis/.test(name)).forEach((axis) => {
      if (figure.times && axis.startsWith("y")) {
        layout[axis].range = [0, roof(data.filter((trace) => trace.yaxis === axis.replace("axis", "")))];
      }
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

  /* What came since, behind what is there; what is left of the time axis goes. */
  function grown(known, { figure, from }) {
    if (from === null || from === undefined || !known) return figure;
    const [since] = figure.layout.xaxis.range;
    const kept = known.times.map((times) => times.map((at) => at >= since && at < from));
    const joined = (side, before, after) => [...before.filter((_, place) => kept[side][place]), ...after];
    const data = figure.data.map((trace, number) => (
      { ...trace, y: joined(trace.meta.side, known.data[number].y, trace.y) }
    ));
    return { data, layout: figure.layout, times: figure.times.map((times, side) => joined(side, known.times[side], times)) };
  }

  /* A chart that grows asks only for what came since its last point. */
  function address(place) {
    const known = figures.get(place);
    const url = new URL(place.dataset.chart, location.href);
    if (!known?.times || place.dataset.state !== "drawn") return url;
    url.searchParams.set("after", Math.max(0, ...known.times.flatMap((times) => times.slice(-1))));
    url.searchParams.set("step", place.dataset.step);
    return url;
  }

  async function load(place) {
    if (place.dataset.busy) return;
    place.dataset.busy = "1";
    try {
      const answer = await fetch(address(place), { headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error(`chart answered ${answer.status}`);
      const told = await answer.json();
      const { say, empty, from } = told;
      if (!from || !empty) place.setAttribute("aria-label", say);
      figures.set(place, grown(figures.get(place), told));
      if (told.step) place.dataset.step = told.step;
      if (empty && !from) {
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

  /* The collector has written: charts that are near ask for it, at most once a second. */
  function heard() {
    due ??= setTimeout(() => {
      due = null;
      near.forEach((place) => { if (place.dataset.live && !document.hidden) load(place); });
    }, Math.max(0, asked + AGAIN_MS - Date.now()));
    asked = Date.now();
  }
  let due = null;
  let asked = 0;

  const listening = new WeakSet();
  document.addEventListener("htmx:sseOpen", ({ detail }) => {
    if (listening.has(detail.source)) return;
    listening.add(detail.source);
    detail.source.addEventListener("readings", heard);
  });
  document.addEventListener("htmx:afterSettle", look);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    document.querySelectorAll("[data-chart][data-state=drawn]").forEach(draw); // those out of sight, too
  });
  look();
})();
