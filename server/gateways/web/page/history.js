// What was measured of a client, as charts with a table beside each: connected, outages and resets, lines, round trip, backlog.
//
// The points come from the server (history.py); the last one grows with the stream, and all are asked for anew while
// time goes on. Charts are drawn by uPlot (vendor/), which is loaded with the first of them.

import { get } from "./api.js";
import { colorOf, el, setText } from "./dom.js";
import { serverNow, setClock } from "./parts.js";
import { T, axisTime, milliseconds, moment, number, rate } from "./texts.js";

const H = T.history;
const SPANS = { hour: 3600, day: 86400, week: 7 * 86400, year: 365 * 86400 };
const LEAST_SPAN_S = 60;
const POINTS = 400;
const AGAIN_S = 60; // at most, between two questions
const OFTEN_S = 2; // at least
const FAILED_S = 15;
const LEAST_KNOWN_S = 0.9;
const WHOLE = [1, 2, 5].flatMap((digit) => [...Array(8).keys()].map((zeros) => digit * 10 ** zeros)).sort((a, b) => a - b); // steps of an axis
const COUNTS = ["lines_received", "lines_acknowledged", "round_trips", "outages"];

let loading = null;
function load() {
  loading ??= new Promise((resolve, reject) => {
    const failed = () => {
      loading = null; // the next question tries again
      for (const one of parts) one.remove();
      reject(new Error(H.noCharts));
    };
    const parts = [el("link", { rel: "stylesheet", href: "page/vendor/uPlot.min.css" }),
      el("script", { src: "page/vendor/uPlot.iife.min.js", load: () => resolve(window.uPlot), error: failed })];
    document.head.append(...parts);
  });
  return loading;
}

// Of each chart: its series, what they are of a point, how a value is shown.
const part = (points, name, at) => (points[name][at] === null ? null : points[name][at]);
const perSecond = (name) => (points, at, step) => {
  const value = part(points, name, at);
  const hasBegun = at === points.at.length - 1 && points.known_s[at] < LEAST_KNOWN_S; // of so little there is no rate
  return value === null || hasBegun ? null : value / (points.known_s[at] || step);
};
const inMs = (name) => (points, at) => { const value = part(points, name, at); return value === null ? null : value * 1000; };
const percent = (points, at) => (points.known_s[at] ? Math.min(100, (100 * points.connected_s[at]) / points.known_s[at]) : null);
const CHARTS = {
  connected: { height: 100, max: 100, show: (value) => `${number(Math.round(value))} %`,
    series: [{ name: "connected", of: percent, color: "--good", fill: true, stepped: true }] },
  breaks: { height: 100, show: (value) => number(Math.round(value)), series: [
    { name: "outages", of: (points, at) => part(points, "outages", at), color: "--bad" },
    { name: "board", of: (points, at) => part(points, "starts", at), color: "--link", dash: [6, 3] },
    { name: "bridge", of: (points, at) => part(points, "bridge_starts", at), color: "--wait", dash: [2, 3] },
    { name: "anew", of: (points, at) => part(points, "reconnects", at), color: "--faint", dash: [1, 4] }] },
  lines: { height: 170, show: rate, series: [
    { name: "from", of: perSecond("lines_received"), color: "--link" },
    { name: "to", of: perSecond("lines_acknowledged"), color: "--wait", dash: [6, 3] }] },
  round: { height: 170, show: milliseconds, series: [
    { name: "mean", of: inMs("round_trip_s"), color: "--link" },
    { name: "least", of: inMs("least_round_trip_s"), color: "--faint", dash: [2, 3] },
    { name: "most", of: inMs("longest_round_trip_s"), color: "--faint", dash: [6, 3] }] },
  backlog: { height: 140, whole: true, show: (value) => number(Math.round(value)), series: [
    { name: "to", of: (points, at) => part(points, "waiting_lines", at), color: "--wait", fill: true },
    { name: "from", of: (points, at) => part(points, "unread_lines", at), color: "--link", dash: [6, 3] }] },
};

// path: of the client in the API. Returns its element; `live`, which takes the client's row; `end`.
export function historyPart(path) {
  let span = SPANS.day;
  let until = null; // null: now
  let series = null;
  let row = null;
  let base = null; // row: with which the last point began; latest: the row that was counted last; counts of the point
  let asked = 0; // questions so far: the answer to the last one counts
  let timer = null;
  let ended = false;
  const said = el("p", { class: "empty", role: "status" }, H.loading);
  const range = el("p", { class: "range" });
  const figures = Object.entries(CHARTS).map(([name, chart]) => figure(name, chart, (from, to) => look(to - from, to)));
  const choice = (name) => el("button", { type: "button", "data-span": name, click: () => look(SPANS[name], null) }, H.spans[name]);
  const button = (name, change) => el("button", { type: "button", click: change }, H[name]);
  const middle = () => (until ?? serverNow()) - span / 2;
  const outages = el("ol", { class: "outages" });
  const charts = el("div", { hidden: true }, ...figures.map((one) => one.element), el("h3", {}, H.outages), outages);
  const element = el("section", { class: "history", "aria-labelledby": "history" }, el("h2", { id: "history" }, H.title),
    el("div", { class: "tools" }, ...Object.keys(SPANS).map(choice),
      button("in", () => look(span / 2, until === null ? null : middle() + span / 4)),
      button("out", () => look(span * 2, until === null ? null : middle() + span)),
      button("earlier", () => look(span, (until ?? serverNow()) - span / 2)),
      button("later", () => look(span, until === null ? null : until + span / 2))),
    range, said, charts);

  function look(wanted, to) {
    span = Math.min(SPANS.year, Math.max(LEAST_SPAN_S, wanted));
    until = to !== null && to < serverNow() - 1 ? to : null;
    ask();
  }

  async function ask() {
    clearTimeout(timer);
    const to = Math.ceil(until ?? serverNow());
    const question = ++asked;
    let wait = FAILED_S;
    try {
      const [found, uPlot] = await Promise.all([
        get(`${path}/history?from=${Math.max(0, Math.floor(to - span))}&to=${to}&points=${POINTS}`), load()]);
      if (ended || question !== asked) return;
      setClock(found.now);
      series = found;
      base = null;
      show(uPlot);
      grow(); // from the row as it is now
      wait = Math.min(AGAIN_S, Math.max(OFTEN_S, found.step));
    } catch (error) {
      if (ended || question !== asked) return;
      setText(said, error.status === 409 ? H.off : H.failed(error.message ?? ""));
      said.hidden = false;
      if (error.status === 409) return;
    }
    if (until === null) timer = setTimeout(() => (document.hidden ? (timer = setTimeout(ask, OFTEN_S * 1000)) : ask()), wait * 1000);
  }

  function show(uPlot) {
    said.hidden = true;
    charts.hidden = false;
    for (const one of element.querySelectorAll("[data-span]"))
      one.setAttribute("aria-pressed", String(until === null && SPANS[one.dataset.span] === span));
    setText(range, H.range(moment(series.from), until === null ? H.now : moment(series.to), H.step(series.step)));
    for (const one of figures) one.show(series, uPlot);
    outages.replaceChildren(...(series.reasons.length ? series.reasons.slice(-10).reverse().map((one) =>
      el("li", {}, el("time", {}, moment(one.at)), " ", one.reason)) : [el("li", { class: "empty" }, H.noOutage)]));
  }

  // The last point grows with what the client's row has more than when the series came.
  function grow() {
    if (series === null || row === null || until !== null || ended) return;
    const { points, step } = series;
    const last = points.at.length - 1;
    if (last < 0) return;
    if (base === null) base = { row, latest: row, seen: serverNow(), ...Object.fromEntries(COUNTS.map((name) => [name, points[name][last] ?? 0])) };
    const now = serverNow();
    if (now >= points.at[last] + step) {
      for (const [name, column] of Object.entries(points)) {
        column.push(name === "at" ? column[last] + step : name.endsWith("_lines") ? column[last] : name.includes("trip_s") ? null : 0);
        column.shift();
      }
      base = { row: base.latest, latest: row, seen: now, ...Object.fromEntries(COUNTS.map((name) => [name, 0])) };
    }
    for (const name of COUNTS) points[name][last] = base[name] + Math.max(0, row[name] - base.row[name]);
    const passed = Math.max(0, now - base.seen);
    base.seen = now;
    base.latest = row;
    points.known_s[last] = Math.min(step, points.known_s[last] + passed);
    points.connected_s[last] = Math.min(step, (points.connected_s[last] ?? 0) + (row.connected ? passed : 0));
    points.waiting_lines[last] = row.waiting_lines;
    if (row.unread_lines !== null) points.unread_lines[last] = row.unread_lines;
    const trips = row.round_trips - base.row.round_trips;
    if (trips > 0) {
      const mean = (row.round_trip_s - base.row.round_trip_s) / trips;
      points.round_trip_s[last] = mean;
      points.least_round_trip_s[last] = Math.min(points.least_round_trip_s[last] ?? mean, mean);
      points.longest_round_trip_s[last] = Math.max(points.longest_round_trip_s[last] ?? mean, mean);
    }
    for (const one of figures) one.grow(series);
  }

  const scheme = matchMedia("(prefers-color-scheme: dark)");
  const recolor = () => { for (const one of figures) one.recolor(); };
  scheme.addEventListener("change", recolor);
  const ticking = setInterval(grow, 1000);
  ask();
  const end = () => {
    ended = true;
    clearTimeout(timer);
    clearInterval(ticking);
    scheme.removeEventListener("change", recolor);
    for (const one of figures) one.end();
  };
  return { element, live: (now) => { row = now; grow(); }, end };
}

// A chart and its table. zoom: function (from, to), for a part that was marked with the pointer.
function figure(name, chart, zoom) {
  const words = H.charts[name];
  let plot = null;
  let data = null;
  let made = null; // the series, and uPlot
  let newest = null; // time of the newest row of the table
  const canvas = el("div", { class: "chart", role: "img" });
  const table = el("div", { class: "wide values", hidden: true, tabindex: 0 });
  const toggle = el("button", { type: "button", "aria-pressed": "false", click: () => {
    table.hidden = !table.hidden;
    toggle.setAttribute("aria-pressed", String(!table.hidden));
    fill();
  } }, H.table);
  const element = el("figure", { "data-chart": name },
    el("figcaption", {}, el("h3", {}, words.title), toggle), canvas, table);
  const sizes = new ResizeObserver(() => plot?.setSize(size()));
  const size = () => ({ width: Math.max(200, canvas.clientWidth), height: chart.height });
  const columns = ({ points, step }) => [
    points.at, ...chart.series.map((one) => points.at.map((_, at) => one.of(points, at, step)))];
  sizes.observe(canvas);

  function draw() {
    plot?.destroy();
    plot = new made.uPlot(options(name, chart, words, size(), zoom), data, canvas);
  }

  function describe(series) {
    const values = data.slice(1).flat().filter((value) => value !== null);
    const most = values.length ? chart.show(Math.max(...values)) : T.none;
    canvas.setAttribute("aria-label", H.described(words.title, moment(series.from), moment(series.to), most));
  }

  const rowsOf = () => data[0].map((at, index) => [at, ...data.slice(1).map((column) => column[index])])
    .filter(([, ...values]) => values.some((value) => value !== null)).reverse();

  const texts = ([at, ...values]) => [moment(at), ...values.map((value) => (value === null ? T.none : chart.show(value)))];

  function fill() {
    if (table.hidden || data === null) return;
    const heads = [H.time, ...chart.series.map((one) => words.series[one.name])];
    const rows = rowsOf();
    newest = rows[0]?.[0];
    table.replaceChildren(el("table", {}, el("caption", { class: "unseen" }, words.title),
      el("thead", {}, el("tr", {}, ...heads.map((text) => el("th", { scope: "col" }, text)))),
      el("tbody", {}, ...rows.map(texts).map(([time, ...values]) => el("tr", {}, el("th", { scope: "row" }, time),
        ...values.map((value) => el("td", { class: "number" }, value)))))));
  }

  // The newest row grows; the others stay where they are, since somebody may be reading.
  function growTable() {
    if (table.hidden || data === null) return;
    const row = rowsOf()[0];
    if (row?.[0] !== newest) fill();
    else if (row) texts(row).forEach((text, index) => setText(table.querySelector("tbody tr").cells[index], text));
  }

  return {
    element,
    show(series, uPlot) {
      const before = made;
      made = { uPlot, span: series.to - series.from };
      data = columns(series);
      if (plot === null || before.span !== made.span) draw();
      else plot.setData(data);
      describe(series);
      fill();
    },
    grow(series) {
      data = columns(series);
      plot?.setData(data);
      growTable();
    },
    recolor() { if (plot !== null) draw(); },
    end() { sizes.disconnect(); plot?.destroy(); },
  };
}

const shownS = (plot) => plot.scales.x.max - plot.scales.x.min;

function options(name, chart, words, size, zoom) {
  const faint = colorOf("--faint");
  const grid = { stroke: colorOf("--line"), width: 1 };
  const axis = { stroke: faint, grid, ticks: grid, font: "12px system-ui, sans-serif" };
  const shown = (plot, value) => (value === null || value === undefined ? T.none : chart.show(value));
  return {
    ...size,
    padding: [8, 36, 0, 0], // half of a time below the axis
    cursor: { sync: { key: "history" }, drag: { x: true, y: false, setScale: false }, y: false },
    scales: { x: { time: true }, y: { range: (plot, low, high) => [0, chart.max ?? Math.max(high, 1) * 1.05] } },
    axes: [
      { ...axis, size: 34, space: (plot) => (shownS(plot) < 600 ? 110 : 70),
        values: (plot, splits) => splits.map((at) => axisTime(at, shownS(plot))) },
      { ...axis, size: 64, space: 28, ...(chart.whole && { incrs: WHOLE }), values: (plot, splits) => splits.map((value) => chart.show(value)) }],
    series: [{ label: H.time, value: (plot, at) => (at === null ? T.none : moment(at)) },
      ...chart.series.map((one) => ({
        label: words.series[one.name], stroke: colorOf(one.color), width: 2, dash: one.dash, value: shown,
        fill: one.fill ? colorOf(one.color, 0.18) : undefined, points: { size: 5, filter: lonely },
        paths: one.stepped ? window.uPlot.paths.stepped({ align: 1 }) : undefined,
      }))],
    hooks: {
      setSelect: [(plot) => {
        if (plot.select.width < 8) return;
        zoom(plot.posToVal(plot.select.left, "x"), plot.posToVal(plot.select.left + plot.select.width, "x"));
        plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
      }],
    },
  };
}

// The points that no line leads to: they are drawn as dots.
function lonely(plot, at) {
  const values = plot.data[at];
  return values.flatMap((value, index) =>
    value !== null && (values[index - 1] ?? null) === null && (values[index + 1] ?? null) === null ? [index] : []);
}
